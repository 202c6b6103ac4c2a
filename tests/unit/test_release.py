"""What `stagecraft release` makes of a ref, and when it asks."""

from __future__ import annotations

import io
import subprocess
import tarfile
import time
from pathlib import Path
from typing import Any

import click
import pytest

from stagecraft.release.ci import as_ci
from stagecraft.release.command import sure, targeted
from stagecraft.release.remote import ask, call, ssh
from stagecraft.release.source import find
from stagecraft.settings import Server
from stagecraft.settings.models import App


def git(directory: Path, *words: str) -> str:
    author = ["-c", "user.name=Anna", "-c", "user.email=anna@askpro.test"]
    done = subprocess.run(
        ["git", "-C", directory, *author, *words], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    directory = tmp_path / "app"
    directory.mkdir()
    git(directory, "init", "--quiet", "--initial-branch=main")
    (directory / "index.php").write_text("<?php\n")
    (directory / "secret.txt").write_text("not in git\n")
    git(directory, "add", "index.php")
    git(directory, "commit", "--quiet", "--message=First")
    git(directory, "branch", "feature/portal")
    return directory


def test_a_ref_is_a_commit_of_the_checkout(checkout: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    for ref in (None, "main", "feature/portal", commit[:8]):
        source = find(App(source="app"), ref, checkout.parent)
        assert (source.commit, source.ref) == (commit, ref or "main")


def test_only_what_git_has_at_the_commit_is_packed(checkout: Path, tmp_path: Path) -> None:
    (checkout / "index.php").write_text("<?php // edited\n")
    archive = tmp_path / "release.tar.gz"
    find(App(source="app"), "main", tmp_path).pack(archive)
    with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as packed:
        assert packed.getnames() == ["index.php"]
        member = packed.extractfile("index.php")
        assert member and member.read() == b"<?php\n"


def test_a_url_is_mirrored_and_brought_up_to_date(checkout: Path, tmp_path: Path) -> None:
    app = App(source=f"file://{checkout}")
    first = find(app, "main", tmp_path)
    git(checkout, "commit", "--quiet", "--allow-empty", "--message=Second")
    second = find(app, "main", tmp_path)
    assert second.commit == git(checkout, "rev-parse", "HEAD") != first.commit


def evil(checkout: Path) -> str:
    """A commit that is on no branch."""
    empty = git(checkout, "hash-object", "-w", "-t", "tree", "/dev/null")
    return git(checkout, "commit-tree", "-m", "Evil", empty)


@pytest.mark.parametrize("source", ["app", "url"])
@pytest.mark.parametrize("kind", ["heads", "tags"])
def test_nobody_gives_a_ref_another_meaning(
    checkout: Path, tmp_path: Path, source: str, kind: str
) -> None:
    """By a tag with a branch's name, or by a ref with that of a commit."""
    commit = git(checkout, "rev-parse", "HEAD")
    wanted = "feature/portal" if kind == "tags" else commit[:8]
    git(checkout, "update-ref", f"refs/{kind}/{wanted}", evil(checkout))
    app = App(source="app" if source == "app" else f"file://{checkout}")
    with pytest.raises(click.ClickException, match=f"{wanted} can mean .*: say which one"):
        find(app, wanted, tmp_path)
    for plain in (commit, "refs/heads/feature/portal"):
        assert find(app, plain, tmp_path).commit == commit
    git(checkout, "update-ref", f"refs/heads/{plain}", evil(checkout))
    assert find(app, plain, tmp_path).commit == commit


def test_nobody_puts_another_commit_in_the_place_of_one(checkout: Path, tmp_path: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    git(checkout, "replace", commit, evil(checkout))
    source = find(App(source=f"file://{checkout}"), "main", tmp_path)
    assert source.commit == commit
    assert source.files(["index.php"]) == {"index.php": "<?php"}
    with tarfile.open(source.pack(tmp_path / "release.tar.gz")) as packed:
        assert packed.getnames() == ["index.php"]


@pytest.mark.parametrize(
    ("source", "ref", "said"),
    [
        ("app", "mian", "app has no branch, tag or commit mian"),
        ("app", "--upload-pack=x", "is no branch, tag or commit"),
        ("nowhere", "main", "there is no checkout nowhere: see app.source"),
        ("file:///nonexistent", "main", "does not appear to be a git repository|does not exist"),
    ],
)
def test_what_cannot_be_released_is_named(checkout: Path, source: str, ref: str, said: str) -> None:
    with pytest.raises(click.ClickException, match=said):
        find(App(source=source), ref, checkout.parent)


# --- Which site ---


@pytest.fixture
def sites(
    make_site: Any, make_environment: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Any:
    (tmp_path / "group_data").mkdir()
    monkeypatch.chdir(tmp_path)

    def of(*keys_with_app: str) -> None:
        all_of_them = [
            make_site(key, app={"source": "app"} if key in keys_with_app else None)
            for key in ("askpro", "shop")
        ]
        environment = make_environment(*all_of_them)
        monkeypatch.setattr("stagecraft.release.command.read", lambda *_: environment)

    return of


def test_the_only_site_with_an_app_need_not_be_named(sites: Any) -> None:
    sites("shop")
    assert targeted("staging", None)[1].key == "shop"
    assert targeted("staging", "askpro")[1].key == "askpro"


def test_a_site_has_to_be_named_if_it_could_be_several(sites: Any) -> None:
    sites("askpro", "shop")
    with pytest.raises(click.ClickException, match=r"several sites .*--site \(askpro, shop\)"):
        targeted("staging", None)
    sites()
    with pytest.raises(click.ClickException, match="no site with app: set"):
        targeted("staging", None)
    with pytest.raises(click.ClickException, match="has no site blog; it has askpro, shop"):
        targeted("staging", "blog")


def test_a_site_that_visitors_see_asks_first(make_site: Any) -> None:
    staging, live = make_site("askpro"), make_site("askpro", mark_staging=False)
    sure(staging, "release main to", None)
    sure(live, "release main to", live.environment)
    with pytest.raises(click.ClickException, match="no terminal to ask: say --confirm staging"):
        sure(live, "release main to", None)
    with pytest.raises(click.ClickException, match="--confirm production is not for staging"):
        sure(live, "release main to", "production")


def test_ci_logs_in_as_itself_and_with_any_key(
    make_site: Any, make_environment: Any, tmp_path: Path
) -> None:
    key = f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'A' * 43} anna"
    (tmp_path / "config").touch()
    server = Server.model_validate(
        {
            "name": "s",
            "address": "s",
            "ssh_key": "/home/anna/key",
            "ssh_config": str(tmp_path / "config"),
            "host": {"admins": {"anna": [key]}, "ci": {"staging": [key]}},
        }
    )
    staging, qa = (
        make_environment(make_site(environment=name), server=server) for name in ("staging", "qa")
    )
    command = ssh(as_ci(staging).server, tmp_path, ["releases", "shop-staging"])
    assert command[2:6] == ["-F", str(tmp_path / "config"), "-l", "ci_staging"]
    assert "-i" not in command
    assert command[-1] == "sudo -n /usr/local/sbin/stagecraft releases shop-staging"
    with pytest.raises(click.ClickException, match=r"group_data/qa\.yml lists no keys under ci:"):
        as_ci(qa)


def test_the_server_is_reached_as_runs_reach_it(tmp_path: Path) -> None:
    server = Server(name="s", address="203.0.113.10", ssh_user="deploy", ssh_port=2222)
    command = ssh(server, tmp_path, ["rollback", "shop-staging", "a b"])
    assert command[:2] == ["ssh", "-T"]
    assert command[-3:-1] == ["--", "203.0.113.10"]
    assert command[-1] == "sudo -n /usr/local/sbin/stagecraft rollback shop-staging 'a b'"
    assert command[2:6] == ["-l", "deploy", "-p", "2222"]


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A server that runs this script, whatever it is asked."""

    def by(script: str) -> Server:
        monkeypatch.setattr("stagecraft.release.remote.ssh", lambda *_: ["sh", "-c", script])
        return Server(name="askpro-1", address="203.0.113.10")

    return by


def test_a_terminal_obeys_nothing_that_a_server_says(
    answering: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = answering(r"printf '\033]0;a\007\n'; printf '\033[2J\377\r\n' >&2; exit 3")
    assert call(server, tmp_path, ["releases"]) == 3
    assert capsys.readouterr() == ("\\x1b]0;a\\x07\n", "\\x1b[2J\\xff\n")


def test_an_archive_arrives_whole(
    answering: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "archive").write_bytes(b"x" * 1_000_000)
    script = "echo beginning >&2; wc -c; printf 'without an end'"
    assert call(answering(script), tmp_path, ["release"], tmp_path / "archive") == 0
    assert capsys.readouterr() == ("1000000\nwithout an end\n", "beginning\n")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 255", "the login to askpro-1 failed, or the connection ended"),
        ("echo '[]'; exit 1", "`stagecraft releases` failed on askpro-1"),
        ("cat /dev/zero", "askpro-1 answers more than"),
    ],
)
def test_what_is_no_answer_is_named(answering: Any, tmp_path: Path, script: str, said: str) -> None:
    with pytest.raises(click.ClickException, match=said):
        ask(answering(script), tmp_path, ["releases"])


def test_an_ssh_that_stays_in_the_background_is_not_waited_for(
    answering: Any, tmp_path: Path
) -> None:
    began = time.monotonic()
    assert ask(answering("sleep 20 >/dev/null & echo '[]'"), tmp_path, ["releases"]) == b"[]\n"
    assert time.monotonic() - began < 10
