"""What CI may ask the server's program for."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from stagecraft.on_server import maintenance, site
from stagecraft.on_server.actions import pass_of
from stagecraft.on_server.ci import asked
from stagecraft.on_server.command import parser, release, show_pass
from stagecraft.on_server.lock import sending
from stagecraft.on_server.site import Failed, Site
from stagecraft.release.remote import ssh
from stagecraft.settings import Server

PROGRAM = "sudo -n /usr/local/sbin/stagecraft"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(site, "STATE", tmp_path / "state")
    known = {
        "name": "shop-staging",
        "environment": "staging",
        "home": tmp_path,
        "migrator": tmp_path,
        **dict.fromkeys(("domain", "health", "php", "php_fpm", "migrate"), ""),
        **dict.fromkeys(("build", "configure", "shared", "workers"), ()),
        "keep": 5,
    }
    return Site(**known)


@pytest.fixture
def ci(
    shop: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], argparse.Namespace]:
    sites = {"shop-staging": "staging", "shop-pre-staging": "pre-staging", "old-staging": ""}
    for name, environment in sites.items():
        known = {**vars(shop), "name": name, "environment": environment}
        (tmp_path / f"{name}.json").write_text(json.dumps(known, default=str))
    monkeypatch.setattr(site, "SITES", tmp_path)

    def of(command: str) -> argparse.Namespace:
        monkeypatch.setenv("SSH_ORIGINAL_COMMAND", command)
        return asked("staging", parser())

    return of


def test_ci_asks_as_an_operator_does(ci: Callable[[str], argparse.Namespace]) -> None:
    words = ["release", "shop-staging", "--commit", "a" * 40, "--ref", "it's $HOME", "--size", "3"]
    server = Server(name="s", address="s", ssh_user="ci_staging")
    [*_, command] = ssh(server, Path(), [*words, "--by", "octocat"])
    wanted = ci(command)
    assert (wanted.action, wanted.site, wanted.ref) == (release, "shop-staging", "it's $HOME")
    assert wanted.by == "CI of staging, for octocat"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("", "it has no shell"),
        ("id", "it has no shell"),
        (f"{PROGRAM} recover shop-staging", "it has no shell"),
        (f"{PROGRAM} configure shop-staging", "it has no shell"),
        (f"{PROGRAM} ci pre-staging", "it has no shell"),
        (f"{PROGRAM} 'releases shop-staging", "it has no shell"),
        (f"{PROGRAM}-x releases shop-staging", "it has no shell"),
        ("sudo -n -u root /usr/local/sbin/stagecraft releases shop-staging", "it has no shell"),
        (f"{PROGRAM} releases shop-pre-staging", "no site shop-pre-staging$"),
        (f"{PROGRAM} releases old-staging", "no site old-staging$"),
        (f"{PROGRAM} releases ../shop-staging", "no site ../shop-staging"),
        (f"{PROGRAM} rollback shop-staging --by 'a\nb'", "printable"),
        (f"{PROGRAM} rollback shop-staging --by \udcff", "printable"),
        (f"{PROGRAM} rollback shop-staging --by {'a' * 2000}", "at most 2000"),
        (f"{PROGRAM} release shop-staging --commit a --size 9999999999", "can upload 2000000000"),
    ],
)
def test_ci_can_do_nothing_else(
    ci: Callable[[str], argparse.Namespace], command: str, said: str
) -> None:
    with pytest.raises(Failed, match=said):
        ci(command)


@pytest.mark.parametrize("verb", ["release", "follow"])
def test_no_link_into_a_closed_site_stands_in_ci_s_log(
    ci: Callable[[str], argparse.Namespace],
    shop: Site,
    capsys: pytest.CaptureFixture[str],
    verb: str,
) -> None:
    """An operator who follows the release sees it."""
    options = f"--commit {'a' * 40} --size 3 --maintenance" if verb == "release" else ""
    words = f"{verb} shop-staging {options}"
    maintenance.make_pass(pass_of(shop, "1"))
    secret = pass_of(shop, "1").read_text()
    show_pass(shop, "1", ci(f"{PROGRAM} {words}"))
    of_ci = capsys.readouterr().out
    show_pass(shop, "1", parser().parse_args(words.split()))
    assert secret not in of_ci and "`stagecraft follow` shows operators a link" in of_ci
    assert secret in capsys.readouterr().out


@pytest.mark.parametrize("words", ["--no", "--within-run", "x y", "--site shop-pre-staging"])
def test_ci_knows_no_other_options(ci: Callable[[str], argparse.Namespace], words: str) -> None:
    with pytest.raises(SystemExit) as end:
        ci(f"{PROGRAM} rollback shop-staging {words}")
    assert end.value.code == 2


def test_ci_uploads_one_archive_at_a_time(shop: Site) -> None:
    first, second = (sending(shop, f"CI of staging, for {name}") for name in ("anna", "ben"))
    with first, pytest.raises(Failed, match="busy: release by CI of staging, for anna since"):
        second.__enter__()
    with sending(shop, "CI of staging, for ben"):
        pass


@pytest.mark.parametrize("size", [0, -1, -2])
def test_an_archive_has_a_size(
    ci: Callable[[str], argparse.Namespace], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = ci(f"{PROGRAM} release shop-staging --commit {'a' * 40} --size={size}")
    with pytest.raises(Failed, match=f"an archive of {size} bytes is none"):
        release(wanted)
