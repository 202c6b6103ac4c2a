"""Secrets are encrypted at rest, masked in memory, and never missing at the last moment."""

from __future__ import annotations

import copy
import json
import pickle
import re
import stat
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from pyinfra_cli.util import json_encode  # type: ignore[import-untyped]

from stagecraft import age
from stagecraft.secrets import Secret, secrets_for, stand_ins
from stagecraft.secrets.edit import Editor
from stagecraft.secrets.file import HEADER
from stagecraft.secrets.generate import generate, unfit
from stagecraft.secrets.read import STAND_IN, made_of
from stagecraft.settings import SettingsError, read

SITES = """\
server: askpro-1
sites:
  askpro:
    domain: askpro.test
    tls: {issuer: selfsigned}
    protect: {basic_auth: [qa]}
    secrets: [RETELL_API_KEY]
"""


def make_key(path: Path, passphrase: str = "") -> str:
    """An SSH key at `path`; its public half, as it stands in a .pub file."""
    protection = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    key = Ed25519PrivateKey.generate()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, protection))
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return f"{public.decode()} {path.name}@askpro"


def write_all(root: Path, *recipients: str, throwaway: bool = False) -> None:
    (root / "group_data/all.yml").write_text(
        "servers:\n"
        f"  askpro-1: {{address: 203.0.113.10, throwaway: {json.dumps(throwaway)}}}\n"
        f"recipients: {json.dumps(recipients)}\n"
    )


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A repository whose one recipient is the key at hand."""
    (tmp_path / "group_data").mkdir()
    (tmp_path / "group_data/staging.yml").write_text(SITES)
    write_all(tmp_path, make_key(tmp_path / "anna"))
    monkeypatch.setenv(age.IDENTITY_VARIABLE, str(tmp_path / "anna"))
    yield tmp_path
    secrets_for.cache_clear()


def answer(site: str, key: str) -> Secret:
    return Secret(f"{site} {key}")


def make(root: Path) -> list[str]:
    return list(Editor("staging", root).add_missing(answer))


def stored(root: Path) -> str:
    return (root / "secrets/staging.yml").read_text()


def problem(root: Path) -> str:
    with pytest.raises(SettingsError) as error:
        secrets_for("staging", root)
    return str(error.value)


# --- The type ---


def test_a_secret_masks_itself() -> None:
    secret = Secret("hunter2")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>9}", repr([secret])]
    shown.append(json.dumps({"secret": secret}, default=json_encode))
    assert not [text for text in shown if "hunter2" in text]
    assert secret.reveal() == "hunter2"


def test_a_secret_is_no_string_to_json_and_no_object_to_pickle() -> None:
    with pytest.raises(TypeError):
        json.dumps(Secret("hunter2"))
    with pytest.raises(TypeError):
        pickle.dumps(Secret("hunter2"))


def test_secrets_compare_and_copy() -> None:
    secret = Secret("hunter2")
    assert secret == Secret("hunter2") != Secret("hunter3")
    assert secret != "hunter2"
    assert len({secret, Secret("hunter2")}) == 1
    assert copy.deepcopy({"a": secret})["a"] == copy.copy(secret) == secret


# --- Making them ---


def test_what_is_generated_fits() -> None:
    key, password = generate("APP_KEY").reveal(), generate("DB_PASSWORD").reveal()
    assert len(b64decode(key.removeprefix("base64:"))) == 32
    assert re.fullmatch("[A-Za-z0-9]{32}", password)
    assert unfit("APP_KEY", key) is unfit("DB_PASSWORD", password) is None
    assert generate("DB_PASSWORD").reveal() != password


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("RETELL_API_KEY", "", "empty"),
        ("RETELL_API_KEY", "a\nb", "one line"),
        ("RETELL_API_KEY", "a\0", "one line"),
        ("APP_KEY", "x" * 32, "base64:"),
        ("APP_KEY", "base64:c2hvcnQ=", "32 bytes"),
        ("APP_KEY", "base64:?", "32 bytes"),
        ("BASIC_AUTH_QA", "x" * 73, "72 bytes"),
    ],
)
def test_what_is_given_must_fit(root: Path, key: str, value: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(reason)) as error:
        Editor("staging", root).put("askpro", key, Secret(value))
    assert not value or value not in str(error.value)
    assert not (root / "secrets").exists()


def test_machines_secrets_are_made_and_peoples_are_asked_for(root: Path) -> None:
    done = make(root)
    assert done == [
        "askpro APP_KEY: generated",
        "askpro DB_PASSWORD: generated",
        "askpro DB_MIGRATOR_PASSWORD: generated",
        "askpro REDIS_PASSWORD: generated",
        "askpro HTPASSWD_SALT: generated",
        "askpro BASIC_AUTH_QA: set",
        "askpro RETELL_API_KEY: set",
    ]
    secrets = secrets_for("staging", root)["askpro"]
    assert secrets["RETELL_API_KEY"].reveal() == "askpro RETELL_API_KEY"
    assert len(secrets["DB_PASSWORD"].reveal()) == 32


def test_a_second_time_changes_nothing(root: Path) -> None:
    make(root)
    before = stored(root)
    assert make(root) == []
    assert stored(root) == before


def test_a_diff_shows_which_key_changed_and_no_value(root: Path) -> None:
    make(root)
    before = stored(root)
    Editor("staging", root).put("askpro", "RETELL_API_KEY", Secret("hunter2"))
    changed = {key for key in blocks(before) if blocks(before)[key] != blocks(stored(root))[key]}
    assert changed == {"RETELL_API_KEY"}
    assert list(blocks(before)) == sorted(blocks(before)) == list(blocks(stored(root)))
    assert "hunter2" not in stored(root)


def blocks(text: str) -> dict[str, str]:
    return dict(re.findall(r"^  ([A-Z_]+): \|\n((?:    .*\n)+)", text, re.MULTILINE))


def test_the_file_is_replaced_in_one_step_and_leaves_nothing(root: Path) -> None:
    make(root)
    assert [path.name for path in (root / "secrets").iterdir()] == ["staging.yml"]
    assert stat.S_IMODE((root / "secrets/staging.yml").stat().st_mode) == 0o644


def test_an_unknown_secret_is_refused(root: Path) -> None:
    with pytest.raises(SettingsError, match="did you mean 'RETELL_API_KEY'"):
        Editor("staging", root).put("askpro", "RETELL_API_KY", Secret("x"))
    with pytest.raises(SettingsError, match="did you mean 'askpro'"):
        Editor("staging", root).put("askpr", "RETELL_API_KEY", Secret("x"))


def test_without_recipients_nothing_is_written(root: Path) -> None:
    write_all(root)
    with pytest.raises(SettingsError) as error:
        make(root)
    assert str(error.value).startswith("group_data/all.yml:3: recipients: is empty: add your SSH")


# --- Reading them ---


def test_no_file_names_the_command(root: Path) -> None:
    assert problem(root) == (
        "secrets/staging.yml: there is no such file:"
        " `.venv/bin/stagecraft secret staging` creates it"
    )


def test_a_missing_secret_names_the_command(root: Path) -> None:
    make(root)
    (root / "group_data/staging.yml").write_text(
        SITES.replace("[RETELL", "[CALCOM_API_KEY, RETELL")
    )
    assert problem(root) == (
        "secrets/staging.yml:4: askpro.CALCOM_API_KEY: is missing: "
        "`.venv/bin/stagecraft secret staging askpro CALCOM_API_KEY` sets it"
    )


def test_a_missing_secret_that_machines_make_names_another_command(root: Path) -> None:
    (root / "group_data/staging.yml").write_text(SITES.replace("[qa]", "[]"))
    make(root)
    (root / "group_data/staging.yml").write_text(SITES)
    assert (
        "askpro.HTPASSWD_SALT: is missing: `.venv/bin/stagecraft secret staging` generates it"
    ) in problem(root)


def test_a_value_in_clear_is_refused_and_not_shown(root: Path) -> None:
    (root / "secrets").mkdir()
    (root / "secrets/staging.yml").write_text("askpro:\n  APP_KEY: hunter2\n")
    assert problem(root).startswith(
        "secrets/staging.yml:2: askpro.APP_KEY: was not written by `stagecraft secret`"
    )
    assert "hunter2" not in problem(root)


def test_a_stranger_is_told_whose_keys_would_do(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(root)
    make_key(root / "eve")
    monkeypatch.setenv(age.IDENTITY_VARIABLE, str(root / "eve"))
    assert problem(root).startswith("secrets/staging.yml: no private key here opens it")
    assert problem(root).endswith("a recipient's key: anna@askpro")


def test_no_private_key_at_all(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(root)
    monkeypatch.setenv(age.IDENTITY_VARIABLE, str(root / "none"))
    assert f"no file STAGECRAFT_IDENTITY={root}/none" in problem(root)
    monkeypatch.delenv(age.IDENTITY_VARIABLE)
    monkeypatch.setenv("HOME", str(root))
    assert "no file ~/.ssh/id_ed25519 nor ~/.ssh/id_rsa" in problem(root)


def test_a_file_that_is_no_private_key(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(root)
    monkeypatch.setenv(age.IDENTITY_VARIABLE, str(root / "group_data/all.yml"))
    assert "is no SSH or age private key" in problem(root)


def test_the_usual_ssh_key_is_tried(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(root)
    (root / ".ssh").mkdir()
    (root / "anna").rename(root / ".ssh/id_ed25519")
    monkeypatch.delenv(age.IDENTITY_VARIABLE)
    monkeypatch.setenv("HOME", str(root))
    assert secrets_for("staging", root)


def test_an_age_key_will_do(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    age.make_identity(root / "ci")
    write_all(root, age.recipient_of(root / "ci"))
    monkeypatch.setenv(age.IDENTITY_VARIABLE, str(root / "ci"))
    make(root)
    assert secrets_for("staging", root)


def test_a_passphrase_is_asked_for_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def anna(prompt: str) -> str:
        asked.append(prompt)
        return "open sesame"

    write_all(root, make_key(root / "anna", passphrase="open sesame"))
    monkeypatch.setattr(age, "getpass", anna)
    make(root)
    assert not asked
    assert secrets_for("staging", root)
    assert asked == [f"Passphrase of {root}/anna: "]


def test_a_wrong_passphrase(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_all(root, make_key(root / "anna", passphrase="open sesame"))
    make(root)
    monkeypatch.setattr(age, "getpass", lambda prompt: "please")
    assert "the passphrase does not open" in problem(root)


def test_nobody_to_ask_for_a_passphrase(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_terminal(prompt: str) -> str:
        raise EOFError

    write_all(root, make_key(root / "anna", passphrase="open sesame"))
    make(root)
    monkeypatch.setattr(age, "getpass", no_terminal)
    assert "there is no terminal to ask for it" in problem(root)


def test_new_recipients_after_recrypt(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(root)
    before = secrets_for("staging", root)
    secrets_for.cache_clear()
    write_all(root, make_key(root / "bert"))
    Editor("staging", root).recrypt()
    assert "no private key here opens it" in problem(root)
    monkeypatch.setenv(age.IDENTITY_VARIABLE, str(root / "bert"))
    assert secrets_for("staging", root) == before


# --- Each in its place ---

SITE = "{domain: %s, tls: {issuer: selfsigned}, php_fpm: {memory: 10%%}, secrets: [RETELL_API_KEY]}"


@pytest.fixture
def places(root: Path) -> Path:
    """Two environments with two sites each, and all their secrets."""
    for name in ("staging", "production"):
        sites = "".join(f"  {key}: {SITE % f'{key}.{name}.test'}\n" for key in ("askpro", "shop"))
        (root / f"group_data/{name}.yml").write_text(f"server: askpro-1\nsites:\n{sites}")
        list(Editor(name, root).add_missing(answer))
    return root


def armor(root: Path, environment: str) -> dict[str, dict[str, str]]:
    data: dict[str, dict[str, str]] = yaml.safe_load(
        (root / f"secrets/{environment}.yml").read_text()
    )
    return data


def plant(root: Path, ciphertext: str, site: str = "askpro", key: str = "RETELL_API_KEY") -> None:
    """Puts it in the place of one of staging's secrets, by hand, as an editor or git would."""
    text = stored(root)
    text = text.replace(
        indent(armor(root, "staging")[site][key], "    "), indent(ciphertext, "    ")
    )
    (root / "secrets/staging.yml").write_text(text)


