"""MariaDB."""

from stagecraft.engines.engine import Engine

MARIADB = Engine(
    name="mariadb",
    settings="/etc/mysql/mariadb.conf.d/90-stagecraft.cnf",  # after Debian's 50-server.cnf
    checker="mariadbd --verbose --help",  # it has no --validate-config
    client="mariadb",
    dump="mariadb-dump",
    root_login="unix_socket",
    accounts=frozenset({"root", "mysql", "mariadb.sys"}),
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
    DEFAULT_VALUE, '', 0
  FROM information_schema.SYSTEM_VARIABLES WHERE GLOBAL_VALUE_ORIGIN = 'SQL'
""",
    # It has collations for several charsets.
    collation="FULL_COLLATION_NAME",
    # Those of the option files: its variables know their defaults.
    options="mariadbd --print-defaults 2>/dev/null | tr ' ' '\\n'",
)
