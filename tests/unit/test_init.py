"""`stagecraft init`: a clone becomes a team's own, whole or not at all."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from lab.demo_releases import released_from_here
from stagecraft import age
from stagecraft.command import stagecraft
from stagecraft.init import command
from stagecraft.secrets.read import secrets_for
from stagecraft.settings import REPOSITORY, read

ANSWERS = {
    "site": "shop",
    "domain": "shop.de",
    "address": "192.0.2.10",
    "email": "ops@shop.de",
    "admin": "anna",
    "key": "key.pub",
}


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(age.IDENTITY_VARIABLE, str(tmp_path / "key"))
    shutil.copytree(REPOSITORY / "example", "example")
    for name in ("group_data", "inventories"):
        Path(name).symlink_to(f"example/{name}")
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    Path("key").write_bytes(private)
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    Path("key.pub").write_bytes(public + b" anna's: #1\n")
    return tmp_path


def init(*more: str, **answers: str) -> Result:
    given = ANSWERS | answers
    options = [word for name, value in given.items() if value for word in (f"--{name}", value)]
    return CliRunner().invoke(stagecraft, ["init", *options, *more])


def texts(clone: Path) -> str:
    files = [path for name in command.OWNED for path in (clone / name).rglob("*")]
    return "".join(path.read_text() for path in files if path.is_file())


def is_untouched(clone: Path) -> bool:
    links = all((clone / name).is_symlink() for name in ("group_data", "inventories"))
    return links and not (clone / "secrets").exists()


def test_settings_and_secrets_are_the_teams_own(clone: Path) -> None:
    example = {path: path.read_text() for path in Path("example").rglob("*.*")}
    assert released_from_here(read("local", clone).sites[0])
    result = init()
    assert result.exit_code == 0, result.output
    assert [line for line in result.output.splitlines() if ".venv" in line] == [
        "  .venv/bin/pyinfra --user root --dry inventories/staging.py bootstrap.py",
        "  .venv/bin/pyinfra --user root inventories/staging.py bootstrap.py",
    ]
    staging, production = read("staging", clone), read("production", clone)
    assert staging.server == production.server
    assert staging.server.name == "shop-1"
    assert staging.server.host
    assert staging.server.host.admins == {"anna": [Path("key.pub").read_text().strip()]}
    assert [staging.sites[0].domain, production.sites[0].domain] == ["staging.shop.de", "shop.de"]
    assert [staging.sites[0].mark_staging, production.sites[0].mark_staging] == [True, False]
    local = read("local", clone).sites[0]
    assert local.domain == "shop.test"
    assert released_from_here(local)
    for name in ("staging", "production"):
        assert set(secrets_for(name, clone)["shop"]) == set(staging.sites[0].generated_secrets)
    assert not {word for word in ("askpro", "retell", "203.0.113") if word in texts(clone).lower()}
    assert {path: path.read_text() for path in Path("example").rglob("*.*")} == example
    assert not (clone / command.MADE).exists()
    assert CliRunner().invoke(stagecraft, ["settings"]).exit_code == 0


def test_a_machine_that_is_set_up_already_is_left_to_who_did(clone: Path) -> None:
    result = init("--no-bootstrap", "--production-address", "192.0.2.20")
    assert "pyinfra --dry inventories/staging.py deploy.py" in result.output
    staging, production = read("staging", clone).server, read("production", clone).server
    assert (staging.host, staging.ssh_user) == (None, "root")
    assert (production.name, production.address) == ("shop-2", "192.0.2.20")


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"site": "Shop"}, "lower-case letters"),
        ({"domain": "https://shop.de"}, "omit the scheme"),
        ({"address": "0.0.0.0"}, "0.0.0.0"),
        ({"email": "ops"}, "an e-mail address"),
        ({"key": "nowhere.pub"}, "there is no file nowhere.pub"),
        ({"key": "key"}, "not an accepted type of key"),
        (
            {"domain": "", "email": ""},
            "there is no terminal to ask for them: pass --domain, --staging-domain, --e",
        ),
        ({"admin": "deploy"}, "group_data/all.yml:"),
        ({"site": "stagecraft"}, "group_data/local.yml:"),
    ],
)
def test_a_wrong_answer_is_named_and_nothing_is_written(
    clone: Path, answers: dict[str, str], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    result = init(**answers)
    assert result.exit_code != 0
    assert words in result.output + caplog.text
    assert is_untouched(clone)
    assert init().exit_code == 0


def test_what_a_team_has_is_not_overwritten(clone: Path) -> None:
    init()
    before = texts(clone)
    result = init(site="blog")
    assert "already belongs to your team: nothing was changed" in result.output
    assert texts(clone) == before


@pytest.mark.parametrize("moves", range(3))
def test_it_can_be_interrupted_at_any_move(
    clone: Path, moves: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, left = Path.rename, [moves]

    def interrupted(path: Path, target: Path) -> Path:
        if path.parent == clone / command.MADE:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", interrupted)
        assert init().exit_code != 0
    assert init(site="other").exit_code == 0
    assert [site.key for site in read("production", clone).sites] == ["shop"]
    assert secrets_for("staging", clone).keys() == {"shop"}
    assert not Path("inventories").is_symlink()


def test_it_asks_on_a_terminal_until_the_answer_is_right(clone: Path) -> None:
    ours, theirs = pty.openpty()
    answers = ["shop", "shop_de", "shop.de", "", "192.0.2.10", "", "ops@shop.de", "anna"]
    os.write(ours, "".join(f"{answer}\n" for answer in [*answers, "key.pub", "n"]).encode())
    program = [sys.executable, "-m", "stagecraft", "init"]
    done = subprocess.run(
        program, stdin=theirs, capture_output=True, text=True, timeout=60, check=False
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "host names cannot contain an underscore" in done.stdout + done.stderr
    assert read("staging", clone).sites[0].domain == "staging.shop.de"
    assert read("staging", clone).server.host is None
