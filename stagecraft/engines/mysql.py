"""MySQL."""

from stagecraft.engines.engine import Engine

MYSQL = Engine(
    name="mysql",
    settings="/etc/mysql/mysql.conf.d/zz-stagecraft.cnf",  # after Debian's mysqld.cnf
    checker="mysqld --validate-config",  # --verbose --help lets unknown settings pass
    client="mysql",
    dump="mysqldump",
    root_login="auth_socket",
    accounts=frozenset(
        {"root", "debian-sys-maint", "mysql.infoschema", "mysql.session", "mysql.sys"}
    ),
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
    IF(VARIABLE_NAME REGEXP '%s', '%s', VARIABLE_VALUE), NULL,
    CONCAT(SET_USER, '@', SET_HOST), UNIX_TIMESTAMP(SET_TIME)
  FROM performance_schema.variables_info JOIN performance_schema.global_variables
    USING (VARIABLE_NAME)
  WHERE VARIABLE_SOURCE = 'DYNAMIC' AND SET_USER IS NOT NULL
""",
    collation="COLLATION_NAME",
    # All of them: its variables know no default.
    options="mysqld --verbose --help 2>/dev/null | sed -nE '/^-----/,$ s/^([a-z][^ ]+) +/--\\1=/p'",
    notes_sessions=True,
)
