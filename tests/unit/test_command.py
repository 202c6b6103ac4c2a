"""The `stagecraft` command: its verbs, what it says to wrong ones, its exit codes, completion."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from stagecraft.command import VERBS, stagecraft


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "group_data").mkdir()
    for name in ("all", "production", "staging"):
        (tmp_path / f"group_data/{name}.yml").write_text("{}\n")
    return tmp_path


def run(directory: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("stagecraft"), *arguments],
        cwd=directory,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_says_what_it_does(verb: str) -> None:
    listed = CliRunner().invoke(stagecraft, ["--help"]).output
    assert f"\n  {verb} " in listed
    helped = CliRunner().invoke(stagecraft, [verb, "--help"])
    assert helped.exit_code == 0
    assert f"Usage: stagecraft {verb} [OPTIONS]" in helped.output


def test_without_a_verb_it_lists_them(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert "Commands:\n  release " in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("drfit",), "No such command 'drfit'; did you mean 'drift'?"),
        (("secret",), "Missing argument 'ENVIRONMENT'"),
        (("secret", "stagign"), "no group_data/stagign.yml; did you mean 'staging'?"),
        (("secret", "group_data/staging.yml"), "use the environment's name: staging"),
        (("secret", "staging", "askpro"), "name a key, too"),
        (("secret", "staging", "--generate"), "--generate needs a site and a key"),
        (("secret", "staging", "a", "B", "--recrypt"), "--recrypt applies to all secrets"),
        (("secret", "staging", "--recrypt", "--generate"), "needs a site and a key"),
        (("completion", "fish"), "'fish' is not one of 'bash', 'zsh'"),
        (("drift", "\x1b]0;x\x07"), r"\x1b]0;x\x07"),
    ],
)
def test_a_wrong_command_line_was_not_done(
    project: Path, arguments: tuple[str, ...], words: str
) -> None:
    result = run(project, *arguments)
    assert (result.returncode, result.stdout) == (1, "")
    assert words in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("verb", ["drift", "secret", "settings"])
def test_elsewhere_than_in_a_project(tmp_path: Path, verb: str) -> None:
    arguments = [] if verb == "settings" else ["staging"]
    result = run(tmp_path, verb, *arguments)
    assert result.returncode == 1
    assert "there is no group_data/ here: start it in the project's directory" in result.stderr


def test_a_mistake_in_the_settings_is_shown_as_everywhere(project: Path) -> None:
    result = run(project, "secret", "staging")
    assert result.returncode == 1
    assert result.stderr.startswith("Error: ")
    assert "group_data/staging.yml:1: server: is missing" in result.stderr


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("stagecraft dr", ["drift"]),
        ("stagecraft drift ", ["production", "staging"]),
        ("stagecraft secret st", ["staging"]),
        ("stagecraft drift --js", ["--json"]),
    ],
)
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_tab_completes(project: Path, shell: str, typed: str, offered: list[str]) -> None:
    words = typed.split()
    variables = {
        "_STAGECRAFT_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(typed.count(" ")),
    }
    result = run(project, *words[1:], **variables)
    values = result.stdout.splitlines()
    if shell == "bash":
        assert [value.partition(",")[2] for value in values] == offered
    else:
        assert values[1::3] == offered


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_what_a_shell_reads_to_complete(tmp_path: Path, shell: str) -> None:
    result = run(tmp_path, "completion", shell)
    assert result.returncode == 0
    assert f"_STAGECRAFT_COMPLETE={shell}_complete" in result.stdout
