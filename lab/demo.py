"""The last step of `make demo`: releases to a throwaway server's local site, and shows that it
serves."""

import http.client
import socket
import ssl
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lab import Lab, demo_releases
from stagecraft.settings import read

TIMEOUT = 10  # seconds

REPORT = """
URL           https://{domain} at {address}
Subject       {subject}
Issuer        {issuer}
Valid until   {until}
GET /health   {status} {answer}

Next:
  curl --insecure --resolve {domain}:443:{address} https://{domain}/
  .venv/bin/stagecraft releases local                       # what was released when, and by whom
  .venv/bin/pyinfra --dry inventories/local.py deploy.py    # nothing left to change
  make ssh
  make clean"""


@dataclass
class Visitor:
    """Asks the domain at this address, and from then on trusts only the certificate that it
    presented first."""

    address: str
    domain: str

    @cached_property
    def trusting(self) -> ssl.SSLContext:
        return trust_only(served_certificate(self.address, self.domain))

    def get(self, path: str) -> tuple[dict[str, Any], int, str]:
        """The verified certificate, the status and the body."""
        connection = http.client.HTTPConnection(self.domain, timeout=TIMEOUT)
        with _connect(self.address, self.domain, self.trusting) as connection.sock:
            certificate = connection.sock.getpeercert() or {}
            connection.request("GET", path)
            response = connection.getresponse()
            return certificate, response.status, response.read().decode().strip()


def main(server_name: str) -> int:
    """Prints the site's certificate and health; returns 1 if it is not healthy."""
    site = read("local").sites[0]
    try:
        visitor = Visitor(Lab(Path(".stagecraft")).server(server_name).address, site.domain)
        if demo_releases.released_from_here(site):
            demo_releases.show(lambda: visitor.get("/")[2])
        certificate, status, answer = visitor.get("/health")
    except subprocess.CalledProcessError:
        return 1
    except (OSError, ValueError, http.client.HTTPException) as error:
        print(f"https://{site.domain} on {server_name} does not answer as it should: {error}")
        return 1
    names = {
        field: ", ".join(f"{key}={value}" for part in certificate[field] for key, value in part)
        for field in ("subject", "issuer")
    }
    about = {"domain": site.domain, "address": visitor.address, "until": certificate["notAfter"]}
    print(REPORT.format(**about, **names, status=status, answer=answer))
    return 0 if status == 200 else 1


def served_certificate(address: str, domain: str) -> str:
    """The certificate (PEM) that the server presents for the domain."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with _connect(address, domain, context) as connection:
        return ssl.DER_cert_to_PEM_cert(connection.getpeercert(binary_form=True) or b"")


def trust_only(certificate: str) -> ssl.SSLContext:
    """A context that accepts only this certificate, for the names in it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=certificate)
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    return context


def _connect(address: str, domain: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection((address, 443), timeout=TIMEOUT)
    return context.wrap_socket(plain, server_hostname=domain)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
