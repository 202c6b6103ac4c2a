"""What a team adds in overrides/: its template wins, its steps run around a stage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stagecraft import overrides, render
from stagecraft.errors import BrokenOverride, BrokenTemplate
from stagecraft.manifest import Manifest
from stagecraft.operations.files import is_overridden
from stagecraft.run import Run


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    directory = tmp_path / "overrides"
    directory.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(render, "OVERRIDES", Path("overrides"))
    render.jinja.cache_clear()
    yield directory
    render.jinja.cache_clear()


# --- Templates ---


def test_a_teams_template_wins_and_is_named(own: Path) -> None:
    (own / "app").mkdir()
    (own / "app/env.j2").write_text("# {{ managed }}\n{{ text }}\n")
    file = render.file("/etc/x", "app/env.j2", text="mine")
    first, second = file.content.splitlines()
    assert first.startswith("# Managed by Stagecraft (overrides/app/env.j2);")
    assert second == "mine"
    assert file.origin == "overrides/app/env.j2"
    assert is_overridden(file)
    with pytest.raises(BrokenTemplate, match=r"^overrides/app/env.j2:2: 'text' is undefined"):
        render.render("app/env.j2")


def test_all_other_templates_are_the_engines(own: Path) -> None:
    file = render.file("/x", "app/env.j2", variables={})
    assert file.origin == "templates/app/env.j2"
    assert not is_overridden(file)


# --- Steps ---


class Verb(dict[str, Any]):
    """The names of a verb with one stage, `app`, and what ran."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        super().__init__(calls=self.calls, helper=len, app=self.app())

    def app(self) -> Any:
        def app(site: str) -> str:
            self.calls.append(f"app {site}")
            return f"{site} stands"

        app.__module__ = "tasks.app"
        app._inner = app  # type: ignore[attr-defined]
        return app


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Manifest:
    opened = Manifest("staging")
    monkeypatch.setattr(overrides, "this_run", lambda: Run(opened))
    monkeypatch.setattr(overrides, "deploy", lambda name: lambda step: step)
    return opened


def test_steps_run_before_and_after_their_stage_in_the_order_of_their_files(
    own: Path, opened: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    verb = Verb()
    for name in ("b", "a"):
        (own / f"{name}.py").write_text(
            f"def before_app(site): calls.append('{name} before ' + site)\n"
            f"def after_app(site): calls.append('{name} after ' + site)\n"
        )
    monkeypatch.setattr("builtins.calls", verb.calls, raising=False)
    overrides.extend(verb)
    assert verb["app"]("shop") == "shop stands"
    assert verb.calls == [
        "b before shop",
        "a before shop",
        "app shop",
        "a after shop",
        "b after shop",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def after_app(site:\n", r"overrides/x\.py:1: SyntaxError: "),
        ("\nimport nothing_like_it\n", r"overrides/x\.py:2: ModuleNotFoundError: No module named"),
        (
            "\n\ndef after_ap(site): pass\n",
            r"overrides/x\.py:3: after_ap: there is no stage 'ap'; did you mean 'app'\?",
        ),
        ("def after_app(site):\n    return site.nam\n", r"overrides/x\.py:2: AttributeError: "),
        ("def after_app(): pass\n", r"overrides/x\.py:1: TypeError: after_app\(\) takes 0"),
        (
            "def after_app(site):\n    site_trees['cron'] = []\n",
            r"overrides/x\.py: after_app: call the tree own-cron",
        ),
        (
            "def before_app(site): declare('own-cron', [])\n"
            "def after_app(site): declare('own-cron', [])\n",
            r"overrides/x\.py:2: this run has a tree own-cron already: give each a name",
        ),
    ],
)
def test_a_mistake_is_named_with_file_and_line(
    own: Path, opened: Manifest, text: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__builtins__, "site_trees", opened.declared)  # type: ignore[arg-type]
    monkeypatch.setitem(__builtins__, "declare", opened.declare)  # type: ignore[arg-type]
    (own / "x.py").write_text(text)
    verb = Verb()
    with pytest.raises(BrokenOverride, match=f"^{words}"):
        overrides.extend(verb)
        verb["app"]("shop")