@pytest.mark.parametrize(
    ("environment", "site", "key"),
    [
        ("production", "askpro", "RETELL_API_KEY"),
        ("staging", "shop", "RETELL_API_KEY"),
        ("staging", "askpro", "DB_PASSWORD"),
    ],
)
def test_a_value_of_another_place_is_refused(
    places: Path, environment: str, site: str, key: str
) -> None:
    plant(places, armor(places, environment)[site][key])
    line = 1 + stored(places).splitlines().index("  RETELL_API_KEY: |")
    assert problem(places) == (
        f"secrets/staging.yml:{line}: askpro.RETELL_API_KEY: "
        f"this value was encrypted for another place, {environment} {site} {key}: "
        "restore it (git log -p secrets/staging.yml), "
        "or set it again: `.venv/bin/stagecraft secret staging askpro RETELL_API_KEY`"
    )
    with pytest.raises(SettingsError, match="encrypted for another place"):
        Editor("staging", places).recrypt()
    Editor("staging", places).put("askpro", "RETELL_API_KEY", Secret("its own"))
    assert secrets_for("staging", places)["askpro"]["RETELL_API_KEY"].reveal() == "its own"


def test_a_file_copied_to_another_environment_is_refused(places: Path) -> None:
    (places / "secrets/staging.yml").write_text((places / "secrets/production.yml").read_text())
    assert problem(places).startswith("10 problems in the settings:")


