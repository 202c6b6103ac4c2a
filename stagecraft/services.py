"""The services of a machine and its sites: units, directories and sockets, declared once, for
tasks, removal, clashes, the drift check and tests."""

from collections.abc import Iterable, Mapping

from stagecraft.engines import ENGINES
from stagecraft.paths import CERTIFICATES, UNITS, home

NGINX = "nginx.service"
SSHD = "ssh.service"
FAIL2BAN = "fail2ban.service"
FIREWALL = "stagecraft-firewall.service"
JOURNALD = "systemd-journald.service"
TIMESYNCD = "systemd-timesyncd.service"
CERTBOT = "certbot.timer"
LOGROTATE = "logrotate.timer"
RECOVERY = "stagecraft-recovery.service"
UPGRADES = ("apt-daily.timer", "apt-daily-upgrade.timer")
DATABASES = tuple(engine.unit for engine in ENGINES.values())

MACHINE_UNITS = (
    *(NGINX, SSHD, FAIL2BAN, FIREWALL, JOURNALD, TIMESYNCD, CERTBOT, LOGROTATE),
    *(*UPGRADES, *DATABASES),
    RECOVERY,
)

WEB_PORTS = {"tcp": (80, 443)}
"""nginx' ports, open to everybody. Another one, such as UDP 443 for HTTP/3, also needs its `listen`
in nginx' templates, and a chain of its own in templates/firewall/: `web` resets TCP connections.
facts/neighbours.* and tasks/clashes.py look for other programs on the TCP ports."""

CACHE = "/var/cache/stagecraft"
"""Where the sites' /tmp and /var/tmp are."""

MAINTENANCE = "/run/stagecraft-maintenance"
"""Has a directory for each site that is closed to visitors."""


def unit_file(unit: str) -> str:
    return f"{UNITS}/{unit}"


class Nginx:
    """`certificate` is the link in the vhost, to the self-signed certificate or to certbot's.
    `maintenance` is there while a release keeps visitors out."""

    def __init__(self, site: str) -> None:
        self.vhost = f"/etc/nginx/sites-available/{site}.conf"
        self.htpasswd = f"/etc/nginx/stagecraft/{site}.htpasswd"
        self.certificate = f"{CERTIFICATES}/{site}"
        self.maintenance = f"{MAINTENANCE}/{site}"


class PhpFpm:
    def __init__(self, site: str) -> None:
        self.unit = f"php-fpm@{site}.service"
        self.socket_unit = f"php-fpm@{site}.socket"
        self.files = (unit_file(self.unit), unit_file(self.socket_unit))
        self.socket = f"/run/php-fpm-{site}/php-fpm.sock"
        self.logs = f"/var/log/php-fpm-{site}"
        self.temporary = f"{CACHE}/{site}"


def php_directory(version: str) -> str:
    return f"/etc/php/{version}/fpm"


def php_settings(version: str) -> list[str]:
    """What every instance of this version loads in addition to its own files."""
    return [f"{php_directory(version)}/php.ini", f"{php_directory(version)}/conf.d"]


class Workers:
    """Run the current release's jobs: `counts` has the number of processes by name. Before the
    first release, they do not start. Each release restarts `units`, and fails if one of them ends
    at once: a job that a timer starts is none of them."""

    def __init__(self, site: str, counts: Mapping[str, int], *, scheduler: bool) -> None:
        self.queues = {
            f"worker@{site}:{name}:{number}.service": name
            for name, count in counts.items()
            for number in range(1, count + 1)
        }
        self.scheduler = f"scheduler@{site}.service" if scheduler else ""
        self.units = [*self.queues, *([self.scheduler] if scheduler else [])]


class Redis:
    """Runs as its own user, so that the site's cannot replace its socket or data."""

    def __init__(self, site: str) -> None:
        self.user = f"redis-{site}"
        self.unit = f"redis-server@{site}.service"
        self.override = f"{unit_file(self.unit)}.d"
        self.configuration = f"/etc/redis/redis-{site}.conf"
        self.acl = f"/etc/redis/redis-{site}.acl"
        self.socket = f"/run/redis-{site}/redis-server.sock"
        self.data = f"/var/lib/redis-{site}"


class Logs:
    def __init__(self, site: str) -> None:
        self.timer = f"logrotate@{site}.timer"
        self.configuration = f"/etc/stagecraft/logrotate/{site}.conf"
        self.files = (unit_file(f"logrotate@{site}.service"), unit_file(self.timer))


class Program:
    """`stagecraft` on the server. `sites` has what it knows of each site."""

    name = "stagecraft"
    path = "/usr/local/sbin/stagecraft"
    library = "/usr/local/lib/stagecraft"
    sites = "/etc/stagecraft/sites"
    state = "/var/lib/stagecraft/sites"
    logs = "/var/log/stagecraft"


class Ci:
    """An environment's CI logs in as `user`, which can run one `command` as root and nothing else:
    `program`, of which all that run at a time share the limits of `slice`.
    Names of sites and admins have no place for a `_` after `ci`. Another kind of key also needs
    `settings/host.py` and `models.py` (where it is declared), `settings/read.py` and `checks.py`,
    `templates/sudo/sudoers.j2`, and what it may ask for in `on_server/ci.py` and `command.py`."""

    home = "/var/lib/stagecraft/ci"

    def __init__(self, environment: str) -> None:
        self.environment = environment
        self.user = f"ci_{environment}"
        self.slice = f"stagecraft-{self.user.replace('-', '_')}.slice"
        self.program = f"{Program.path} ci {environment}"
        in_slice = f"/usr/bin/systemd-run --quiet --scope --slice {self.slice}"
        self.command = f"{in_slice} {self.program}"

    @property
    def key_options(self) -> str:
        return f'restrict,command="/usr/bin/sudo -n {self.command}"'


class Reach:
    """`table` is an nftables table of family inet."""

    def __init__(self, site: str) -> None:
        self.unit = f"stagecraft-reach@{site}.service"
        self.rules = f"/etc/stagecraft/reach/{site}.nft"
        self.table = f"stagecraft-{site}"


class Services:
    """Everything that a site's services use on a machine. `units` start at boot; without the
    `vital` ones the site is down. `files` have our mark and are in directories shared with others;
    `users` maps Unix users to their homes."""

    def __init__(self, site: str) -> None:
        php_fpm, redis, logs = PhpFpm(site), Redis(site), Logs(site)
        self.vital = (php_fpm.unit, php_fpm.socket_unit, redis.unit)
        self.units = (*self.vital, logs.timer, Reach(site).unit)
        self.files = (Nginx(site).vhost, redis.configuration, *php_fpm.files, *logs.files)
        self.users = {site: home(site), redis.user: redis.data}


def replaced(php_versions: Iterable[str]) -> list[str]:
    """Debian's units, which each site replaces by its own instances."""
    return ["redis-server.service", *(f"php{version}-fpm.service" for version in php_versions)]


def pattern(units: Iterable[str]) -> str:
    return "|".join(unit.replace(".", r"\.") for unit in units)


ANY = "[^/]+"
WORKERS = (f"worker@{ANY}.service", f"scheduler@{ANY}.service")
RUN_BY_US = pattern([*MACHINE_UNITS, *Services(ANY).units, *WORKERS])
"""Matches units that runs start, and restart when their files change."""
