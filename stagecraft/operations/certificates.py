"""A certificate for each site: self-signed at first, then the ACME CA's."""

import shlex
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from pyinfra import logger
from pyinfra.api.command import FunctionCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from stagecraft.facts.certificates import Certificate, Certificates, CertificatesFact
from stagecraft.operations.scripts import run_script, script
from stagecraft.paths import ACME_CA_DIRECTORY, ACME_WEBROOT, CERTIFICATES, SELF_SIGNED
from stagecraft.run import report_states
from stagecraft.seen import CompositeValue, State, Value

SELF_SIGNED_DAYS = 365
"""In days; Mozilla's guideline 6.0 allows less than 366."""

PROBE = "stagecraft-probe"
SELF_SIGN, REQUEST_CERTIFICATE = map(script, ("self_sign", "request_certificate"))


@dataclass(frozen=True)
class Lineage:
    """A site's certificate: certbot's name for it, its domains, and the paths of its files.
    `directory` is the ACME directory's URL, empty for a self-signed site; `private_ca` means that
    the CA is one of those in `ACME_CA_DIRECTORY`."""

    name: str
    domains: tuple[str, ...]
    self_signed: str
    link: str
    directory: str = ""
    email: str = ""
    private_ca: bool = False

    @property
    def live(self) -> str:
        return f"/etc/letsencrypt/live/{self.name}"

    def read(self) -> Certificates:
        fact: Certificates = host.get_fact(
            CertificatesFact, self_signed=self.self_signed, lineage=self.name, link=self.link
        )
        return fact

    def state(self, path: str, found: Certificate | None, by: str = "") -> State:
        return State("certificate", path, Issued(frozenset(self.domains), by), found_of(found))


@dataclass(frozen=True)
class Issued(CompositeValue):
    """A certificate without its lifetime, which the drift check examines separately. `by` is the
    ACME directory, empty for a self-signed one."""

    names: frozenset[str]
    by: str = ""

    def __str__(self) -> str:
        issuer = f", by {self.by}" if self.by else ""
        return f"for {', '.join(sorted(self.names))}{issuer}"


def found_of(certificate: Certificate | None) -> Value:
    return Issued(certificate.names, certificate.server) if certificate else ""


@operation()
def served(lineage: Lineage) -> Generator[StringCommand]:
    """Ensures that the vhost's link leads to a certificate: certbot's if it exists and the site
    uses an ACME CA, else a self-signed one with all names and at least 30 days left."""
    present = lineage.read()
    target = lineage.live if lineage.directory and present.certbot else lineage.self_signed
    lasting = State("link", lineage.link, target, present.served)
    # For a site with a CA, the self-signed one is temporary and not declared; `issued` reports.
    own = lineage.state(lineage.self_signed, present.self_signed)
    report_states(*([] if lineage.directory else [own, lasting]))
    if target == lineage.self_signed and not good(own, present.self_signed):
        yield make_self_signed(lineage)
    if present.served != target:
        yield point(lineage.link, target)


def good(state: State, certificate: Certificate | None) -> bool:
    """Whether it is for exactly the site's names, from the declared CA, and not about to expire."""
    return state.as_declared and certificate is not None and not certificate.expiring


def make_self_signed(lineage: Lineage) -> StringCommand:
    names = ",".join(f"DNS:{domain}" for domain in lineage.domains)
    return run_script(SELF_SIGN, lineage.self_signed, str(SELF_SIGNED_DAYS), lineage.name, names)


def point(link: str, target: str) -> StringCommand:
    link, target = shlex.quote(link), shlex.quote(target)
    return StringCommand(f"ln -sfn {target} {link}.new && mv -fT {link}.new {link}")


@operation()
def issued(lineage: Lineage) -> Generator[StringCommand | FunctionCommand]:
    """Ensures that certbot has and renews a certificate of the declared ACME directory for exactly
    the site's names, and that nginx uses it.

    First probes each name from here as the CA would, because Let's Encrypt allows only five failed
    validations an hour. If the probe or the CA's validation fails, the site keeps its certificate.
    """
    present = lineage.read()
    current = present.certbot
    state = lineage.state(lineage.live, current, by=lineage.directory)
    report_states(state, State("link", lineage.link, lineage.live, present.served))
    if not good(state, current):
        yield StringCommand(place_probe(lineage))
        yield FunctionCommand(challenges_reachable, (lineage.domains, lineage.name), {})
        yield request(lineage, current)
    if present.served != lineage.live:
        yield point(lineage.link, lineage.live)


