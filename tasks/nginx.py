"""nginx: shared configuration, a catch-all, and a vhost for each site."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pyinfra import logger
from pyinfra.api.deploy import deploy
from pyinfra.api.operation import OperationMeta
from pyinfra.context import host

from stagecraft.facts.machine import Machine
from stagecraft.facts.neighbours import Neighbours, Vhost
from stagecraft.htpasswd import htpasswd_lines
from stagecraft.operations import files
from stagecraft.operations.files import Checker, Written
from stagecraft.operations.nodes import Absent, Directory, File, Link, Node
from stagecraft.operations.services import RELOAD_NGINX, running
from stagecraft.paths import ACME_WEBROOT, CERTIFICATES
from stagecraft.render import file
from stagecraft.run import this_run
from stagecraft.secrets import Secret
from stagecraft.services import NGINX, Nginx, PhpFpm
from stagecraft.settings import Site

SNIPPETS = "/etc/nginx/snippets/stagecraft"

CATCH_ALL = "/etc/nginx/sites-available/stagecraft-catch-all.conf"

WELCOME_PAGE = "ce0901350a021608139b5639cf4ccd7717bef8c3a9e4f79031eb46386b67b03f"
"""The sum of sites-available/default as Debian 12 and 13 ship it; an edited one is a vhost."""


NGINX_TEST = Checker("nginx -t", "nginx -t -q", ("/etc/nginx",), unit=NGINX)


@deploy("nginx")
def nginx() -> Written:
    """Configuration that all sites share."""
    machine, neighbours = this_run().machine, this_run().neighbours
    return files.tree(
        name="Write shared configuration in /etc/nginx",
        tree="nginx",
        nodes=[*shared(machine, neighbours), *default_server(machine, neighbours)],
        check=NGINX_TEST,
    )


@deploy("nginx")
def vhost(site: Site) -> Written:
    run = this_run()
    ipv6 = run.machine.ipv6 and ipv6_beside(answering(run.neighbours))
    return files.tree(
        name=f"Write the vhost of {site.name}",
        tree="nginx",
        site=site.name,
        nodes=vhost_files(site, replace(run.machine, ipv6=ipv6), run.secrets[site.key]),
        check=NGINX_TEST,
    )


@deploy("nginx")
def removed_vhosts() -> list[Written]:
    """Removes the vhosts of undeclared sites, so that nginx stops using them."""
    written = []
    for name in this_run().manifest.removed_sites():
        written.append(
            files.tree(
                name=f"Remove the vhost of {name}",
                tree="nginx",
                site=name,
                nodes=[],
                check=NGINX_TEST,
            )
        )
    return written


@deploy("nginx")
def run_nginx(written: Sequence[Written | OperationMeta]) -> None:
    running(
        name="Run nginx",
        unit=NGINX,
        watched=read_by_nginx(),
        after=written,
        refresh=RELOAD_NGINX,
    )


def read_by_nginx() -> list[str]:
    sites = this_run().environment.sites
    return ["/etc/nginx", CERTIFICATES, *(f"{Nginx(site.name).certificate}/" for site in sites)]


def shared(machine: Machine, neighbours: Neighbours) -> list[Node]:
    return [
        Directory(ACME_WEBROOT),
        Directory("/etc/nginx/stagecraft", group="www-data", mode="750"),
        Directory(SNIPPETS),
        file(f"{SNIPPETS}/tls.conf", "nginx/tls.conf.j2", machine=machine),
        file(
            f"{SNIPPETS}/acme-challenge.conf",
            "nginx/acme-challenge.conf.j2",
            acme_webroot=ACME_WEBROOT,
        ),
        file(f"{SNIPPETS}/fastcgi.conf", "nginx/fastcgi.conf.j2", script="/index.php"),
        file(
            f"{SNIPPETS}/fastcgi-files.conf",
            "nginx/fastcgi.conf.j2",
            script="$fastcgi_script_name",
        ),
        file(f"{SNIPPETS}/dot-segments.conf", "nginx/dot-segments.conf.j2"),
        file(f"{SNIPPETS}/slow-clients.conf", "nginx/slow-clients.conf.j2"),
        file(
            "/etc/nginx/conf.d/stagecraft.conf",
            "nginx/stagecraft.conf.j2",
            names_hash_bucket=neighbours.names_hash_bucket,
        ),
    ]


def default_server(machine: Machine, neighbours: Neighbours) -> list[Node]:
    """Answers unknown names, unless existing vhosts of others already do."""
    others = answering(neighbours)
    if others:
        paths = " and ".join(vhost.path for vhost in others)
        logger.info(f"{host.print_prefix}{paths} answers unknown names: no catch-all is installed")
        return []
    return [
        file(CATCH_ALL, "nginx/catch-all.conf.j2", machine=machine),
        enabled("stagecraft-catch-all"),
        # Debian's welcome page claims to be the default server, and so does the catch-all.
        Absent("/etc/nginx/sites-enabled/default", sha256=WELCOME_PAGE),
    ]


def answering(neighbours: Neighbours) -> list[Vhost]:
    """Vhosts of others that may answer unknown names; none if our catch-all does."""
    if neighbours.files.get(CATCH_ALL):
        return []
    return [v for v in neighbours.vhosts if v.sha256 != WELCOME_PAGE and web_addresses(v)]


def ipv6_beside(others: Sequence[Vhost]) -> bool:
    """Whether all of them also listen on IPv6. If one does not, ours must not either: it would
    answer its clients, which now fall back to IPv4."""
    addresses = {address for vhost in others for address in web_addresses(vhost)}
    return {f"[::]:{address.rpartition(':')[2]}" for address in addresses} <= addresses


def web_addresses(vhost: Vhost) -> list[str]:
    return [address for address in vhost.addresses if address.endswith((":80", ":443"))]


def vhost_files(site: Site, machine: Machine, secrets: Mapping[str, Secret]) -> list[Node]:
    service = Nginx(site.name)
    return [
        *passwords(site, secrets),
        file(
            service.vhost,
            "nginx/site.conf.j2",
            site=site,
            machine=machine,
            certificate=service.certificate,
            htpasswd=service.htpasswd,
            socket=PhpFpm(site.name).socket,
            maintenance=service.maintenance,
        ),
        enabled(site.name),
    ]


def enabled(name: str) -> Link:
    """Sorted last: without a default server, nginx's first vhost answers unknown names, and that
    must not become one of ours."""
    return Link(f"/etc/nginx/sites-enabled/zz-{name}.conf", f"../sites-available/{name}.conf")


def passwords(site: Site, secrets: Mapping[str, Secret]) -> list[File]:
    if not site.protect.basic_auth:
        return []
    text = htpasswd_lines(site, secrets)
    return [File(Nginx(site.name).htpasswd, text, group="www-data", mode="640", secret=True)]
