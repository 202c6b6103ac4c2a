"""Checks that involve more than one value: contradicting keys, colliding sites."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stagecraft.engines import ENGINES
from stagecraft.local_files import not_text, unreadable, wrong_certificates
from stagecraft.nearest import did_you_mean
from stagecraft.services import Ci, Redis
from stagecraft.settings.host import DEPLOY, Host
from stagecraft.settings.models import AptSource, Issuer, Server, Site
from stagecraft.settings.public_keys import blobs, is_line, wrong_file
from stagecraft.settings.values import is_armored, is_public
from stagecraft.yaml_files import KeyPath, Location, Problem

Wrong = Iterator[tuple[KeyPath, str]]


@dataclass(frozen=True)
class SiteEntry:
    """A site, and where each of its keys is written."""

    site: Site
    place: Callable[[KeyPath], Location]


def contradictions(site: Site, issuers: dict[str, Issuer]) -> Wrong:
    yield from _names(site)
    yield from _tls(site, issuers)
    yield from _debug_in_public(site)
    yield from _values_set_twice(site)
    if site.php_fpm.slow_log > site.php_fpm.timeout:
        message = f"must not be more than timeout, {site.php_fpm.timeout}"
        yield ("php_fpm", "slow_log"), message
    if site.no_php and site.entry == "front-controller":
        yield ("no_php",), "has no effect: only index.php runs; no_php needs entry: php-files"


def _names(site: Site) -> Wrong:
    yield from _too_long((), Redis(site.name).user)
    if site.name.startswith("stagecraft-"):
        yield (
            (),
            f"{site.name} is reserved for Stagecraft's own files and units: choose another name",
        )
    if not site.database.collation.startswith(site.database.charset):
        yield ("database", "collation"), f"is not a collation of {site.database.charset}"


def _too_long(path: KeyPath, user: str) -> Wrong:
    if len(user) > 32:
        yield path, f"the name of the Unix user {user} has {len(user)} characters, at most 32 fit"


def _tls(site: Site, issuers: dict[str, Issuer]) -> Wrong:
    if site.tls.issuer not in issuers:
        unknown = f"unknown issuer {site.tls.issuer!r}{did_you_mean(site.tls.issuer, issuers)}"
        yield ("tls", "issuer"), unknown
    if site.tls.issuer != "letsencrypt":
        return
    if site.tls.email is None:
        message = "is required by Let's Encrypt, which warns it when a certificate expires"
        yield ("tls", "email"), message
    for path, domain in _domains(site):
        if not is_public(domain):
            yield path, f"Let's Encrypt does not sign the reserved name {domain}: use selfsigned?"


def _domains(site: Site) -> Iterator[tuple[KeyPath, str]]:
    yield ("domain",), site.domain
    for n, alias in enumerate(site.aliases):
        yield ("aliases", n), alias


def _debug_in_public(site: Site) -> Wrong:
    debug = str(site.env.get("APP_DEBUG")).lower() not in ("none", "false", "(false)", "0", "")
    closed = site.protect.basic_auth or site.protect.admin_allow
    if debug and not closed and any(is_public(domain) for domain in site.domains):
        yield (
            ("env", "APP_DEBUG"),
            "shows the app's internals to everybody: set protect.basic_auth or protect.admin_allow",
        )


def _values_set_twice(site: Site) -> Wrong:
    for flag, variable in zip(site.features, site.feature_variables, strict=True):
        if variable in site.env:
            yield ("env", variable), f"is set twice: features.{flag} sets the same variable"
    for n, secret in enumerate(site.secrets):
        if secret in site.env:
            message = "is also listed under secrets: remove it here, the .env gets the secret"
            yield ("env", secret), message
        if secret in site.given_secrets[: -len(site.secrets) + n]:
            yield ("secrets", n), f"{secret} is already in the list of secrets"


def dropped_but_used(databases: Iterable[str], entries: Iterable[SiteEntry]) -> Wrong:
    """Databases to drop that a site on the same server uses."""
    users = {entry.site.database.name: entry.site for entry in entries}
    for name in databases:
        if name in users:
            yield ("databases", name), f"cannot be dropped: {users[name].name} uses it"


def unknown_proof(site: Site, environments: Iterable[str]) -> Wrong:
    """An environment that proves releases, but is none, or the site's own."""
    where = site.app.proven_in if site.app else None
    others = sorted({*environments} - {site.environment})
    if where == site.environment:
        yield ("app", "proven_in"), "must be another environment, such as staging"
    elif where and where not in others:
        message = f"there is no group_data/{where}.yml{did_you_mean(where, others)}"
        yield ("app", "proven_in"), message


