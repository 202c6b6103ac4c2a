"""What Stagecraft knows of a database engine. Tasks, facts, operations, clashes and the drift check
read it here.

MariaDB and MySQL share the members with a default. A third engine, PostgreSQL for instance, gives
every member, and a `server.cnf.j2` and a `login.cnf.j2` of its own. Its SQL answers in the rows
that `facts/database.py`, `facts/grants.py` and `facts/variables.py` parse.

What is in the dialect of these two, elsewhere, becomes members then: statements and quoting in
`operations/database.py`, `facts/database.py` and `drift/judging/unmanaged/databases.py`, error
numbers in `facts/database.py`, the login file in `facts/database.sh` and `paths.py`, remedies in
`drift/judging/running/database.py` and `unmanaged/network.py`, the `DB_` variables in `dotenv.py`,
names and collations in `settings/values.py`, `checks.py` and `models.py` (the defaults), advice and
collations in `tasks/database.py`, the connection in `templates/app/placeholder.php.j2`,
`After=` of the units of PHP-FPM and workers, in `on_server/migrations.py` what contracts a schema
and how the migrator's login file reads, and the try of the login in `on_server/preflight.py`.
`engines/__init__.py` lists the engines.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

CONTENT = """
SELECT 'schema', SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME
  FROM information_schema.SCHEMATA;
SELECT 'account', User, Host, max_user_connections FROM mysql.user;
SELECT 'privilege', GRANTEE, '*', '*', PRIVILEGE_TYPE, '', IS_GRANTABLE
  FROM information_schema.USER_PRIVILEGES;
SELECT 'privilege', GRANTEE, TABLE_SCHEMA, '*', PRIVILEGE_TYPE, '', IS_GRANTABLE
  FROM information_schema.SCHEMA_PRIVILEGES;
SELECT 'privilege', GRANTEE, TABLE_SCHEMA, TABLE_NAME, PRIVILEGE_TYPE, '', IS_GRANTABLE
  FROM information_schema.TABLE_PRIVILEGES;
SELECT 'privilege', GRANTEE, TABLE_SCHEMA, TABLE_NAME, PRIVILEGE_TYPE, COLUMN_NAME, IS_GRANTABLE
  FROM information_schema.COLUMN_PRIVILEGES;
"""

ROUTINES = """
SELECT 'privilege', CONCAT(QUOTE(User), '@', QUOTE(Host)), Db, Routine_name, Proc_priv,
    Routine_type, 'NO'
  FROM mysql.procs_priv;
"""

COLLATIONS = """
SELECT 'collation', CHARACTER_SET_NAME, {name}
  FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY WHERE {name} IN ({wanted});
"""


INSIDES = """
SELECT 'proxy', User, Host, Proxied_user, Proxied_host FROM mysql.proxies_priv LIMIT 50;
SELECT 'server', Server_name, Host FROM mysql.servers LIMIT 50;
SELECT 'function', name, dl FROM mysql.func LIMIT 50;
SELECT 'plugin', PLUGIN_NAME, PLUGIN_LIBRARY FROM information_schema.PLUGINS
  WHERE PLUGIN_LIBRARY IS NOT NULL AND PLUGIN_STATUS NOT IN ('NOT INSTALLED', 'DELETED');
SELECT 'code', ROUTINE_TYPE, ROUTINE_SCHEMA, ROUTINE_NAME, DEFINER FROM information_schema.ROUTINES
  WHERE (ROUTINE_SCHEMA, DEFINER) NOT IN ({own})
    OR (ROUTINE_SCHEMA = 'sys' AND LOWER(ROUTINE_NAME) NOT IN ({sys})) LIMIT 50;
SELECT 'code', 'TRIGGER', TRIGGER_SCHEMA, TRIGGER_NAME, DEFINER FROM information_schema.TRIGGERS
  WHERE (TRIGGER_SCHEMA, DEFINER) NOT IN ({own}) LIMIT 50;
SELECT 'code', 'EVENT', EVENT_SCHEMA, EVENT_NAME, DEFINER FROM information_schema.EVENTS
  WHERE (EVENT_SCHEMA, DEFINER) NOT IN ({own}) LIMIT 50;
SELECT 'code', 'VIEW', TABLE_SCHEMA, TABLE_NAME, DEFINER FROM information_schema.VIEWS
  WHERE (TABLE_SCHEMA, DEFINER) NOT IN ({own}) LIMIT 50;
