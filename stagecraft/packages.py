"""The Debian packages that an environment needs."""

from stagecraft.facts.machine import Machine
from stagecraft.settings import Environment, Site

MACHINE_PACKAGES = [
    *("acl", "ca-certificates", "fail2ban", "locales", "logrotate", "needrestart", "nftables"),
    *("openssh-server", "procps", "sudo", "systemd-timesyncd", "tzdata", "unattended-upgrades"),
    "python3-systemd",  # fail2ban reads the journal with it
]
"""On a server with `host:`, for the machine itself; bootstrap.py installs only these."""

EVERY_SERVER = [
    "acl",
    "ca-certificates",
    "libfcgi-bin",  # asks a release for its health before it serves
    "logrotate",
    "nftables",
    "nginx",
    "openssl",
    "python3",  # runs our own program
    "redis-server",
]
"""On every server that deploy.py provisions."""

PHP = ["bcmath", "cli", "curl", "fpm", "gd", "intl", "mbstring", "opcache", "redis", "xml", "zip"]
"""PHP packages that Laravel, its cache, and most apps need."""


def wanted(environment: Environment, machine: Machine) -> list[str]:
    names = {*EVERY_SERVER, environment.server.engine.package}
    if environment.server.host:
        names.update(MACHINE_PACKAGES)
    if any(environment.issuers[site.tls.issuer].directory for site in environment.sites):
        names.add("certbot")
    for site in environment.sites:
        extensions = [*PHP, environment.server.engine.extension, *site.php_extensions]
        names.update(f"php{php_version(site, machine)}-{extension}" for extension in extensions)
    return sorted(names)


def php_version(site: Site, machine: Machine) -> str:
    """The site's PHP version: as declared, else the one this Debian ships."""
    return site.php or machine.php