def missing_files(server: Server, issuers: dict[str, Issuer]) -> Wrong:
    """Public keys and CA bundles whose files are missing or wrong. A throwaway's files are created
    with it: `inventory.load` checks them."""
    if server.host and not server.throwaway:
        yield from missing_public_keys(server.name, server.host)
    for name, source in server.apt_sources.items():
        if wrong := _wrong_key(source):
            yield ("servers", server.name, "apt_sources", name, "key"), wrong
    for name, issuer in issuers.items():
        if issuer.ca_bundle and (wrong := wrong_certificates(issuer.ca_bundle)):
            yield ("issuers", name, "ca_bundle"), wrong


def missing_public_keys(server: str, host: Host) -> Wrong:
    """Public keys of its accounts whose files are missing or wrong."""
    lists: dict[KeyPath, list[str]] = {("admins", name): keys for name, keys in host.admins.items()}
    for path, keys in (lists | {("deploy",): host.deploy}).items():
        for n, key in enumerate(keys):
            if not is_line(key) and (wrong := wrong_file(key)):
                yield ("servers", server, "host", *path, n), wrong


def ci_keys(environment: str, ci: Mapping[str, list[str]], server: Server) -> Wrong:
    """Keys of an environment's CI that would be worth nothing, or more than `ci:` gives them.
    `ci` has those of all environments on the server."""
    if server.host is None:
        yield ("ci",), f"needs `host:` of {server.name}, which manages who may log in"
        return
    yield from _too_long(("ci",), Ci(environment).user)
    others = {Ci(name).user: keys for name, keys in ci.items() if name != environment}
    holders = {**server.host.admins, DEPLOY: server.host.deploy, **others}
    taken = {account: blobs(keys) for account, keys in holders.items()}
    for n, key in enumerate(ci[environment]):
        if not is_line(key) and (wrong := wrong_file(key)):
            yield ("ci", n), wrong
        for owner in (account for account in taken if taken[account] & blobs([key])):
            yield ("ci", n), f"is also a key of {owner}: make one for this alone, with ssh-keygen"


TAKEN = {"root", DEPLOY, "stagecraft", "redis", *(engine.user for engine in ENGINES.values())}
"""Accounts that a run or a package creates. Debian would run the database as such an admin."""


def logins(servers: dict[str, Server]) -> Wrong:
    """Accounts that sshd would refuse, and reserved names of admins."""
    for name, server in servers.items():
        if server.host is None:
            continue
        if server.ssh_user not in server.host.accounts:
            accounts = " or ".join(server.host.accounts)
            yield (
                ("servers", name, "ssh_user"),
                f"{server.ssh_user} cannot log in: with `host`, SSH is open only to {accounts};"
                " for first contact, use pyinfra --user root",
            )
        for admin in server.host.admins:
            if admin in TAKEN or admin.startswith(Ci("").user):
                yield ("servers", name, "host", "admins", admin), "is reserved: choose another name"


def taken_ports(servers: dict[str, Server]) -> Wrong:
    """SSH ports that another service uses, or could take."""
    for name, server in servers.items():
        if server.ssh_port in (80, 443):
            message = f"{server.ssh_port} is nginx's port: choose another one for sshd"
            yield ("servers", name, "ssh_port"), message
        elif server.host and server.ssh_port >= UNPRIVILEGED:
            message = (
                f"any user of the machine could take {server.ssh_port} while sshd restarts, and"
                f" lock you out: choose a port below {UNPRIVILEGED}"
            )
            yield ("servers", name, "ssh_port"), message


