"""What production takes, who is said to release it, and the tag that it gets."""

from __future__ import annotations

import getpass
import json
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest

from stagecraft.release import proof
from stagecraft.release.person import Person, person
from stagecraft.release.proof import objection, prove
from stagecraft.release.source import Source, find
from stagecraft.release.tags import tag
from stagecraft.settings import Site
from stagecraft.settings.models import App

ANNA = Person("Anna", "anna@askpro.test")

GOOD = {"verb": "release", "commit": "a", "outcome": "done", "state": "good"}
FAILED = GOOD | {"outcome": "failed", "state": "bad"}
LEFT = GOOD | {"state": "withdrawn"}
BACK = GOOD | {"verb": "rollback"}
REFUSED = FAILED | {"outcome": "refused", "state": ""}
CONFIGURED = GOOD | {"verb": "configure"}
OTHER = GOOD | {"commit": "ab"}


@pytest.fixture(autouse=True)
def no_settings_of_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


# --- What is a proof ---


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([GOOD], ""),
        ([GOOD, OTHER, REFUSED, CONFIGURED], ""),
        ([FAILED, GOOD], ""),
        ([LEFT, BACK], ""),
        ([], "has never run"),
        ([OTHER], "has never run"),
        ([CONFIGURED, REFUSED], "has never run"),
        ([FAILED], "has failed to run"),
        ([GOOD, FAILED], "has failed to run"),
        ([GOOD | {"outcome": "killed"}], "has failed to run"),
        ([LEFT], "has come back from"),
        ([GOOD, LEFT], "has come back from"),
        ([{}, {"commit": "a"}], "has failed to run"),
    ],
)
def test_the_last_that_became_of_a_commit_counts(entries: list[Any], said: str) -> None:
    assert objection(entries, "a") == said


@pytest.fixture
def live(make_site: Any) -> Site:
    app = {"source": "app", "proven_in": "staging"}
    site: Site = make_site("askpro", "production", mark_staging=False, app=app)
    return site