@operation()
def given_up(lineage: Lineage) -> Generator[StringCommand]:
    """Ensures that certbot no longer renews the certificate of a site that is now self-signed: the
    renewal would eventually fail, and hide other failures."""
    present = lineage.read()
    report_states(State("certificate", lineage.live, "", found_of(present.certbot)))
    if present.certbot:
        yield forgotten(lineage.name)


def forgotten(name: str) -> StringCommand:
    return StringCommand(f"certbot delete --quiet --non-interactive --cert-name {name}")


@operation()
def withdrawn(site: str) -> Generator[StringCommand]:
    """Ensures that a site has no certificate, and that certbot renews none for it."""
    lineage = Lineage(site, (), f"{SELF_SIGNED}/{site}", f"{CERTIFICATES}/{site}")
    present = lineage.read()
    held = "there" if present.certbot or present.served or present.self_signed else ""
    report_states(State("certificate", site, "", held))
    if present.certbot:
        yield forgotten(site)
    if present.served or present.self_signed:
        yield StringCommand(
            f"rm -rf {lineage.link} {lineage.self_signed} {lineage.self_signed}.??????"
        )


def place_probe(lineage: Lineage) -> str:
    directory = f"{ACME_WEBROOT}/.well-known/acme-challenge"
    return (
        f"umask 022; mkdir -p {directory}"
        f" && echo {shlex.quote(lineage.name)} > {directory}/{PROBE}-{lineage.name}"
    )


def challenges_reachable(state: Any, host: Any, domains: Sequence[str], name: str) -> bool:
    """Whether every name answers the probe over HTTP from here; logs those that do not. pyinfra
    passes `state` and `host` by name."""
    problems = [text for domain in domains if (text := probe_problem(domain, name))]
    for problem in problems:
        logger.error(f"{host.print_prefix}{problem}")
    return not problems


def probe_problem(domain: str, name: str) -> str:
    url = f"http://{domain}/.well-known/acme-challenge/{PROBE}-{name}"
    try:
        with urlopen(url, timeout=10) as response:
            answer = response.read(1024).decode(errors="replace").strip()
    except (URLError, OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        return (
            f"{url} cannot be reached ({reason}): point {domain} in DNS at this server and open"
            " port 80; no certificate was requested"
        )
    if answer != name:
        return f"another server answers {url}: point {domain} in DNS at this one"
    return ""


def request(lineage: Lineage, current: Certificate | None) -> StringCommand:
    cas = ACME_CA_DIRECTORY if lineage.private_ca else ""
    kept = "its present certificate" if current else "a self-signed certificate"
    refused = (
        f"{lineage.directory} issued no certificate: {lineage.name} keeps {kept}, and the next run"
        " tries again"
    )
    return run_script(REQUEST_CERTIFICATE, cas, refused, *certbot_arguments(lineage, current))


def certbot_arguments(lineage: Lineage, current: Certificate | None) -> list[str]:
    """Uses `certonly --webroot`: the nginx plugin would edit files that we manage."""
    # With unchanged names, certbot would keep one from another CA or an expired one.
    forced = current is not None and (current.server != lineage.directory or current.expiring)
    return [
        "certonly", "--non-interactive", "--agree-tos", "--quiet",
        "--webroot", "--webroot-path", ACME_WEBROOT,
        "--cert-name", lineage.name, "--key-type", "ecdsa", "--elliptic-curve", "secp256r1",
        "--server", lineage.directory, "--renew-with-new-domains",
        *(["--email", lineage.email] if lineage.email else ["--register-unsafely-without-email"]),
        *["--force-renewal"] * forced,
        *(word for domain in lineage.domains for word in ("--domain", domain)),
    ]  # fmt: skip
