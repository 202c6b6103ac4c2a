"""The last step of `make demo`: shows that a throwaway server serves the local site."""

import http.client
import json
import socket
import ssl
import sys
from pathlib import Path
from typing import Any

from lab import Lab
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
  .venv/bin/pyinfra --dry inventories/local.py deploy.py    # nothing left to change
  make ssh
  make clean"""


def main(server_name: str) -> int:
    """Prints the site's certificate and health; returns 1 if it is not healthy."""
    domain = read("local").sites[0].domain
    try:
        address = Lab(Path(".stagecraft")).server(server_name).address
        trusting = trust_only(served_certificate(address, domain))
        certificate, status, answer = ask_health(address, domain, trusting)
    except (OSError, ValueError, http.client.HTTPException) as error:
        print(f"https://{domain} on {server_name} does not answer as it should: {error}")
        return 1
    names = {
        field: ", ".join(f"{key}={value}" for part in certificate[field] for key, value in part)
        for field in ("subject", "issuer")
    }
    about = {"domain": domain, "address": address, "until": certificate["notAfter"], **names}
    print(REPORT.format(**about, status=status, answer=json.dumps(answer)))
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


def ask_health(
    address: str, domain: str, context: ssl.SSLContext
) -> tuple[dict[str, Any], int, Any]:
    """The verified certificate, the status of /health and its JSON."""
    connection = http.client.HTTPConnection(domain, timeout=TIMEOUT)
    with _connect(address, domain, context) as connection.sock:
        certificate = connection.sock.getpeercert() or {}
        connection.request("GET", "/health")
        response = connection.getresponse()
        return certificate, response.status, json.load(response)


def _connect(address: str, domain: str, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection((address, 443), timeout=TIMEOUT)
    return context.wrap_socket(plain, server_hostname=domain)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
