"""A site's certificates: self-signed, certbot's, and the one that nginx uses."""

import re
import shlex
from dataclasses import dataclass

from stagecraft.facts.reading import Fact

SELF_SIGNED_MARGIN = 30 * 86400
"""In seconds. A self-signed certificate with less time left is replaced."""


@dataclass(frozen=True)
class Certificate:
    """A certificate file. `expiring` means within `SELF_SIGNED_MARGIN` for self-signed ones,
    expired for certbot's; `server` is the ACME directory from which certbot renews it."""

    names: frozenset[str]
    expiring: bool = False
    server: str = ""


@dataclass(frozen=True)
class Certificates:
    """A site's certificates; None for missing ones. `served` is the target of the link in the
    vhost."""

    self_signed: Certificate | None = None
    certbot: Certificate | None = None
    served: str = ""


def parse_certificates(lines: list[str]) -> Certificates:
    """Reads `key value` lines."""
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

    Arguments: the directory of the self-signed one, certbot's lineage name, and the link in the
    vhost.
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
    """The command that prints the names and expiry of `directory`/fullchain.pem."""
    path = shlex.quote(f"{directory}/fullchain.pem")
    names = f"openssl x509 -in {path} -noout -ext subjectAltName | tail -n 1"
    return (
        f"if [ -e {path} ]; then echo {kind}-names $({names});"
        f" openssl x509 -in {path} -noout -checkend {margin} >/dev/null"
        f" || echo {kind}-expiring yes; fi 2>/dev/null"
    )
