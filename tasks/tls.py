"""TLS certificates: self-signed at first, then the issuer's."""

from pathlib import Path

from pyinfra.api.deploy import deploy
from pyinfra.api.operation import OperationMeta

from stagecraft.operations import certificates, files
from stagecraft.operations.certificates import Lineage
from stagecraft.operations.nodes import Directory, File, Node
from stagecraft.operations.services import RELOAD_NGINX, known, reloaded, running
from stagecraft.paths import ACME_CA_DIRECTORY, CERTIFICATES, SELF_SIGNED
from stagecraft.render import file
from stagecraft.run import this_run
from stagecraft.services import CERTBOT, NGINX, Nginx, unit_file
from stagecraft.settings import Environment, Site

RELOAD_HOOK = "/etc/letsencrypt/renewal-hooks/deploy/stagecraft-reload-nginx"
CERTBOT_OVERRIDE = f"{unit_file('certbot.service')}.d"


@deploy("Initial certificates")
def first_certificates() -> list[OperationMeta]:
    """Certificates that nginx needs to start, before a CA can be asked. Returns the operations that
    change them."""
    environment = this_run().environment
    files.tree(
        name=f"Make {CERTIFICATES}",
        tree="certificates",
        nodes=[
            Directory(SELF_SIGNED, mode="700"),
            Directory(CERTIFICATES, mode="700"),
        ],
    )
    return [
        certificates.served(
            name=f"Point {Nginx(site.name).certificate} at a certificate",
            lineage=lineage(site, environment),
        )
        for site in environment.sites
    ]


@deploy("Certificates from the ACME CA")
def acme_certificates() -> None:
    """Runs once nginx answers challenges. If the CA refuses, the site keeps its certificate."""
    environment, sites = this_run().environment, []
    for site in environment.sites:
        if lineage(site, environment).directory:
            sites.append(site)
        else:
            certificates.given_up(
                name=f"Stop renewing the certificate of {site.name}",
                lineage=lineage(site, environment),
            )
    hooks = renewal(environment) if sites else []
    written = files.tree(name="Write certbot's hooks", tree="certbot", nodes=hooks)
    if not sites:
        return
    known(
        name="Make systemd read certbot's service",
        unit="certbot.service",
        unit_files=[CERTBOT_OVERRIDE],
        after=[written],
    )
    running(name="Run certbot's timer", unit=CERTBOT)
    issued = [
        certificates.issued(
            name=f"Request the certificate of {site.name} from {site.tls.issuer}",
            lineage=lineage(site, environment),
        )
        for site in sites
    ]
    reloaded(
        name="Reload nginx with its certificates",
        unit=NGINX,
        watched=[CERTIFICATES, *(f"{Nginx(site.name).certificate}/" for site in sites)],
        after=issued,
        refresh=RELOAD_NGINX,
    )


def lineage(site: Site, environment: Environment) -> Lineage:
    issuer = environment.issuers[site.tls.issuer]
    return Lineage(
        name=site.name,
        domains=tuple(site.domains),
        self_signed=f"{SELF_SIGNED}/{site.name}",
        link=Nginx(site.name).certificate,
        directory=issuer.directory or "",
        email=site.tls.email or "",
        private_ca=issuer.ca_bundle is not None,
    )


def renewal(environment: Environment) -> list[Node]:
    hooks: list[Node] = [
        Directory("/etc/letsencrypt"),
        Directory("/etc/letsencrypt/renewal-hooks"),
        Directory("/etc/letsencrypt/renewal-hooks/deploy"),
        file(RELOAD_HOOK, "certbot/reload-nginx.sh.j2", mode="755"),
    ]
    return hooks + private_cas(environment)


def private_cas(environment: Environment) -> list[Node]:
    """The CA bundles of the declared issuers, and certbot's trust in them."""
    used = {site.tls.issuer for site in environment.sites}
    bundles: list[Node] = [
        File(f"{ACME_CA_DIRECTORY}/{name}.pem", Path(issuer.ca_bundle).read_text())
        for name, issuer in environment.issuers.items()
        if name in used and issuer.ca_bundle
    ]
    if not bundles:
        return []
    return [
        Directory("/etc/stagecraft"),
        Directory(ACME_CA_DIRECTORY),
        *bundles,
        Directory(CERTBOT_OVERRIDE),
        file(
            f"{CERTBOT_OVERRIDE}/stagecraft.conf",
            "certbot/trust-private-cas.conf.j2",
            directory=ACME_CA_DIRECTORY,
        ),
    ]
