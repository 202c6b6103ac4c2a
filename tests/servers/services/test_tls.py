"""TLS as Mozilla's intermediate profile wants it."""

from __future__ import annotations

import ssl

import pytest
from provisioned import Provisioned

NAME = "staging.askpro.test"


def test_http2_is_offered_on_both_nginx_syntaxes(host: Provisioned) -> None:
    with host.web.handshake(NAME) as connection:
        assert connection.selected_alpn_protocol() == "h2"
        assert connection.version() == "TLSv1.3"


def test_tls_1_2_is_spoken_with_a_forward_secret_cipher(host: Provisioned) -> None:
    with host.web.handshake(NAME, maximum_version=ssl.TLSVersion.TLSv1_2) as connection:
        cipher = connection.cipher()
        assert cipher and cipher[0].startswith("ECDHE-ECDSA-")


def test_no_key_of_a_ticket_opens_what_was_said(host: Provisioned) -> None:
    """In TLS 1.2 a ticket holds the session's keys; in 1.3 it does where the server keeps none."""
    with host.web.handshake(NAME, maximum_version=ssl.TLSVersion.TLSv1_2) as connection:
        assert connection.session and not connection.session.has_ticket


def test_tls_1_1_is_refused(host: Provisioned) -> None:
    with pytest.raises((ssl.SSLError, OSError)), pytest.warns(DeprecationWarning):
        host.web.handshake(
            NAME,
            minimum_version=ssl.TLSVersion.TLSv1,
            maximum_version=ssl.TLSVersion.TLSv1_1,
        )


def test_the_self_signed_certificate_names_every_domain(trixie: Provisioned) -> None:
    with trixie.web.handshake(NAME) as connection:
        der = connection.getpeercert(binary_form=True)
    assert der
    pem = ssl.DER_cert_to_PEM_cert(der)
    text = trixie.ssh("openssl x509 -noout -text", input=pem)
    assert "DNS:staging.askpro.test, DNS:www.staging.askpro.test" in text
    assert "TLS Web Server Authentication" in text
    assert "prime256v1" in text


def test_keys_are_readable_by_root_alone(host: Provisioned) -> None:
    listing = host.ssh("stat -L -c '%U %a' /etc/ssl/stagecraft /etc/ssl/stagecraft/*/privkey.pem")
    assert set(listing.splitlines()) <= {"root 700", "root 600"}


def test_hybrid_key_exchange_where_openssl_has_it(host: Provisioned) -> None:
    new = host.server.suite == "trixie"
    assert host.succeeds("grep -q X25519MLKEM768: /etc/nginx/snippets/stagecraft/tls.conf") == new
