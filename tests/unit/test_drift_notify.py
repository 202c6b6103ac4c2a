"""Who hears of it, and when: against a listener that really listens, and a port where nobody is."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

import pytest
from apprise.plugins.discord import NotifyDiscord
from apprise.plugins.slack import NotifySlack
from apprise.plugins.telegram import NotifyTelegram

from stagecraft.drift.findings import Finding, Report, Unchecked
from stagecraft.drift.judging.verdict import Verdict
from stagecraft.drift.judging.waivers import Waivers
from stagecraft.drift.telling.history import conclude

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
                self.wfile.write(b"ok")  # Slack says so

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


MARKUP = (
    "<!channel> <@U123> <https://evil.test|all is well> [all is well](https://evil.test)"
    " @everyone ||hidden|| ~~gone~~ <b>b</b> &lt;i&gt; <script>"
)


class Mailbox(StreamRequestHandler):
    """Takes a mail by SMTP, as a relay on this machine does."""

    def handle(self) -> None:
        self.say("220 here")
        for line in self.rfile:
            match line.split()[0].upper():
                case b"DATA":
                    self.say("354 go on")
                    text = b"".join(iter(self.rfile.readline, b".\r\n"))
                    self.server.mails.append(message_from_bytes(text))  # type: ignore[attr-defined]
                    self.say("250 taken")
                case b"QUIT":
                    self.say("221 bye")
                    return
                case _:
                    self.say("250 well")

    def say(self, answer: str) -> None:
        self.wfile.write(f"{answer}\r\n".encode())


@contextmanager
def mailbox() -> Iterator[tuple[int, list[Message]]]:
    """The port where it listens, and what has arrived."""
    with ThreadingTCPServer(("127.0.0.1", 0), Mailbox) as server:
        server.mails = []  # type: ignore[attr-defined]
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], server.mails  # type: ignore[attr-defined]
        server.shutdown()


@pytest.fixture
def services(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """URLs of Apprise's own plugins, which call the channel in place of the services."""
    here = f"http://127.0.0.1:{channel.server.server_port}"
    monkeypatch.setattr(NotifySlack, "webhook_url", here)
    monkeypatch.setattr(NotifyDiscord, "notify_url", here)
    monkeypatch.setattr(NotifyTelegram, "notify_url", f"{here}/bot")
    return {
        "slack": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#ops",
        "discord": "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
        "mattermost": f"mmost://{here.removeprefix('http://')}/abcd1234efgh5678ijkl9012mn",
        "telegram": "tgram://123456789:abcdefg_hijklmnop/12315544/",
        "json": channel.url,
    }


@pytest.mark.parametrize("service", ["slack", "discord", "mattermost", "telegram", "json"])
def test_a_name_is_no_markup_anywhere(
    service: str,
    services: dict[str, str],
    nights: Nights,
    channel: Channel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STAGECRAFT_NOTIFY", services[service])
    assert nights.check(f"{MARKUP} end", "htop").problems == ()
    said = json.dumps(channel.heard, ensure_ascii=False)
    for obeyed in ("<!", "<@", "&lt;", "](", "https://evil", "@everyone", "||", "~~", "<b>b"):
        assert obeyed not in said
    assert "!channel› ‹@" in said  # noqa: RUF001
    assert "end (first seen" in said
    assert "package htop" in said


def test_a_mail_is_no_html_of_a_name_s(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    with mailbox() as (port, mails):
        url = f"mailto://127.0.0.1:{port}?mode=insecure&from=a@check.test&to=b@check.test"
        monkeypatch.setenv("STAGECRAFT_NOTIFY", url)
        assert nights.check(f"{MARKUP} end").problems == ()
    [mail] = mails
    bodies = [part for part in mail.walk() if part.get_content_maintype() == "text"]
    for part in bodies:
        text = part.get_payload(decode=True).decode()
        assert "<script" not in text
        assert "evil.test|" not in text
        assert "end (first seen" in text
    assert bodies
