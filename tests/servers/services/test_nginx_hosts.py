"""A request has one name: nginx chooses the site by it, and the app is told no other."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest
from provisioned import LONGEST_DOMAIN, Provisioned

SHOP, ALIAS, EVIL = "shop.test", "www.staging.askpro.test", "evil.example"

SHOW = "<?php echo json_encode($_SERVER);"

NAMES = ("HTTP_HOST", "SERVER_NAME", "SERVER_PORT", "REQUEST_URI")


@pytest.fixture
def shop(host: Provisioned) -> Iterator[Provisioned]:
    """The shop tells what its PHP was told."""
    with host.released(host.site("shop"), index=SHOW):
        yield host


def told(answer: bytes) -> dict[str, Any]:
    """What PHP says of the request, in a raw answer or in a body alone."""
    assert b" 200 OK" in answer or b"HTTP/1.1" not in answer, answer
    seen: dict[str, Any] = json.loads(answer[answer.index(b"{") : answer.rindex(b"}") + 1])
    return seen


def request(target: str, *headers: str) -> bytes:
    lines = [f"GET {target} HTTP/1.1", *headers, "Connection: close"]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"


def test_an_absolute_request_line_and_its_host_header_are_one_name(shop: Provisioned) -> None:
    """Laravel takes the links of its mails from HTTP_HOST."""
    for target, host in (
        (f"https://{SHOP}/reset?x=1", EVIL),
        (f"https://{SHOP}:8443/reset?x=1", EVIL),
        ("/reset?x=1", f"{SHOP}:8443"),
        ("/reset?x=1", "SHOP.test.:8443"),
        ("/reset?x=1", SHOP),
    ):
        seen = told(shop.web.raw(SHOP, request(target, f"Host: {host}")))
        assert [seen[name] for name in NAMES] == [SHOP, SHOP, "443", "/reset?x=1"], (target, host)
        assert EVIL not in json.dumps(seen)


def test_http_2_has_one_name_too(shop: Provisioned) -> None:
    pseudo = [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", SHOP)]
    assert told(shop.web.http2(SHOP, pseudo))["HTTP_HOST"] == SHOP
    assert told(shop.web.http2(SHOP, [*pseudo[:-1], ("host", SHOP)]))["HTTP_HOST"] == SHOP
    assert EVIL.encode() not in shop.web.http2(SHOP, [*pseudo, ("host", EVIL)])


@pytest.mark.parametrize(
    "header",
    [
        f"Forwarded: host={EVIL};proto=http",
        f"X-Forwarded-Host: {EVIL}",
        f"X-Forwarded-Server: {EVIL}",
        "X-Forwarded-Port: 8443",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Prefix: //evil.example",
        "X-Original-URL: /admin",
        "X-Rewrite-URL: /admin",
        "Proxy: http://evil.example",
    ],
)
def test_a_client_cannot_speak_for_a_proxy(shop: Provisioned, header: str) -> None:
    """nginx is the edge, and an app that trusts its proxies would believe them."""
    name = header.partition(":")[0].upper().replace("-", "_")
    seen = told(shop.web.raw(SHOP, request("/", f"Host: {SHOP}", header, "X-Other: 1")))
    assert seen["HTTP_X_OTHER"] == "1"
    assert f"HTTP_{name}" not in seen


@pytest.mark.parametrize("host_header", [EVIL, "192.0.2.1", f"{SHOP}.{EVIL}", f"x.{SHOP}"])
def test_an_unknown_host_gets_no_answer_over_a_site_s_connection(
    host: Provisioned, host_header: str
) -> None:
    assert host.web.raw(SHOP, request("/", f"Host: {host_header}")) == b""
    assert host.web.raw(SHOP, request(f"https://{host_header}/", f"Host: {SHOP}")) == b""
    pseudo = [(":method", "GET"), (":scheme", "https"), (":path", "/")]
    over_http2 = host.web.http2(SHOP, [*pseudo, (":authority", host_header)])
    assert over_http2 == b"" or b"<title>421 Misdirected Request</title>" in over_http2


def test_a_site_answers_over_its_own_connection_alone(trixie: Provisioned) -> None:
    """421 tells a browser to connect anew: RFC 9110, section 15.5.20."""
    for name, other in ((SHOP, "api.askpro.test"), ("api.askpro.test", ALIAS), (ALIAS, SHOP)):
        answer = trixie.web.raw(name, request("/health", f"Host: {other}"))
        assert answer.startswith(b"HTTP/1.1 421 "), answer


def test_the_longest_domain_is_served(trixie: Provisioned) -> None:
    assert trixie.web.get(f"https://{LONGEST_DOMAIN}/health").status == 200


def test_the_names_of_one_site_share_a_connection(host: Provisioned) -> None:
    answer = host.web.raw(ALIAS, request("/health", "Host: staging.askpro.test"))
    assert answer.startswith(b"HTTP/1.1 200 "), answer


def test_a_site_that_nginx_takes_for_the_default_answers_no_other_name(host: Provisioned) -> None:
    """As where others have port 80 alone, so that there is no catch-all."""
    catch_all = "/etc/nginx/sites-enabled/zz-stagecraft-catch-all.conf"
    reload = "systemctl reload nginx && sleep 1"
    host.ssh(f"mv {catch_all} /root/catch-all && {reload}")
    try:
        for name in (EVIL, SHOP):
            assert b"HTTP/1.1 " not in host.web.raw(name, request("/", f"Host: {EVIL}"))
        assert host.web.raw(EVIL, request("/", f"Host: {SHOP}")).startswith(b"HTTP/1.1 421 ")
        with pytest.raises(http.client.RemoteDisconnected):
            host.web.get(f"http://{SHOP}/", headers={"Host": EVIL})
        assert host.web.get(f"https://{SHOP}/health").status == 200
    finally:
        host.ssh(f"mv /root/catch-all {catch_all} && {reload}")