"""

SYS_ROUTINES = """
    create_synonym_db diagnostics execute_prepared_stmt extract_schema_from_file_name
    extract_table_from_file_name format_bytes format_path format_statement format_time list_add
    list_drop optimizer_switch_choice optimizer_switch_off optimizer_switch_on ps_is_account_enabled
    ps_is_consumer_enabled ps_is_instrument_default_enabled ps_is_instrument_default_timed
    ps_is_thread_instrumented ps_setup_disable_background_threads ps_setup_disable_consumer
    ps_setup_disable_instrument ps_setup_disable_thread ps_setup_enable_background_threads
    ps_setup_enable_consumer ps_setup_enable_instrument ps_setup_enable_thread ps_setup_reload_saved
    ps_setup_reset_to_default ps_setup_save ps_setup_show_disabled ps_setup_show_disabled_consumers
    ps_setup_show_disabled_instruments ps_setup_show_enabled ps_setup_show_enabled_consumers
    ps_setup_show_enabled_instruments ps_statement_avg_latency_histogram ps_thread_account
    ps_thread_id ps_thread_stack ps_thread_trx_info ps_trace_statement_digest ps_trace_thread
    ps_truncate_all_tables quote_identifier revoke_schema_privileges_from_all_accounts_except
    statement_performance_analyzer sys_get_config table_exists version_major version_minor
    version_patch
"""
"""Those of MariaDB's and MySQL's schema `sys`."""


@dataclass(frozen=True)
class SystemAccount:
    """An account that the engine or its package makes at localhost. `authentication` is how it may
    log in, as `facts.database.authentication` says it, `restored` what follows ALTER USER to say so
    again, and `privileges` what it holds, as `Holder.privileges`; None for everything."""

    authentication: tuple[str, ...]
    restored: str
    privileges: frozenset[str] | None = None


@dataclass(frozen=True)
class Engine:
    """`settings` is the file of ours, which Debian's server reads last, and `checker` the command
    that judges it. `client` asks root's questions and `dump` saves a schema; `root_login` is how
    root logs in through the socket. `accounts` are those that the engine and Debian's packages
    make, by name, and `proxies` those of them that may act as any other account. `ports` are where
    a server that others installed may listen; ours has its socket alone.

    SQL: `by_tcp` lists the accounts of programs that do not use the socket, `roles` the roles and
    who was given them, `variables` what was set while the server runs (with places for a pattern of
    secret names, and for what stands instead of their values). `authentication` says how each
    account may log in, as JSON without hashes, and `insides` what else acts in the server, except
    what `author`, its own account, defined in its schemas, and what its package installs: `plugins`
    and routines of the schema `sys`. `collation` is the column with a collation's whole name.
    `options` is the command that prints the options of the next start, `--name=value`.
    `stop_replication` has a place for the connection's name. `notes_sessions` says that `variables`
    lists those of single sessions, too.

    `packages` are patterns of the servers that cannot be installed beside this one, `files` and
    `made_by_packages` those of its settings, `alias` is what its service is called besides. `user`
    is the Unix user that runs it. `driver` is Laravel's word for it, and `extension` PHP's.
    """

    name: str
    settings: str
    checker: str
    client: str
    dump: str
    root_login: str
    accounts: Mapping[str, SystemAccount]
    proxies: frozenset[str]
    ports: tuple[int, ...]
    by_tcp: str
    roles: str
    variables: str
    authentication: str
    insides: str
    author: str
    stop_replication: str
    collation: str
    options: str
    plugins: frozenset[str] = frozenset()
    notes_sessions: bool = False
    schemas: frozenset[str] = frozenset(
        {"information_schema", "mysql", "performance_schema", "sys"}
    )
    content: str = CONTENT
    routines: str = ROUTINES
    socket: str = "/run/mysqld/mysqld.sock"
    directory: str = "/etc/mysql"
    files: str = r"/etc/my\.cnf|/etc/mysql/.+\.cnf"
    made_by_packages: str = r"/etc/mysql/(?:debian|my)\.cnf"
    alias: str = "mysql"
    user: str = "mysql"
    driver: str = "mysql"
    extension: str = "mysql"
    packages: tuple[str, ...] = (
        "mariadb-server*",
        "mysql-server*",
        "mysql-community-server*",
        "percona-server-server*",
        "percona-xtradb-cluster*",
    )

    def __str__(self) -> str:
        return self.name

    @property
    def unit(self) -> str:
        return f"{self.name}.service"

    @property
    def package(self) -> str:
        return f"{self.name}-server"

    def collations(self, names: list[str]) -> str:
        """The query for these, whose names are letters, digits and _."""
        wanted = ", ".join(f"'{name}'" for name in names)
        return COLLATIONS.format(name=self.collation, wanted=wanted)

    def ask(self, query: str, options: str = "") -> str:
        """The command that prints the rows of the query's answer, separated by tabs."""
        words = f"{self.client} --batch --skip-column-names {options}".rstrip()
        return f"{words} --execute={shlex.quote(query)} 2>/dev/null"

    @property
    def execute(self) -> str:
        """The command that executes what it reads, and shows no statement that is refused, which
        may hold a password; `loose` because MariaDB's client alone knows the option."""
        return f"{self.client} --batch --loose-skip-print-query-on-error"

    def sql(self, statement: str) -> str:
        """The command by which a person has it carried out."""
        return f"{self.client} --execute={shlex.quote(statement)}"
