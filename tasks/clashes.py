"""Preflight: refuses to stop, replace or take over what others have on the server."""

from collections.abc import Iterator

from pyinfra import logger
from pyinfra.context import host

from stagecraft.engines import Engine
from stagecraft.errors import ServerError
from stagecraft.facts.database import DatabaseFact, DatabaseState
from stagecraft.facts.neighbours import OPENS_SOCKETS, Home, Listener, Neighbours, NeighboursFact
from stagecraft.manifest import Manifest
from stagecraft.paths import ACME_WEBROOT, database_login
from stagecraft.run import Run, this_run
from stagecraft.services import NGINX, WEB_PORTS, Services
from stagecraft.settings import Environment, Site
from tasks.database import ours, refuse_unknown_collations
from tasks.nginx import CATCH_ALL

FIRST_LOGIN_GID = 1000
"""Groups below it are the system's: FIRST_GID in Debian's adduser.conf."""


def refuse_clashes() -> None:
    """Reads what others have on the server. Raises ServerError with all conflicts, before anything
    is changed."""
    run, environment = this_run(), this_run().environment
    run.neighbours = neighbours_of(environment)
    engine, sites = environment.server.engine, environment.sites
    collations = sorted({site.database.collation for site in sites})
    # The site's own operation tests whether a login works.
    database: DatabaseState = host.get_fact(
        DatabaseFact, engine=engine.name, logins={}, collations=collations
    )
    found = list(clashes(run, database))
    if found:
        listed = "".join(f"\n  - {clash}" for clash in found)
        run.refuse(
            ServerError(
                f"{environment.name} conflicts with what others installed on {host.name};"
                f" nothing was changed:{listed}"
            )
        )
    refuse_unknown_collations(environment, database)
    for what in run.neighbours.as_nginx:
        logger.warning(f"{host.print_prefix}{what} {OPENS_SOCKETS}")


def neighbours_of(environment: Environment) -> Neighbours:
    sites = environment.sites
    services = [Services(site.name) for site in sites]
    engine = environment.server.engine
    neighbours: Neighbours = host.get_fact(
        NeighboursFact,
        names=[name for service in services for name in service.users],
        homes=[site.home for site in sites],
        files=[CATCH_ALL, engine.settings, *(path for s in services for path in s.files)],
        engine=engine.name,
    )
    return neighbours


def clashes(run: Run, database: DatabaseState) -> Iterator[str]:
    """Each conflict in a sentence: what exists, and what would be right."""
    environment, neighbours, manifest = run.environment, run.neighbours, run.manifest
    yield from taken_ports(neighbours)
    yield from other_database_servers(environment, neighbours)
    engine = environment.server.engine
    if ours(run):
        yield from logins_by_tcp(engine, neighbours, database)
    elif not database.reachable:
        yield (
            f"{engine} is installed, but root cannot log in through {engine.socket} to see whose"
            f" databases it has: start it, or let root@localhost log in by {engine.root_login}"
        )
    for site in environment.sites:
        yield from foreign_accounts(site, neighbours)
        yield from foreign_files(site, neighbours, manifest)
        yield from claimed_names(site, neighbours)
        yield from foreign_databases(site, database)
        yield from left_elsewhere(site, manifest)


def taken_ports(neighbours: Neighbours) -> Iterator[str]:
    taken = {
        (listener.port, owner(listener))
        for listener in neighbours.listeners
        if listener.port in map(str, WEB_PORTS["tcp"]) and listener.unit != NGINX
    }
    for port, process in sorted(taken):
        yield (
            f"port {port} is used by {process}, and nginx needs it: move that to another port, or"
            " behind nginx"
        )


def other_database_servers(environment: Environment, neighbours: Neighbours) -> Iterator[str]:
    engine = environment.server.engine
    setting = f"servers: {environment.server.name}: database: {{engine: …}}"
    others = sorted(name for name in neighbours.packages if not name.startswith(f"{engine}-"))
    if others:
        yield (
            f"{' and '.join(others)} would be removed for {engine.package}: declare the installed"
            f" engine in group_data/all.yml, {setting}"
        )
    for listener in neighbours.listeners:
        if listener.address == engine.socket and listener.unit != engine.unit:
            yield (
                f"{listener.address} is used by {owner(listener)}, and {engine.unit} needs it:"
                f" move that elsewhere, or declare its engine in group_data/all.yml, {setting}"
            )