def encrypted(root: Path, text: str) -> str:
    return age.encrypt(text, read("staging", root).recipients)


@pytest.mark.parametrize("text", ["hunter2", "-----BEGIN KEY-----\nhunter2", "hunter2\nx"])
def test_a_value_that_says_no_place_is_refused_and_not_shown(places: Path, text: str) -> None:
    plant(places, encrypted(places, text))
    assert "RETELL_API_KEY: this value does not say which place" in problem(places)
    assert "hunter2" not in problem(places)


def earlier_version(root: Path) -> dict[str, dict[str, str]]:
    """Rewrites staging's secrets as they were before there were labels; their values."""
    values = secrets_for("staging", root)
    secrets_for.cache_clear()
    text = "# Encrypted with age, value by value, for the `recipients` of group_data/all.yml.\n"
    for site, secrets in values.items():
        text += f"\n{site}:\n"
        for key, value in secrets.items():
            text += f"  {key}: |\n{indent(encrypted(root, value.reveal()), '    ')}"
    (root / "secrets/staging.yml").write_text(text)
    return {
        site: {key: secret.reveal() for key, secret in secrets.items()}
        for site, secrets in values.items()
    }


def values(root: Path) -> dict[str, dict[str, str]]:
    secrets_for.cache_clear()
    return {
        site: {key: secret.reveal() for key, secret in secrets.items()}
        for site, secrets in secrets_for("staging", root).items()
    }