@pytest.fixture
def staging(make_site: Any, make_environment: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Answers so, or with an error, and is asked for its own list."""

    def answers(answer: Any, key: str = "askpro") -> list[Any]:
        asked: list[Any] = []

        def ask(*arguments: Any) -> bytes:
            asked.append(arguments)
            if isinstance(answer, Exception):
                raise answer
            return answer if isinstance(answer, bytes) else json.dumps(answer).encode()

        monkeypatch.setattr(proof, "read", lambda *_: make_environment(make_site(key)))
        monkeypatch.setattr("stagecraft.release.listed.ask", ask)
        return asked

    return answers


def test_production_takes_what_staging_has_run_well(
    live: Site, staging: Any, tmp_path: Path
) -> None:
    asked = staging([GOOD])
    prove(live, "a", tmp_path, None)
    assert [words for _, _, words in asked] == [["releases", "askpro-staging", "--json"]]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ([], "staging has never run a: release it there first, or .*--unproven REASON"),
        ([FAILED], "staging has failed to run a: release it there first"),
        ([LEFT], "staging has come back from a: release it there first"),
        (b"<html>", "whether staging has run a is unknown: askpro-1 does not answer with a list"),
        (
            click.ClickException("the login to askpro-1 failed"),
            "unknown: the login to askpro-1 failed. Try again, or .*--unproven REASON",
        ),
    ],
)
def test_production_refuses_anything_else(
    live: Site, staging: Any, tmp_path: Path, answer: Any, said: str
) -> None:
    staging(answer)
    with pytest.raises(click.ClickException, match=said):
        prove(live, "a", tmp_path, None)


def test_a_proof_is_of_the_same_application(live: Site, staging: Any, tmp_path: Path) -> None:
    staging([GOOD], key="shop")
    with pytest.raises(click.ClickException, match=r"staging, .*, has no site askpro"):
        prove(live, "a", tmp_path, None)


def test_a_reason_is_enough_even_if_staging_is_down(
    live: Site, staging: Any, tmp_path: Path
) -> None:
    asked = staging(click.ClickException("down"))
    prove(live, "a", tmp_path, "staging burns")
    assert not asked
    for reason in ("", " "):
        with pytest.raises(click.ClickException, match="--unproven needs a reason"):
            prove(live, "a", tmp_path, reason)


def test_without_the_rule_nothing_is_asked(make_site: Any, staging: Any, tmp_path: Path) -> None:
    free, asked = make_site(app={"source": "app"}), staging([])
    prove(free, "a", tmp_path, None)
    assert not asked
    with pytest.raises(click.ClickException, match="--unproven has no effect"):
        prove(free, "a", tmp_path, "because")


# --- Who ---


def git(directory: Path, *words: str) -> str:
    command = ["git", "-C", str(directory), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_a_person_is_named_as_in_commits_of_the_project(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    assert str(person(tmp_path)).startswith(f"{getpass.getuser()}@")
    git(tmp_path, "config", "user.name", "Anna")
    assert person(tmp_path).name == "", "an address is missing"
    git(tmp_path, "config", "user.email", "anna@askpro.test")
    assert str(person(tmp_path)) == "Anna <anna@askpro.test>"


# --- The tag ---


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """A repository without a working tree, and `app`, a checkout of it."""
    bare, app = tmp_path / "upstream.git", tmp_path / "app"
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    git(tmp_path, "clone", "--quiet", str(bare), str(app))
    author = ["-c", "user.name=Bob", "-c", "user.email=bob@askpro.test"]
    git(app, "switch", "--quiet", "--create", "main")
    git(app, *author, "commit", "--quiet", "--allow-empty", "--message=First")
    git(app, "push", "--quiet", "origin", "main")
    return bare


def tags(directory: Path) -> list[str]:
    shown = "%(refname:short) %(objecttype) %(*objectname) %(taggername) %(contents:subject)"
    return git(directory, "for-each-ref", f"--format={shown}", "refs/tags").splitlines()


def released(source: str, root: Path) -> Source:
    return find(App(source=source), "main", root)


def test_a_release_is_tagged_where_its_commit_is(
    upstream: Path, live: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = released("app", tmp_path)
    tag(source, live, ANNA, push=False)
    (made,) = tags(tmp_path / "app")
    assert made.startswith("release/production/2")
    subject = "Released to askpro.production.test by Anna <anna@askpro.test>"
    assert made.endswith(f" tag {source.commit} Anna {subject}")
    assert tags(upstream) == []
    assert capsys.readouterr().out == f"Tagged {made.split()[0]}\n"


@pytest.mark.parametrize("kind", ["checkout", "URL"])
def test_that_tag_alone_is_pushed(upstream: Path, live: Site, tmp_path: Path, kind: str) -> None:
    git(tmp_path / "app", "tag", "private")
    source = released("app" if kind == "checkout" else f"file://{upstream}", tmp_path)
    tag(source, live, Person("", "ci@runner"), push=True)
    (pushed,) = tags(upstream)
    assert pushed in tags(source.repository)
    assert " ci@runner Released to" in pushed


def test_a_mirror_keeps_a_tag_that_is_not_pushed(
    upstream: Path, live: Site, tmp_path: Path
) -> None:
    """And gets those of others, and forgets other tags that are gone."""
    app, url = tmp_path / "app", f"file://{upstream}"
    git(app, "tag", "v1")
    git(app, "push", "--quiet", "origin", "v1")
    source = released(url, tmp_path)
    tag(source, live, ANNA, push=False)
    (ours, _) = tags(source.repository)
    git(app, "tag", "release/production/theirs")
    git(app, "push", "--quiet", "origin", "release/production/theirs", ":v1")
    released(url, tmp_path)
    now = tags(source.repository)
    assert now[0] == ours
    assert [line.split()[0] for line in now[1:]] == ["release/production/theirs"]


class Then:
    @staticmethod
    def now(zone: object) -> Any:
        from datetime import UTC, datetime

        return datetime(2026, 11, 30, 17, 14, 5, tzinfo=UTC)


def test_an_existing_tag_is_not_moved(
    upstream: Path,
    live: Site,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("stagecraft.release.tags.datetime", Then)
    app, name = tmp_path / "app", "release/production/2026-11-30-171405"
    git(app, "tag", name, "main")
    before = tags(app)
    tag(released("app", tmp_path), live, ANNA, push=True)
    assert tags(app) == before and tags(upstream) == []
    said = capsys.readouterr().err
    assert f"Warning: the release is good, but its tag is not: fatal: tag '{name}' already" in said


def test_the_warning_says_how_to_push_by_hand(
    upstream: Path, live: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = tmp_path / "app"
    upstream.rename(tmp_path / "moved.git")
    tag(released("app", tmp_path), live, ANNA, push=True)
    (made,) = tags(app)
    said = capsys.readouterr().err.splitlines()
    name = made.split()[0]
    assert said[-1] == f"  git -C {app} push --quiet -- origin refs/tags/{name}"
    assert said[0].startswith("Warning: the release is good, but its tag is not: fatal: ")
    (tmp_path / "moved.git").rename(upstream)
    subprocess.run(said[-1], shell=True, check=True)
    assert tags(upstream) == [made]
