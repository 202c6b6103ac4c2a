"""Paths on a server, except those of sites' services (services.py)."""

APPS = "/var/www"
UNITS = "/etc/systemd/system"
MANIFESTS = "/var/lib/stagecraft/manifests"
AS_FOUND = "/var/lib/stagecraft/as-found"
ACME_WEBROOT = "/var/lib/stagecraft/acme"
ACME_CA_DIRECTORY = "/etc/stagecraft/acme-ca"
CERTIFICATES = "/etc/ssl/stagecraft"
SELF_SIGNED = "/var/lib/stagecraft/self-signed"
DATABASE_LOGINS = "/etc/stagecraft/database"
FIREWALL_RULES = "/etc/stagecraft/firewall/rules.nft"
AUTHORIZED_KEYS = "/etc/ssh/authorized_keys.d"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
HOST_KEY_RSA = "/etc/ssh/ssh_host_rsa_4096_key"


def home(site: str) -> str:
    return f"{APPS}/{site}"


def database_login(user: str) -> str:
    """The option file with an account's password, readable by root only."""
    return f"{DATABASE_LOGINS}/{user}.cnf"
