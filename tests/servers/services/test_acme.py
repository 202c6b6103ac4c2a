"""Certificates from a real ACME CA: certbot 2.1 on Debian 12 and 4.0 on Debian 13."""

from __future__ import annotations

from typing import Any

import pytest
from pebble import REFUSED, Pebble
from provisioned import Provisioned
from web import Web

DOMAIN = "staging.askpro.test"


@pytest.fixture(params=["bookworm", "mysql"])
def host(request: pytest.FixtureRequest, pebble: Pebble) -> Provisioned:
    """Both have the same names: DNS leads to the one under test."""
    host: Provisioned = request.getfixturevalue(request.param)
    pebble.resolve(host.site().domains, host.server.address)
    return host


def served(host: Provisioned, pebble: Pebble, name: str = DOMAIN) -> str:
    """The serial number of the certificate that nginx serves, trusted through the CA's root."""
    with Web(host.server.address, pebble.root).handshake(name) as connection:
        certificate = connection.getpeercert()
    assert certificate
    return str(certificate["serialNumber"])


def test_one_run_on_a_bare_server_ends_with_a_trusted_certificate(
    host: Provisioned, pebble: Pebble
) -> None:
    assert served(host, pebble)
    assert served(host, pebble, f"www.{DOMAIN}")


def test_renewal_is_certbots_own_timer_and_reaches_nginx(host: Provisioned, pebble: Pebble) -> None:
    """The private CA is trusted at renewal too, and the hook has nginx take the new one up."""
    before = served(host, pebble)
    assert host.ssh("systemctl is-active certbot.timer; systemctl is-enabled certbot.timer") == (
        "active\nenabled"
    )
    host.ssh("systemctl start certbot.service", timeout=180)
    after = served(host, pebble)
    assert after != before
    assert host.project.plan("staging") == []


def test_an_added_alias_is_issued_and_a_removed_one_dropped(
    host: Provisioned, pebble: Pebble
) -> None:
    added = f"beta.{DOMAIN}"
    pebble.resolve([added], host.server.address)
    expected = [
        "nginx | Write the vhost of askpro-staging",
        "nginx | Run nginx: reload",
        "Certificates from the ACME CA | Request the certificate of askpro-staging from pebble",
        "Certificates from the ACME CA | Reload nginx with its certificates",
        "Manifest | Record what staging consists of",
    ]
    with host.project.edited("staging", also(added)):
        assert host.project.plan("staging") == expected
        assert host.project.apply("staging")[:3] == expected[:3]
    assert served(host, pebble, added) == served(host, pebble)
    host.project.apply("staging")
    with pytest.raises(OSError):
        served(host, pebble, added)
    assert host.project.plan("staging") == []


def also(name: str) -> dict[str, Any]:
    """Settings with one more name of the site's."""
    return {"sites": {"askpro": {"aliases": [f"www.{DOMAIN}", name]}}}


def test_a_name_that_does_not_lead_here_is_found_before_the_ca_is_asked(
    host: Provisioned, pebble: Pebble
) -> None:
    elsewhere = f"elsewhere.{DOMAIN}"
    pebble.resolve([elsewhere], pebble.server.address)
    serial = served(host, pebble)
    with host.project.edited("staging", also(elsewhere)):
        run = host.project.pyinfra("staging", "-y")
    assert run.code == 1
    assert f"http://{elsewhere}/" in run.output
    assert f"point {elsewhere} in DNS" in run.output
    assert served(host, pebble) == serial
    assert host.web.get(f"https://{DOMAIN}/health").status == 200
    host.project.apply("staging")
    assert host.project.plan("staging") == []


def test_certbot_gives_up_what_becomes_self_signed(bookworm: Provisioned) -> None:
    self_signed = {"sites": {"shop": {"tls": {"issuer": "selfsigned"}}}}
    with bookworm.project.edited("staging", self_signed):
        changed = bookworm.project.apply("staging")
        assert bookworm.project.plan("staging") == []
    assert any(name.endswith("Stop renewing the certificate of shop-staging") for name in changed)
    assert "shop" not in bookworm.ssh("ls /etc/letsencrypt/renewal /etc/letsencrypt/live")
    bookworm.project.apply("staging")


# --- The CA is down, or refuses ---


def test_a_refusal_leaves_the_site_its_certificate(bookworm: Provisioned, pebble: Pebble) -> None:
    pebble.resolve([REFUSED, *bookworm.site().domains], bookworm.server.address)
    serial = served(bookworm, pebble)
    with bookworm.project.edited("staging", also(REFUSED)):
        run = bookworm.project.pyinfra("staging", "-y")
    assert run.code == 1
    assert "askpro-staging keeps its present certificate" in run.output
    assert served(bookworm, pebble) == serial
    assert bookworm.web.get("https://shop.test/health").status == 200
    bookworm.project.apply("staging")
    assert bookworm.project.plan("staging") == []


def test_without_the_ca_a_new_site_starts_on_a_self_signed_certificate_and_says_so(
    bookworm: Provisioned, pebble: Pebble
) -> None:
    name = "preview.askpro.test"
    bookworm.project.write(
        preview={
            "server": bookworm.server.name,
            "sites": {"app": {"domain": name, "tls": {"issuer": "pebble"}}},
        }
    )
    pebble.resolve([name], bookworm.server.address)
    bookworm.ssh(f"ip route add unreachable {pebble.server.address}")
    run = bookworm.project.pyinfra("preview", "-y")
    assert run.code == 1
    assert "app-preview keeps a self-signed certificate, and the next run tries again" in run.output
    assert bookworm.web.get(f"https://{name}/health").status == 200
    assert bookworm.web.get(f"https://{DOMAIN}/health").status == 200
    bookworm.ssh(f"ip route del unreachable {pebble.server.address}")
    bookworm.project.apply("preview")
    assert served(bookworm, pebble, name)
    assert bookworm.project.plan("preview") == []
