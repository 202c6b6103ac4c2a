"""A site's certificates: self-signed, certbot's, and the one that nginx uses."""

import re
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
    """A site's certificates; None for missing ones. `served` is the target of the vhost's link."""

    self_signed: Certificate | None = None
    certbot: Certificate | None = None
    served: str = ""


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
    """The `Certificates` of one site. Arguments: the directory of the self-signed one, certbot's
    lineage name, and the link in the vhost."""

    def command(self, self_signed: str, lineage: str, link: str) -> str:
        margin = str(SELF_SIGNED_MARGIN)
        return self.script(self_signed=self_signed, lineage=lineage, link=link, margin=margin)

    def process(self, output: list[str]) -> Certificates:
        values = {key: value for key, _, value in (line.partition(" ") for line in output)}
        return Certificates(
            self_signed=parse_certificate("self-signed", values),
            certbot=parse_certificate("certbot", values),
            served=values.get("served", ""),
        )
