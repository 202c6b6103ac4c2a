"""Where things stand on a server, for every task and template that needs to know."""

from __future__ import annotations

from stagecraft.settings import Site

APPS = "/var/www"
MANIFESTS = "/var/lib/stagecraft/manifests"
AS_FOUND = "/var/lib/stagecraft/as-found"
ACME_WEBROOT = "/var/lib/stagecraft/acme"
ACME_CA_DIRECTORY = "/etc/stagecraft/acme-ca"
CERTIFICATES = "/etc/ssl/stagecraft"
SELF_SIGNED = "/var/lib/stagecraft/self-signed"
DATABASE_SOCKET = "/run/mysqld/mysqld.sock"
DATABASE_LOGINS = "/etc/stagecraft/database"
FIREWALL_RULES = "/etc/stagecraft/firewall/rules.nft"
AUTHORIZED_KEYS = "/etc/ssh/authorized_keys.d"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
HOST_KEY_RSA = "/etc/ssh/ssh_host_rsa_4096_key"


def certificate(site: Site) -> str:
    """The one place the vhost names: a link to the self-signed or to certbot's certificate."""
    return f"{CERTIFICATES}/{site.name}"


def vhost_file(site: Site) -> str:
    return f"/etc/nginx/sites-available/{site.name}.conf"


def htpasswd(site: Site) -> str:
    return f"/etc/nginx/stagecraft/{site.name}.htpasswd"


def php_unit_file(site: Site) -> str:
    return f"/etc/systemd/system/php-fpm@{site.name}.service"


def php_socket_unit_file(site: Site) -> str:
    return f"/etc/systemd/system/php-fpm@{site.name}.socket"


def php_socket(site: Site) -> str:
    return f"/run/php-fpm-{site.name}/php-fpm.sock"


def php_logs(site: Site) -> str:
    return f"/var/log/php-fpm-{site.name}"


def logrotate_service_file(site: Site) -> str:
    return f"/etc/systemd/system/logrotate@{site.name}.service"


def logrotate_timer_file(site: Site) -> str:
    return f"/etc/systemd/system/logrotate@{site.name}.timer"


def reach_rules(site: str) -> str:
    return f"/etc/stagecraft/reach/{site}.nft"


def reach_table(site: str) -> str:
    """The nftables table, of the family inet."""
    return f"stagecraft-{site}"


def reach_unit(site: str) -> str:
    return f"stagecraft-reach@{site}.service"


def redis_configuration(site: Site) -> str:
    return f"/etc/redis/redis-{site.name}.conf"


def redis_data(site: Site) -> str:
    return f"/var/lib/redis-{site.name}"


def redis_socket(site: Site) -> str:
    return f"/run/redis-{site.name}/redis-server.sock"


def database_login(user: str) -> str:
    """The option file with an account's password, readable by root alone."""
    return f"{DATABASE_LOGINS}/{user}.cnf"