def _wrong_key(source: AptSource) -> str | None:
    if source.key is None or is_armored(source.key):
        return None
    if wrong := unreadable(source.key):
        return wrong
    if not is_armored(Path(source.key).read_text(encoding="utf-8", errors="replace")):
        return f"{source.key} is not an armored public key: create one with gpg --export --armor"
    return not_text(source.key)


def one_name_per_machine(servers: dict[str, Server]) -> Wrong:
    """If a machine had two names, its environments would not be checked together."""
    seen: dict[Any, str] = {}
    for name, server in servers.items():
        first = seen.setdefault((server.address.lower(), server.ssh_port, server.ssh_config), name)
        if first != name:
            message = f"is already declared as servers.{first}: declare each machine once"
            yield ("servers", name, "address"), message


def collisions(entries: Iterable[SiteEntry]) -> Iterator[Problem]:
    """Names that two sites on one machine both claim, even in different environments."""
    in_order = sorted(entries, key=lambda entry: entry.place(()))
    yield from _claimed_twice(in_order)
    for n, entry in enumerate(in_order):
        yield from _overlapping_prefixes(entry, in_order[:n])


def _claimed_twice(entries: list[SiteEntry]) -> Iterator[Problem]:
    seen: dict[tuple[str, str], Location] = {}
    refused: set[Location] = set()
    for entry in entries:
        for kind, path, value in _claims(entry.site):
            place = entry.place(path)
            first = seen.setdefault((kind, value.lower()), place)
            if first != place and place not in refused:
                refused.add(place)
                yield Problem(place, f"the {kind} {value} is taken by {first} ({first.key})")


def _claims(site: Site) -> Iterator[tuple[str, KeyPath, str]]:
    """What must be unique on a machine."""
    yield "name", (), site.name
    yield "name", (), Redis(site.name).user
    for path, domain in _domains(site):
        yield "domain", path, domain
    yield "database", ("database", "name"), site.database.name
    yield "database user", ("database", "user"), site.database.user
    yield "database user", ("database", "user"), site.database.migrator


UNPRIVILEGED = 1024
"""The first port that any user may bind: Linux' default, net.ipv4.ip_unprivileged_port_start."""


def reachable_logins(server: Server, entries: Iterable[SiteEntry]) -> Iterator[Problem]:
    """Services that no site may reach, because they give access to all other sites."""
    database = f"is {server.engine}'s port, shared by all sites: use its socket"
    doors = dict.fromkeys(server.engine.ports, database)
    doors[server.ssh_port] = "is sshd's port: a site must not log in to its own machine"
    for entry in entries:
        for n, destination in enumerate(entry.site.destinations):
            here = destination.loopback or destination.has(server.address)
            if here and destination.port in doors:
                message = f"{entry.site.reach[n]} {doors[destination.port]}"
                yield Problem(entry.place(("reach", n)), message)


def _overlapping_prefixes(entry: SiteEntry, others: list[SiteEntry]) -> Iterator[Problem]:
    prefix, path = entry.site.redis.prefix, ("redis", "prefix")
    for other in others:
        taken, first = other.site.redis.prefix, other.place(path)
        if prefix.startswith(taken) or taken.startswith(prefix):
            reason = "one site could reach the other's keys"
            message = f"the Redis prefixes {prefix} and {taken} at {first} ({first.key}) overlap: "
            yield Problem(entry.place(path), message + reason)


def overcommitted_memory(server: Server, entries: Iterable[SiteEntry]) -> Iterator[str]:
    """The memory shares of all sites and the database server must not exceed 100 %."""
    shares = {f"servers.{server.name}.database": server.database.memory_percent}
    for entry in entries:
        shares[f"{entry.site.name}'s php_fpm"] = entry.site.php_fpm.memory_percent
    total = sum(shares.values())
    if total > 100:
        claims = ", ".join(f"{claim} {share} %" for claim, share in shares.items())
        yield f"the shares of {server.name}'s memory add up to {total} %, more than 100 %: {claims}"
