"""What people read: the worst first, and nothing that a terminal would obey."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from click import unstyle

from stagecraft.drift.findings import Coverage, Finding, Report, Unchecked
from stagecraft.drift.judging.changes import NOTHING
from stagecraft.drift.judging.verdict import judge
from stagecraft.drift.judging.waivers import Waiver, Waivers
from stagecraft.drift.looking.checks import reason
from stagecraft.drift.telling.text import shown

AT = datetime(2026, 11, 21, 3, 30, tzinfo=UTC)


def finding(thing: str, severity: str, server: str = "askpro-1", **more: object) -> Finding:
    values: dict[str, object] = {
        "class": "unmanaged",
        "severity": severity,
        "kind": "package",
        "thing": thing,
        "server": server,
        "expected": "nobody declared it",
        "found": "it is installed",
        "remedy": f"apt-get purge {thing}",
    }
    return Finding.model_validate(values | more)


def report(*findings: Finding, server: str = "askpro-1", **more: object) -> Report:
    values: dict[str, object] = {"server": server, "environment": "production"}
    return Report.model_validate(values | {"findings": findings} | more)


def text(*reports: Report, waivers: tuple[Waiver, ...] = ()) -> str:
    verdict, _ = judge(reports, Waivers(waivers, AT.date()), NOTHING, AT)
    return unstyle(shown(verdict))


def test_a_clean_server_takes_two_lines() -> None:
    coverage = [
        Coverage(server="askpro-1", kind=kind, declared=declared, total=total)
        for kind, declared, total in (("files", 300, 300), ("packages", 98, 112))
    ]
    assert text(report(coverage=coverage)) == (
        "askpro-1: as declared\n"
        "  of 412 things on askpro-1 398 are declared, changed or not (96%)\n"
        "\n"
        "Clean: the servers are what the files say\n"
    )


def test_a_finding_says_all_that_somebody_needs() -> None:
    found = finding(
        "htop",
        "high",
        since=datetime(2026, 11, 20, 14, 2, tzinfo=UTC),
        who="anna",
        cause="the server changed",
        diff=["-old", "+new"],
    )
    assert text(report(found)) == (
        "askpro-1: 1 high\n"
        "  HIGH      askpro-1 unmanaged package htop new\n"
        "    found     it is installed\n"
        "    expected  nobody declared it\n"
        "    since     2026-11-20 14:02 by anna, first seen 2026-11-21\n"
        "    because   the server changed\n"
        "    keep      askpro-1 unmanaged package htop: {reason: '', owner: '', until: 2026-12-21}"
        "  (in waivers.yml)\n"
        "    or run    apt-get purge htop\n"
        "      -old\n"
        "      +new\n"
        "\n"
        "Drift: 1 finding\n"
    )


def test_the_worst_comes_first_and_its_server_too() -> None:
    one = report(finding("a", "low"), finding("b", "high"))
    two = report(finding("c", "critical", "askpro-2"), server="askpro-2")
    order = [line.split()[-2] for line in text(one, two).splitlines() if line.endswith(" new")]
    assert order == ["c", "b", "a"]


def test_what_is_unknown_comes_before_all_and_is_the_last_word() -> None:
    gap = Unchecked(server="askpro-2", area="everything", reason="it cannot be reached")
    said = text(report(finding("a", "critical")), Report(unchecked=[gap])).splitlines()
    assert said[:2] == [
        "askpro-2: 1 unknown",
        "  UNKNOWN   everything could not be checked: it cannot be reached",
    ]
    assert said[-1] == "Unknown: not everything could be checked"


def test_what_two_inventories_see_is_told_once() -> None:
    shared = finding("htop", "low")
    staging = report(shared, environment="staging")
    assert text(report(shared), staging) == text(report(shared))


@pytest.mark.parametrize(("first", "second"), [("low", "high"), ("high", "low")])
def test_the_worse_of_two_reports_counts(first: str, second: str) -> None:
    staging = report(finding("htop", second), environment="staging")
    said = text(report(finding("htop", first)), staging)
    assert "HIGH      askpro-1 unmanaged package htop new" in said
    assert said.endswith("Drift: 1 finding\n")


def waiver_of(thing: str) -> Waiver:
    return Waiver.model_validate(
        {
            "id": f"askpro-1 unmanaged package {thing}",
            "reason": "debugging",
            "owner": "anna",
            "until": "2026-12-31",
        }
    )


def test_no_service_waits_for_what_is_waived() -> None:
    refresh = "systemctl reload nginx"
    found = report(finding("a", "high", refresh=refresh), finding("b", "high", refresh=refresh))
    said = text(found, waivers=(waiver_of("b"),))
    assert f"or run    apt-get purge a && {refresh}\n" in said


def test_what_is_waived_is_a_line() -> None:
    waiver = waiver_of("htop")
    assert waiver.until == date(2026, 12, 31)
    said = text(report(finding("htop", "high")), waivers=(waiver,))
    assert said == (
        "askpro-1: as declared\n"
        "  1 difference waived (waivers.yml)\n"
        "\n"
        "Clean: the servers are what the files say\n"
    )


def test_a_name_cannot_steer_the_terminal() -> None:
    evil = finding("\x1b]0;owned\x07\x1b[2J\rclean", "high", diff=["+\x1b[31m"])
    said = text(report(evil))
    assert not [c for c in said if not c.isprintable() and c != "\n"]


# --- What neighbours' records explain ---


def unconfirmed(*recorded_by: str) -> Finding:
    given = finding("/etc/cron.d/x", "high").model_dump(by_alias=True)
    return Finding.model_validate(given | {"recorded_by": recorded_by})


def test_a_neighbour_s_record_that_its_own_check_confirms_explains() -> None:
    said = text(report(unconfirmed=[unconfirmed("staging")]), report(environment="staging"))
    assert said == "askpro-1: as declared\n\nClean: the servers are what the files say\n"


@pytest.mark.parametrize("how", ["findings", "unconfirmed"])
def test_one_that_its_own_check_knows_nothing_of_explains_nothing(how: str) -> None:
    """Also where each of two records has been made to speak for the other environment."""
    theirs = {how: [unconfirmed("production")]}
    said = text(
        report(unconfirmed=[unconfirmed("staging")]), report(environment="staging", **theirs)
    )
    assert "HIGH      askpro-1 unmanaged package /etc/cron.d/x new" in said
    assert said.endswith("Drift: 1 finding\n")


def test_one_that_nobody_checks_is_believed_and_that_is_said() -> None:
    assert text(report(unconfirmed=[unconfirmed("staging")])) == (
        "askpro-1: as declared\n"
        "  staging was not checked, so the records of its runs are trusted\n"
        "\n"
        "Clean: the servers are what the files say\n"
    )


# --- Why there is no answer ---


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("    [a] Could not connect (timed out)\n\n--> Disconnecting\n--> pyinfra error: No hosts"
         " remaining!", "it cannot be reached: Could not connect (timed out)"),
        ("    [a] Could not resolve hostname ([Errno -2] Name not known)\n",
         "it cannot be reached: Could not resolve hostname ([Errno -2] Name not known)"),
        ("    [a] Authentication error (username=deploy) (Authentication failed.)\n",
         "the login as deploy was refused"),
        ("    [a] Authentication error (username=deploy, key=x) (Authentication failed.)\n",
         "the login as deploy was refused"),
        ("    [a] 198.51.100.7 has another host key than the one pinned for it; nothing was sent to"
         " it.\n", "not the pinned one"),
        ("    [a] SSH error (StrictPolicy: No host key for a found in known_hosts)\n",
         "not pinned"),
        ("[a] sudo password: Traceback\nEOFError", "sudo was refused"),
        ("--> pyinfra error: 2 problems in the settings:\n  group_data/a.yml:1: x\n  b",
         "2 problems in the settings:\n  group_data/a.yml:1: x\n  b"),
        ("Traceback\n  File x\nKeyError: 1\n", "the check failed: Traceback /   File x / Key"),
        ("", "the check failed"),
    ],
)  # fmt: skip
def test_the_reason_is_for_the_one_who_must_act(said: str, words: str) -> None:
    assert words in reason(said)


def test_many_parts_of_one_whole_are_told_as_one() -> None:
    whole = {"whole": "in /opt/tools", "whole_remedy": "mv /opt/tools /root/found"}
    parts = [finding(f"/opt/tools/{number}", "low", **whole) for number in range(4)]
    worst = finding("/opt/tools/so", "critical", kind="library", **whole)
    said = text(report(*parts, worst, finding("htop", "high")))
    assert "askpro-1: 1 critical, 1 high, 4 low\n" in said
    assert "CRITICAL  askpro-1 unmanaged library in /opt/tools: 5 of them new\n" in said
    assert "found     /opt/tools/so" in said
    assert "and 2 more\n" in said
    assert said.count("put right mv /opt/tools /root/found\n") == 1
    assert said.count("apt-get purge") == 1


def test_few_parts_are_told_one_by_one() -> None:
    parts = [finding(name, "low", whole="in /opt", whole_remedy="mv /opt /root") for name in "abcd"]
    assert text(report(*parts)).count("apt-get purge") == 4
