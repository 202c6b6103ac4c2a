"""MySQL."""

from stagecraft.engines.engine import INSIDES, Engine, SystemAccount

INVALID = "$A$005$THISISACOMBINATIONOFINVALIDSALTANDPASSWORDTHATMUSTNEVERBRBEUSED"
"""What MySQL itself gives accounts that nobody may log in with."""


OF_ALL_SYSTEM_ACCOUNTS = tuple(
    f"{privilege} on *.*" for privilege in ("AUDIT_ABORT_EXEMPT", "FIREWALL_EXEMPT", "SYSTEM_USER")
)
SESSIONS = (
    *("SHUTDOWN", "SUPER", "AUTHENTICATION_POLICY_ADMIN", "BACKUP_ADMIN", "CLONE_ADMIN"),
    *("CONNECTION_ADMIN", "PERSIST_RO_VARIABLES_ADMIN", "SESSION_VARIABLES_ADMIN"),
    "SYSTEM_VARIABLES_ADMIN",
)


MORE_INSIDES = """
SELECT 'plugin', component_urn, component_urn FROM mysql.component LIMIT 50;
SELECT 'replicas';
SELECT CHANNEL_NAME, '', '', HOST FROM performance_schema.replication_connection_configuration;
"""


def locked(*privileges: str) -> SystemAccount:
    return SystemAccount(
        ("caching_sha2_password: invalid", "account_locked"),
        f"IDENTIFIED WITH caching_sha2_password AS '{INVALID}' REQUIRE NONE ACCOUNT LOCK",
        frozenset(privileges),
    )


MYSQL = Engine(
    name="mysql",
    settings="/etc/mysql/mysql.conf.d/zz-stagecraft.cnf",  # after Debian's mysqld.cnf
    checker="mysqld --validate-config",  # --verbose --help lets unknown settings pass
    client="mysql",
    dump="mysqldump",
    root_login="auth_socket",
    accounts={
        "root": SystemAccount(
            ("auth_socket",), "IDENTIFIED WITH auth_socket REQUIRE NONE ACCOUNT UNLOCK"
        ),
        "debian-sys-maint": SystemAccount(  # what Debian's scripts log in as
            ("auth_socket: root",),
            "IDENTIFIED WITH auth_socket AS 'root' REQUIRE NONE ACCOUNT UNLOCK",
        ),
        # Define the views of information_schema, plugins' queries and the schema sys.
        "mysql.infoschema": locked("SELECT on *.*", *OF_ALL_SYSTEM_ACCOUNTS),
        "mysql.session": locked(
            *OF_ALL_SYSTEM_ACCOUNTS,
            *(f"{privilege} on *.*" for privilege in SESSIONS),
            "SELECT on performance_schema.*",
            "SELECT on mysql.user",
        ),
        "mysql.sys": locked(
            *OF_ALL_SYSTEM_ACCOUNTS, "TRIGGER on sys.*", "SELECT on sys.sys_config"
        ),
    },
    proxies=frozenset({"root"}),
    ports=(3306, 33060),
    # Its roles are locked accounts.
    by_tcp="""
SELECT 'by-tcp', User, Host FROM mysql.user WHERE Host <> 'localhost' AND account_locked = 'N';
""",
    roles="""
SELECT 'role', User FROM mysql.user WHERE account_locked = 'Y' AND authentication_string = '';
SELECT 'given', CONCAT(QUOTE(TO_USER), '@', QUOTE(TO_HOST)), FROM_USER FROM mysql.role_edges;
""",
    # Without a user it was the server itself.
    variables="""
SELECT 'variable', VARIABLE_NAME,
    IF(VARIABLE_NAME REGEXP '%s', '%s', global_variables.VARIABLE_VALUE), NULL,
    IFNULL(CONCAT(SET_USER, '@', SET_HOST), ''), IFNULL(UNIX_TIMESTAMP(SET_TIME), 0),
    persisted_variables.VARIABLE_NAME IS NOT NULL
  FROM performance_schema.variables_info JOIN performance_schema.global_variables
    USING (VARIABLE_NAME) LEFT JOIN performance_schema.persisted_variables USING (VARIABLE_NAME)
  WHERE VARIABLE_SOURCE = 'DYNAMIC' AND SET_USER IS NOT NULL
    OR persisted_variables.VARIABLE_NAME IS NOT NULL
""",
    authentication="""
SELECT 'authentication', User, Host, JSON_OBJECT(
    'plugin', plugin,
    'authentication_string', CASE
      WHEN plugin = 'auth_socket' OR authentication_string = '' THEN authentication_string
      WHEN BINARY authentication_string = BINARY 'INVALID' THEN 'invalid' ELSE 'set' END,
    'account_locked', account_locked = 'Y', 'password_expired', password_expired = 'Y',
    'ssl_type', ssl_type, 'max_questions', max_questions, 'max_updates', max_updates,
    'max_connections', max_connections,
    'attributes', IFNULL(JSON_KEYS(User_attributes), JSON_ARRAY()))
  FROM mysql.user;
""".replace("INVALID", INVALID),
    insides=INSIDES + MORE_INSIDES,
    author="mysql.sys@localhost",
    stop_replication="STOP REPLICA FOR CHANNEL {name}; RESET REPLICA ALL FOR CHANNEL {name}",
    plugins=frozenset({"auth_socket.so"}),
    collation="COLLATION_NAME",
    # All of them: its variables know no default.
    options="mysqld --verbose --help 2>/dev/null | sed -nE '/^-----/,$ s/^([a-z][^ ]+) +/--\\1=/p'",
    notes_sessions=True,
)
