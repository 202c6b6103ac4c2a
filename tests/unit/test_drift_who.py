"""Who did it: only what the server itself tells, and never an argument that may be a secret."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from stagecraft.drift.findings import Finding
from stagecraft.drift.judging.who import attribute
from stagecraft.facts.logins import public_key
from stagecraft.facts.trail import Trail, TrailFact

VHOST = "/etc/nginx/sites-available/shop.conf"
HOUR = 3600
ANNA = "SHA256:anna"

ACCOUNTS = [f"account\t{uid}\t{name}" for uid, name in enumerate(["anna", "bob", "carl", "deploy"])]


def journal(hour: float, identifier: str, message: str, uid: str = "0") -> str:
    """A line of the fact, as journalctl prints it."""
    said = {
        "__REALTIME_TIMESTAMP": str(int(hour * 1e6)),
        "SYSLOG_IDENTIFIER": identifier,
        "MESSAGE": message,
        "_UID": uid,
    }
    return f"journal\t{json.dumps(said)}"


def sudo(moment: float, user: str, line: str, caller: str = "") -> str:
    uid = next(row.split("\t")[1] for row in ACCOUNTS if row.endswith(f"\t{caller or user}"))
    return journal(moment, "sudo", f"  {user} : PWD=/ ; USER=root ; COMMAND={line}", uid)


def login(moment: float, user: str, fingerprint: str) -> str:
    said = f"Accepted publickey for {user} from 198.51.100.1 port 4 ssh2: ED25519 {fingerprint}"
    return journal(moment, "sshd-session", said)


TRAIL = [
    *ACCOUNTS,
    f"path\t{10 * HOUR}.5\t{VHOST}",
    f"path\t{10 * HOUR}.5\t/etc/motd",
    f"unit\t{20 * HOUR}\tnginx.service",
    sudo(9 * HOUR + 0.1, "bob", f"/usr/bin/vi {VHOST}"),
    sudo(10 * HOUR - 60 + 0.1, "anna", f"/usr/bin/sed -i s/hunter2/tr0ub4dor/ {VHOST}"),
    sudo(10 * HOUR - 30 + 0.1, "carl", f"/usr/bin/cat {VHOST}"),
    sudo(20 * HOUR + 0.2, "deploy", "/usr/bin/systemctl stop nginx"),
    sudo(21 * HOUR + 0.0, "anna", "/usr/sbin/userdel bob"),
    sudo(22 * HOUR + 0.0, "carl", "/usr/bin/passwd --status bob"),
    sudo(29 * HOUR + 0.2, "carl", "/usr/bin/vi /etc/nginx/gone-somehow.conf"),
    login(19 * HOUR + 0.2, "deploy", ANNA),
    sudo(30 * HOUR + 0.2, "carl", "/usr/bin/rm /etc/nginx/gone.conf"),
    f"apt\t{40 * HOUR}\tapt-get remove\tanna\t needrestart libmodule-find-perl",
    f"apt\t{41 * HOUR}\tapt-get install\t\t htop",
]


def finding(kind: str, thing: str) -> Finding:
    return Finding.model_validate(
        {
            "class": "managed",
            "severity": "high",
            "kind": kind,
            "thing": thing,
            "expected": "",
            "found": "",
            "remedy": "",
        }
    )


def story(kind: str, thing: str, trail: Trail | None = None) -> tuple[float, str]:
    known = attribute(finding(kind, thing), trail or TrailFact().process(TRAIL), {ANNA: "anna"})
    return (known.since.timestamp() if known.since else 0), known.who


@pytest.mark.parametrize(
    ("kind", "thing", "since", "who"),
    [
        ("file", VHOST, 10 * HOUR + 0.5, f"anna (sudo sed … {VHOST})"),
        ("service", "nginx.service", 20 * HOUR, "deploy, with anna's key (sudo systemctl … nginx)"),
        ("file", "/etc/nginx/gone.conf", 30 * HOUR + 0.2, "carl (sudo rm … /etc/nginx/gone.conf)"),
        ("file", "/etc/nginx/gone-somehow.conf", 0, ""),
        ("account", "bob", 21 * HOUR, "anna (sudo userdel … bob)"),
        ("package", "needrestart", 40 * HOUR, "anna (apt-get remove)"),
        ("package", "htop", 41 * HOUR, "root (apt-get install)"),
        ("file", "/etc/nobody/knows", 0, ""),
        ("database user", "evil@%", 0, ""),
    ],
)
def test_what_the_server_tells(kind: str, thing: str, since: float, who: str) -> None:
    assert story(kind, thing) == (since, who)


def test_who_was_there_is_not_who_did_it() -> None:
    _, who = story("file", "/etc/motd")
    sudo = "ran sudo {} less than 5 minutes before"
    assert who == f"anna {sudo.format('sed')}; carl {sudo.format('cat')}"


def test_runs_of_stagecraft_come_and_go() -> None:
    lines = [*ACCOUNTS, "path\t100.0\t/etc/motd", sudo(99.0, "deploy", "/usr/bin/sh -c true")]
    assert story("file", "/etc/motd", TrailFact().process(lines)) == (100.0, "")


@pytest.mark.parametrize(
    "line",
    [
        sudo(9 * HOUR, "anna", f"/usr/bin/vi {VHOST}", caller="carl"),
        journal(
            9 * HOUR, "sudo", f"anna : command not allowed ; PWD=/ ; USER=root ; COMMAND=vi {VHOST}"
        ),
        journal(9 * HOUR, "sudo", f"anna : PWD=/ ; USER=www-data ; COMMAND=/usr/bin/vi {VHOST}"),
        journal(9 * HOUR, "php", f"anna : PWD=/ ; USER=root ; COMMAND=/usr/bin/vi {VHOST}"),
        journal(9 * HOUR, "sudo", "nothing of the kind"),
        'journal\t{"__REALTIME_TIMESTAMP": "1", "MESSAGE": [27, 91]}',
    ],
    ids=[
        "of another",
        "refused",
        "not as root",
        "of another program",
        "different content",
        "no text",
    ],
)
def test_nobody_is_named_by_what_others_may_have_said(line: str) -> None:
    """Attributed to anna's uid, 0 here, but for the first."""
    lines = [*ACCOUNTS, f"path\t{9 * HOUR}\t{VHOST}", line]
    assert story("file", VHOST, TrailFact().process(lines)) == (9 * HOUR, "")


def test_what_an_area_has_found_out_stays() -> None:
    known = finding("file", VHOST).model_copy(
        update={"who": "eve", "since": datetime(2026, 1, 1, tzinfo=UTC)}
    )
    assert attribute(known, TrailFact().process(TRAIL), {}) == known


def test_a_command_line_is_in_no_repr() -> None:
    assert "hunter2" not in repr(TrailFact().process(TRAIL))


def test_a_key_is_known_by_what_sshd_logs_of_it(shell: Any, tmp_path: Any) -> None:
    path = tmp_path / "key"
    shell(f"ssh-keygen -q -t ed25519 -N '' -C somebody -f {path}")
    listed = shell(f"ssh-keygen -l -f {path}.pub").stdout.split(" ")[1]
    key = public_key("anna", path.with_suffix(".pub").read_text().strip())
    assert key and key.fingerprint == listed