def test_a_file_of_an_earlier_version_is_read_and_says_what_to_do(
    places: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = earlier_version(places)
    assert values(places) == before
    assert "Run `.venv/bin/stagecraft secret staging --recrypt`" in caplog.text


def test_recrypt_labels_what_an_earlier_version_wrote(
    places: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = earlier_version(places)
    Editor("staging", places).recrypt()
    assert values(places) == before
    plant(places, armor(places, "staging")["shop"]["DB_PASSWORD"])
    secrets_for.cache_clear()
    assert "staging shop DB_PASSWORD" in problem(places)
    assert not caplog.text


def test_the_next_write_labels_what_an_earlier_version_wrote(places: Path) -> None:
    before = earlier_version(places)
    Editor("staging", places).put("shop", "RETELL_API_KEY", Secret("another"))
    before["shop"]["RETELL_API_KEY"] = "another"
    assert values(places) == before
    plant(places, armor(places, "staging")["shop"]["DB_PASSWORD"])
    secrets_for.cache_clear()
    assert "staging shop DB_PASSWORD" in problem(places)


def test_an_old_value_among_new_ones_is_refused(places: Path) -> None:
    """Also where somebody made the file look like one of an earlier version."""
    plant(places, encrypted(places, "an old one"))
    assert "does not say which place" in problem(places)
    (places / "secrets/staging.yml").write_text(stored(places).replace("# ", "# Once: "))
    assert "does not say which place" in problem(places)
    with pytest.raises(SettingsError, match="does not say which place"):
        Editor("staging", places).recrypt()


def test_a_key_that_stands_twice_is_refused(places: Path) -> None:
    key = "  RETELL_API_KEY: |\n" + indent(armor(places, "staging")["shop"]["DB_PASSWORD"], "    ")
    (places / "secrets/staging.yml").write_text(stored(places) + key)
    assert "shop.RETELL_API_KEY: is defined twice: see line" in problem(places)


def test_secret_says_for_whom_it_encrypts(root: Path) -> None:
    write_all(root, make_key(root / "anna"), make_key(root / "eve"))
    make(root)
    assert Editor("staging", root).state().splitlines() == [
        "secrets/staging.yml: complete",
        "New values are encrypted for: anna@askpro, eve@askpro",
    ]


# --- Throwaway servers ---


def test_a_throwaway_server_makes_its_own(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_all(root, throwaway=True)
    monkeypatch.delenv(age.IDENTITY_VARIABLE)
    made = secrets_for("staging", root)
    assert made["askpro"].keys() >= {"APP_KEY", "BASIC_AUTH_QA", "RETELL_API_KEY"}
    assert not (root / "secrets").exists()
    assert stat.S_IMODE((root / ".stagecraft/identity").stat().st_mode) == 0o600
    secrets_for.cache_clear()
    assert secrets_for("staging", root) == made


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (b"", "there is no age key in it"),
        (b"\xff", "is not a text file"),
        (b"AGE-SECRET-KEY-1X\n", "its age key is damaged"),
    ],
)
def test_a_throwaway_server_s_key_that_is_none(root: Path, key: bytes, message: str) -> None:
    write_all(root, throwaway=True)
    (root / ".stagecraft").mkdir()
    (root / ".stagecraft/identity").write_bytes(key)
    with pytest.raises(SettingsError, match=message) as error:
        secrets_for("staging", root)
    assert "delete it: throwaway secrets are generated automatically" in str(error.value)


def test_a_throwaway_server_outlives_its_lost_key(root: Path) -> None:
    write_all(root, throwaway=True)
    secrets_for("staging", root)
    secrets_for.cache_clear()
    (root / ".stagecraft/identity").unlink()
    assert secrets_for("staging", root)


def test_a_throwaway_server_rewrites_its_own_of_an_earlier_version(root: Path) -> None:
    write_all(root, throwaway=True)
    made = secrets_for("staging", root)
    path = root / ".stagecraft/secrets/staging.yml"
    to = [age.recipient_of(root / ".stagecraft/identity")]
    armored = {key: age.encrypt(value.reveal(), to) for key, value in made["askpro"].items()}
    path.write_text(yaml.safe_dump({"askpro": armored}))
    secrets_for.cache_clear()
    assert secrets_for("staging", root) == made
    assert path.read_text().startswith(HEADER)


# --- Without opening them ---


def test_a_plan_without_keys_gets_stand_ins(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(age.IDENTITY_VARIABLE, "/nonexistent")
    environment = read("staging", root)
    secrets = stand_ins(environment)
    assert {secret.reveal() for site in secrets.values() for secret in site.values()} == {STAND_IN}
    assert set(secrets["askpro"]) >= {"APP_KEY", "DB_PASSWORD"}
    with pytest.raises(SettingsError):
        secrets_for("staging", root)


def sums(root: Path) -> tuple[str, str]:
    return made_of(read("staging", root), root)["askpro-staging"]


def test_what_secret_files_are_made_of_is_told_without_a_key(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(root)
    monkeypatch.setenv(age.IDENTITY_VARIABLE, "/nonexistent")
    settings, values = sums(root)
    staging = root / "group_data/staging.yml"
    staging.write_text(f"{SITES}    upload_limit: 3M\n")
    assert sums(root) == (settings, values)
    staging.write_text(f"{SITES}    env: {{A: b}}\n")
    assert sums(root) == (sums(root)[0], values)
    assert sums(root)[0] != settings
    staging.write_text(SITES)
    (root / "secrets/staging.yml").unlink()
    assert sums(root) == (settings, "")


def test_another_value_makes_other_files(root: Path) -> None:
    make(root)
    before = sums(root)
    Editor("staging", root).put("askpro", "RETELL_API_KEY", Secret("another"))
    assert sums(root)[0] == before[0]
    assert sums(root)[1] != before[1]
