"""Who hears of it, and when: against a listener that really listens, and a port where nobody is."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from stagecraft.drift.conclusion import conclude
from stagecraft.drift.findings import Finding, Report, Unchecked
from stagecraft.drift.verdict import Verdict
from stagecraft.drift.waivers import Waivers

FIRST = datetime(2026, 11, 21, 3, 30, tzinfo=UTC)
TOKEN = "t0ken-of-the-channel"


class Channel:
    """An HTTP server that takes Apprise's json:// notifications, or refuses them."""

    def __init__(self) -> None:
        self.heard: list[dict[str, str]] = []
        self.status = 200
        channel = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                channel.heard.append(json.loads(body))
                self.send_response(channel.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server.server_port}/{TOKEN}"


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Channel]:
    channel = Channel()
    monkeypatch.setenv("STAGECRAFT_NOTIFY", channel.url)
    Thread(target=channel.server.serve_forever, daemon=True).start()
    yield channel
    channel.server.shutdown()
    channel.server.server_close()


@pytest.fixture
def nobody() -> str:
    """The URL of a port that is closed."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"json://127.0.0.1:{taken.getsockname()[1]}/{TOKEN}"


class Nights:
    def __init__(self, directory: Path) -> None:
        self.path = directory / "drift.jsonl"
        self.count = 0

    def check(self, *things: str, severity: str = "high", blind: bool = False) -> Verdict:
        """The check of the next night."""
        self.count += 1
        at = FIRST + timedelta(days=self.count)
        gap = Unchecked(server="askpro-1", area="database users", reason="down")
        report = Report(
            server="askpro-1",
            environment="production",
            findings=[finding(thing, severity) for thing in things],
            unchecked=[gap] if blind else [],
        )
        return conclude([report], Waivers((), at.date()), self.path, at)


def finding(thing: str, severity: str) -> Finding:
    return Finding.model_validate(
        {
            "class": "unmanaged",
            "severity": severity,
            "kind": "package",
            "thing": thing,
            "server": "askpro-1",
            "expected": "",
            "found": "",
            "remedy": "",
        }
    )


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(tmp_path)


def test_only_what_is_new_worse_or_resolved_is_told(nights: Nights, channel: Channel) -> None:
    nights.check()
    nights.check("htop")
    nights.check("htop")
    nights.check("htop", severity="critical")
    nights.check("htop", severity="low")
    nights.check()
    nights.check()
    assert [sent["title"] for sent in channel.heard] == [
        "Drift on askpro-1: 1 new",
        "Drift on askpro-1: 1 worse",
        "Drift on askpro-1: 1 resolved",
    ]
    assert [sent["message"] for sent in channel.heard] == [
        "new, high: askpro-1 unmanaged package htop (first seen 2026-11-23)",
        "worse, critical: askpro-1 unmanaged package htop (first seen 2026-11-23)",
        "resolved: askpro-1 unmanaged package htop (first seen 2026-11-23)",
    ]


def test_what_becomes_unknown_and_known_again_is_told_once(
    nights: Nights, channel: Channel
) -> None:
    for blind in (False, True, True, False, False):
        nights.check(blind=blind)
    assert [sent["message"] for sent in channel.heard] == [
        "unknown: askpro-1 database users could not be checked",
        "known again: askpro-1 database users",
    ]


@pytest.mark.parametrize("how", ["nobody listens", "refused"])
def test_a_dead_notifier_hides_nothing_and_is_told_later(
    how: str,
    nights: Nights,
    channel: Channel,
    nobody: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nights.check()
    if how == "refused":
        channel.status = 500
    else:
        monkeypatch.setenv("STAGECRAFT_NOTIFY", nobody)
    verdict = nights.check("htop")
    assert (verdict.exit_code, len(verdict.findings)) == (2, 1)
    assert verdict.problems == ("notification 1 of 1 (JSON) was not accepted",)
    nights.check("htop", "nmap")
    channel.heard.clear()
    channel.status = 200
    monkeypatch.setenv("STAGECRAFT_NOTIFY", channel.url)
    assert nights.check("htop", "nmap").problems == ()
    assert [sent["title"] for sent in channel.heard] == ["Drift on askpro-1: 2 new"]
    nights.check("htop", "nmap")
    assert len(channel.heard) == 1


def test_the_living_hear_it_beside_a_dead_one(
    nights: Nights, channel: Channel, nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "STAGECRAFT_NOTIFY", f"{nobody}\n# the team\nnonsense://{TOKEN}\n{channel.url}"
    )
    verdict = nights.check("htop")
    assert len(channel.heard) == 1
    assert verdict.problems == (
        "notification 1 of 3 (JSON) was not accepted",
        "notification 2 of 3 has a URL that Apprise does not understand",
    )


def test_no_token_is_shown_or_kept(
    nights: Nights,
    nobody: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("STAGECRAFT_NOTIFY", f"{nobody}\nnonsense://{TOKEN}")
    verdict = nights.check("htop")
    said = capfd.readouterr()
    texts = (verdict.model_dump_json(), nights.path.read_text(), said.out, said.err)
    assert not [text for text in texts if TOKEN in text]


def test_the_urls_may_stand_in_a_file(
    nights: Nights, channel: Channel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STAGECRAFT_NOTIFY")
    monkeypatch.setenv("STAGECRAFT_NOTIFY_FILE", str(tmp_path / "urls"))
    assert "nobody was notified" in nights.check("htop").problems[0]
    (tmp_path / "urls").write_text(f"{channel.url}\n")
    assert nights.check("htop").problems == ()
    assert len(channel.heard) == 1
