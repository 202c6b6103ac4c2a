"""nginx: what all sites share, a catch-all, and a vhost for each site."""

from __future__ import annotations

from collections.abc import Mapping

from pyinfra.api.deploy import deploy

from stagecraft.facts.machine import Machine
from stagecraft.htpasswd import htpasswd_lines
from stagecraft.operations import files
from stagecraft.operations.files import Check
from stagecraft.operations.nginx import RELOAD
from stagecraft.operations.nodes import Absent, Directory, File, Link, Node
from stagecraft.operations.services import running
from stagecraft.paths import ACME_WEBROOT, CERTIFICATES, certificate, htpasswd, php_socket
from stagecraft.render import file
from stagecraft.secrets import Secret
from stagecraft.settings import Environment, Site

SNIPPETS = "/etc/nginx/snippets/stagecraft"

WELCOME_PAGE = "ce0901350a021608139b5639cf4ccd7717bef8c3a9e4f79031eb46386b67b03f"
"""The sum of sites-available/default as Debian 12 and 13 ship it; an edited one is a vhost."""


@deploy("nginx")
def nginx(
    environment: Environment, machine: Machine, secrets: Mapping[str, Mapping[str, Secret]]
) -> None:
    vhosts = [
        node for site in environment.sites for node in vhost(site, machine, secrets[site.key])
    ]
    written = files.tree(
        name="Write /etc/nginx",
        tree="nginx",
        nodes=[*shared(machine), *vhosts],
        check=Check("nginx -t", "nginx -t -q", ("/etc/nginx",)),
    )
    running(
        name="Run nginx",
        unit="nginx.service",
        watched=["/etc/nginx", CERTIFICATES, *(f"{certificate(s)}/" for s in environment.sites)],
        after=[written],
        refresh=RELOAD,
    )


def shared(machine: Machine) -> list[Node]:
    return [
        Directory("/var/lib/stagecraft"),
        Directory(ACME_WEBROOT),
        Directory("/etc/nginx/stagecraft", group="www-data", mode="750"),
        Directory(SNIPPETS),
        file(f"{SNIPPETS}/tls.conf", "nginx/tls.conf.j2", machine=machine),
        file(
            f"{SNIPPETS}/acme-challenge.conf",
            "nginx/acme-challenge.conf.j2",
            acme_webroot=ACME_WEBROOT,
        ),
        file(f"{SNIPPETS}/fastcgi.conf", "nginx/fastcgi.conf.j2"),
        file("/etc/nginx/conf.d/stagecraft.conf", "nginx/stagecraft.conf.j2"),
        file(
            "/etc/nginx/sites-available/catch-all.conf", "nginx/catch-all.conf.j2", machine=machine
        ),
        enabled("catch-all"),
        # Debian's welcome page claims to be the default server, and so does the catch-all.
        Absent("/etc/nginx/sites-enabled/default", sha256=WELCOME_PAGE),
    ]


def vhost(site: Site, machine: Machine, secrets: Mapping[str, Secret]) -> list[Node]:
    return [
        *passwords(site, secrets),
        file(
            f"/etc/nginx/sites-available/{site.name}.conf",
            "nginx/site.conf.j2",
            site=site,
            machine=machine,
            certificate=certificate(site),
            htpasswd=htpasswd(site),
            socket=php_socket(site),
        ),
        enabled(site.name),
    ]


def enabled(name: str) -> Link:
    return Link(f"/etc/nginx/sites-enabled/{name}.conf", f"../sites-available/{name}.conf")


def passwords(site: Site, secrets: Mapping[str, Secret]) -> list[File]:
    if not site.protect.basic_auth:
        return []
    text = htpasswd_lines(site, secrets)
    return [File(htpasswd(site), text, group="www-data", mode="640", secret=True)]
