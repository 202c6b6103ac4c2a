"""Which certificate a site has: the self-signed one, certbot's, and the one nginx is given."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from stagecraft.facts.reading import Fact

SELF_SIGNED_MARGIN = 30 * 86400
"""A self-signed certificate is made anew when less than this is left of it; in seconds."""


@dataclass(frozen=True)
class Certificate:
    """A certificate file. `expiring` means within `SELF_SIGNED_MARGIN` where nobody renews it,
    expired where certbot does; `server` is the ACME directory that certbot renews it from."""

    names: frozenset[str]
    expiring: bool = False
    server: str = ""


@dataclass(frozen=True)
class Certificates:
    """The site's certificates; None where there is none. `served` is the target of the link that
    the vhost names."""

    self_signed: Certificate | None = None
    certbot: Certificate | None = None
    served: str = ""


def parse_certificates(lines: list[str]) -> Certificates:
    """Reads the `key value` lines of `CertificatesFact.command`."""
    values: dict[str, str] = {}
    for line in lines:
        key, _, value = line.strip().partition(" ")
        values[key] = value
    return Certificates(
        self_signed=parse_certificate("self-signed", values),
        certbot=parse_certificate("certbot", values),
        served=values.get("served", ""),
    )


def parse_certificate(kind: str, values: dict[str, str]) -> Certificate | None:
    if f"{kind}-names" not in values:
        return None
    names = re.findall(r"DNS:([^,\s]+)", values[f"{kind}-names"])
    return Certificate(
        names=frozenset(names),
        expiring=values.get(f"{kind}-expiring") == "yes",
        server=values.get(f"{kind}-server", ""),
    )


class CertificatesFact(Fact[Certificates]):
    """The `Certificates` of one site.

    Arguments: the directory of the self-signed one, certbot's name of the lineage, and the link
    the vhost names.
    """

    parse = staticmethod(parse_certificates)

    def command(self, self_signed: str, lineage: str, link: str) -> str:
        live = f"/etc/letsencrypt/live/{lineage}"
        renewal = shlex.quote(f"/etc/letsencrypt/renewal/{lineage}.conf")
        return "; ".join(
            [
                f"echo served $(readlink {shlex.quote(link)})",
                examine("self-signed", self_signed, SELF_SIGNED_MARGIN),
                examine("certbot", live, 0),
                f"echo certbot-server $(sed -n 's/^server = //p' {renewal} 2>/dev/null)",
                "true",
            ]
        )


def examine(kind: str, directory: str, margin: int) -> str:
    """The command that prints the names and the expiry of `directory`/fullchain.pem."""
    path = shlex.quote(f"{directory}/fullchain.pem")
    names = f"openssl x509 -in {path} -noout -ext subjectAltName | tail -n 1"
    return (
        f"if [ -e {path} ]; then echo {kind}-names $({names});"
        f" openssl x509 -in {path} -noout -checkend {margin} >/dev/null"
        f" || echo {kind}-expiring yes; fi 2>/dev/null"
    )
