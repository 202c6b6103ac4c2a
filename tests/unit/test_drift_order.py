"""The order in which findings are put right, and who has services load that."""

from __future__ import annotations

from stagecraft.drift.findings import Finding
from stagecraft.drift.judging.order import in_order

RELOAD, RESTART = "systemctl reload nginx", "systemctl restart mysql"


def finding(thing: str, class_: str = "unmanaged", **more: object) -> Finding:
    values: dict[str, object] = {
        "class": class_,
        "severity": "high",
        "kind": "file",
        "thing": thing,
        "server": "askpro-1",
        "expected": "another",
        "found": "this",
        "remedy": "a run" if class_ == "managed" else f"rm {thing}",
    }
    return Finding.model_validate(values | more)


def remedies(*findings: Finding, waived: str = "") -> list[str]:
    return [found.remedy for found in in_order(findings, lambda found: found.thing == waived)]


VHOST = finding("vhost", refresh=RELOAD)
OTHER = finding("other", refresh=RELOAD, severity="low")
SETTING = finding("setting", refresh=RESTART)
CONFFILE = finding("conffile", refresh=RELOAD, kind="package file")
EDITED = finding("edited", "managed", refresh=RELOAD)
DOWN = finding("nginx", "managed", severity="critical")
STALE = finding("stale", "running", remedy=RELOAD)


def test_one_is_removed_and_taken_up() -> None:
    assert remedies(VHOST) == [f"rm vhost && {RELOAD}"]


def test_nothing_is_loaded_before_all_is_removed() -> None:
    assert remedies(DOWN, STALE, CONFFILE, OTHER, SETTING, VHOST) == [
        "rm setting",
        "rm vhost",
        "rm other",
        f"rm conffile && {RESTART} && {RELOAD}",
        "a run",
        RELOAD,
    ]


def test_what_a_run_puts_right_comes_before_anything_is_loaded() -> None:
    assert remedies(STALE, EDITED, VHOST, SETTING) == [
        "rm setting",
        "rm vhost",
        "a run",
        f"{RESTART} && {RELOAD}",
        RELOAD,
    ]
    assert remedies(STALE, EDITED) == ["a run", RELOAD]


def test_what_is_mounted_over_programs_goes_first_and_over_our_files_before_other_runs() -> None:
    over_ours = finding("ours", "running", kind="mount", remedy="umount ours, then a run")
    over_tool = finding("tool", "running", kind="mount", remedy="umount tool")
    assert remedies(EDITED, over_ours, CONFFILE, over_tool, DOWN) == [
        "umount tool",
        "rm conffile",
        "umount ours, then a run",
        "a run",
        RELOAD,
        "a run",
    ]


def test_what_the_files_moved_on_from_waits_for_its_turn() -> None:
    moved = finding("moved", "managed", refresh=RELOAD, severity="low", cause="the files moved on")
    assert remedies(moved, STALE, VHOST) == [f"rm vhost && {RELOAD}", RELOAD, "a run"]


def test_a_run_comes_before_a_command_that_takes_up_less() -> None:
    down = finding("redis", "managed", environment="production")
    assert remedies(STALE, down) == ["a run", RELOAD]


def test_what_is_waived_is_loaded_and_not_waited_for() -> None:
    assert remedies(VHOST, OTHER, waived="other") == [f"rm vhost && {RELOAD}", "rm other"]
    assert remedies(VHOST, EDITED, waived="edited") == [f"rm vhost && {RELOAD}", "a run"]


def test_the_worst_server_first_and_none_takes_up_another_s() -> None:
    elsewhere = VHOST.model_copy(update={"server": "askpro-2"})
    assert [found.server for found in in_order([VHOST, elsewhere, DOWN])] == [
        "askpro-1",
        "askpro-1",
        "askpro-2",
    ]
    assert remedies(elsewhere, VHOST) == [f"rm vhost && {RELOAD}"] * 2
