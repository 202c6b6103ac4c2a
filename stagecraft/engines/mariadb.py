"""MariaDB."""

from stagecraft.engines.engine import INSIDES, Engine, SystemAccount

BY_SOCKET = SystemAccount(
    ("mysql_native_password: invalid", "unix_socket"),
    "IDENTIFIED VIA mysql_native_password USING 'invalid' OR unix_socket REQUIRE NONE"
    " ACCOUNT UNLOCK",
)

MARIADB = Engine(
    name="mariadb",
    settings="/etc/mysql/mariadb.conf.d/90-stagecraft.cnf",  # after Debian's 50-server.cnf
    checker="mariadbd --verbose --help",  # it has no --validate-config
    client="mariadb",
    dump="mariadb-dump",
    root_login="unix_socket",
    accounts={
        "root": BY_SOCKET,
        "mysql": BY_SOCKET,  # root's name in MariaDB's own scripts
        "mariadb.sys": SystemAccount(  # defines the view mysql.user and the schema sys
            ("mysql_native_password", "account_locked"),
            "IDENTIFIED VIA mysql_native_password USING '' REQUIRE NONE ACCOUNT LOCK",
            frozenset({"SELECT on mysql.global_priv", "DELETE on mysql.global_priv"}),
        ),
    },
    proxies=frozenset({"root", "mysql"}),
    ports=(3306,),
    by_tcp="""
SELECT 'by-tcp', User, Host FROM mysql.user WHERE Host <> 'localhost' AND is_role = 'N';
""",
    roles="""
SELECT 'role', User FROM mysql.user WHERE is_role = 'Y';
SELECT 'given', CONCAT(QUOTE(User), '@', QUOTE(Host)), Role FROM mysql.roles_mapping;
""",
    variables="""
SELECT 'variable', LOWER(VARIABLE_NAME),
    IF(VARIABLE_NAME REGEXP '%s' AND NOT GLOBAL_VALUE <=> DEFAULT_VALUE, '%s', GLOBAL_VALUE),
    DEFAULT_VALUE, '', 0, 0
  FROM information_schema.SYSTEM_VARIABLES WHERE GLOBAL_VALUE_ORIGIN = 'SQL'
""",
    authentication=r"""
SELECT 'authentication', User, Host, REGEXP_REPLACE(Priv,
    '("authentication_string": *)"(?!invalid")(\\\\.|[^"\\\\])+"', '\\1"set"')
  FROM mysql.global_priv;
""",
    # The columns of the replicas follow the last row.
    insides=f"{INSIDES} SELECT 'replicas'; SHOW ALL SLAVES STATUS;",
    author="mariadb.sys@localhost",
    stop_replication="STOP SLAVE {name}; RESET SLAVE {name} ALL",
    # It has collations for several charsets.
    collation="FULL_COLLATION_NAME",
    # Those of the option files: its variables know their defaults.
    options="mariadbd --print-defaults 2>/dev/null | tr ' ' '\\n'",
)