def logins_by_tcp(engine: Engine, neighbours: Neighbours, database: DatabaseState) -> Iterator[str]:
    """Accounts of others that use the port of our server, which an earlier version opened."""
    listens = any(
        found.unit == engine.unit and found.port.isdigit() for found in neighbours.listeners
    )
    for account in sorted(database.by_tcp) if listens else ():
        yield (
            f"the database account {account} can log in by TCP, but {engine} will listen only on"
            f" {engine.socket}: let its program use that socket, with an account at localhost,"
            " and drop this account; for programs that support only TCP, see docs/hardening.md"
        )


def owner(listener: Listener) -> str:
    if not listener.process:
        return "a process that is not visible from here"
    unit = f" of {listener.unit}" if listener.unit else ""
    return f"{listener.process} (process {listener.pid}{unit})"


def foreign_accounts(site: Site, neighbours: Neighbours) -> Iterator[str]:
    for name, own_home in Services(site.name).users.items():
        home = neighbours.users.get(name)
        if home is not None and home != own_home:
            yield f"the user {name} has the home {home}, not {own_home}: {another_name(site)}"
        group = neighbours.groups.get(name)
        # A run that ended before it added the user leaves an empty system group.
        if group and home != own_home and (group.members or group.gid >= FIRST_LOGIN_GID):
            members = f" has the members {', '.join(group.members)}" if group.members else " exists"
            yield f"the group {name}{members}: {another_name(site)}"


def foreign_files(site: Site, neighbours: Neighbours, manifest: Manifest) -> Iterator[str]:
    home = neighbours.homes.get(site.home)
    if home and not made_by_us(site, home, manifest):
        yield (
            f"{site.home} is a {home.kind} of {home.owner}, not a directory of root:{site.name}:"
            f" {another_name(site)}, or move it away"
        )
    for path in Services(site.name).files:
        if neighbours.files.get(path) is False:
            yield f"{path} already exists: {another_name(site)}, or move it away"
    webroot = neighbours.lineages.get(site.name)
    if webroot is not None and webroot != ACME_WEBROOT:
        yield (
            f"certbot renews a certificate {site.name} that is not ours"
            f" (/etc/letsencrypt/renewal/{site.name}.conf): {another_name(site)}, or remove it with"
            f" `certbot delete --cert-name {site.name}` when no vhost uses it"
        )


def made_by_us(site: Site, home: Home, manifest: Manifest) -> bool:
    """A recorded home is ours whoever owns it now. A run that ended before it changed the owner
    leaves an empty directory of root."""
    return home.kind == "directory" and (
        site.home in manifest.own.all_paths
        or home.owner == f"root:{site.name}"
        or (home.owner == "root:root" and home.empty)
    )


def claimed_names(site: Site, neighbours: Neighbours) -> Iterator[str]:
    """nginx prefers exact names, so wildcards and regular expressions are no conflict."""
    for vhost in neighbours.vhosts:
        claimed = sorted(set(site.domains) & {name.removeprefix(".") for name in vhost.names})
        if claimed:
            yield (
                f"{vhost.path} serves {' and '.join(claimed)}: remove the name from its"
                f" server_name, or from {site.key} in group_data/{site.environment}.yml"
            )


def foreign_databases(site: Site, database: DatabaseState) -> Iterator[str]:
    """Taking them over would change the passwords and rights of whoever uses them."""
    foreign = [
        f"the account {user}"
        for user in site.database.users
        if user in database.accounts and user not in database.option_files
    ]
    if site.database.name in database.schemas and site.database.user not in database.option_files:
        foreign.insert(0, f"the database {site.database.name}")
    if foreign:
        logins = " and ".join(database_login(user) for user in site.database.users)
        yield (
            f"{' and '.join(foreign)} already {'exists' if len(foreign) == 1 else 'exist'}: declare"
            f" another name and user for {site.key} in group_data/{site.environment}.yml, or, to"
            f" hand it over, create {logins} as empty files; passwords and rights are then changed"
            " to the declared ones"
        )


def left_elsewhere(site: Site, manifest: Manifest) -> Iterator[str]:
    """A site that moved here from another environment, which still has it."""
    environments = {manifest.owner(database_login(user)) for user in site.database.users} - {""}
    for name in sorted(environments):
        yield (
            f"{name} still has the logins of {site.database.user}: run inventories/{name}.py first"
            " to remove them there, or declare another user"
        )


def another_name(site: Site) -> str:
    return f"rename {site.key} in group_data/{site.environment}.yml"
