"""Basic auth's passwords: nginx can check them, nobody can read them, no plan shows a change."""

from __future__ import annotations

import re
from typing import Any

import bcrypt
import pytest

from stagecraft.htpasswd import COST, hashed, htpasswd_lines, salt
from stagecraft.secrets import Secret


@pytest.fixture
def two_users(make_site: Any) -> Any:
    return make_site(protect={"basic_auth": ["qa", "ops_2"]})


PASSWORDS = {
    "BASIC_AUTH_QA": Secret("hunter2"),
    "BASIC_AUTH_OPS_2": Secret("pässwört €"),
    "HTPASSWD_SALT": Secret("yHpkYJXoQ2Yf0rbzSbQF1mnWjGsOa4Zx"),
}


def test_each_user_has_a_line_that_his_password_opens(two_users: Any) -> None:
    lines = dict(line.split(":") for line in htpasswd_lines(two_users, PASSWORDS).splitlines())
    assert list(lines) == ["qa", "ops_2"]
    assert bcrypt.checkpw(b"hunter2", lines["qa"].encode())
    assert bcrypt.checkpw("pässwört €".encode(), lines["ops_2"].encode())
    assert not bcrypt.checkpw(b"hunter3", lines["qa"].encode())


def test_the_same_password_makes_the_same_line_in_every_run(two_users: Any) -> None:
    assert htpasswd_lines(two_users, PASSWORDS) == htpasswd_lines(two_users, PASSWORDS)


def test_every_user_site_and_secret_has_a_salt_of_its_own(make_site: Any, two_users: Any) -> None:
    other = make_site(environment="production", protect={"basic_auth": ["qa"]})
    again = PASSWORDS | {"HTPASSWD_SALT": Secret("another")}
    salts = {
        salt("qa", two_users, PASSWORDS),
        salt("ops_2", two_users, PASSWORDS),
        salt("qa", other, PASSWORDS),
        salt("qa", two_users, again),
    }
    assert len(salts) == 4


def test_a_salt_confirms_no_guess_of_the_password(two_users: Any) -> None:
    """Only bcrypt does, at its cost: the password has no part in the salt."""
    other = PASSWORDS | {"BASIC_AUTH_QA": Secret("hunter3")}
    ours, theirs = (htpasswd_lines(two_users, secrets) for secrets in (PASSWORDS, other))
    shared = len("qa:$2b$06$") + 22
    assert ours[:shared] == theirs[:shared]
    assert ours[shared:].splitlines()[0] != theirs[shared:].splitlines()[0]


def test_no_password_is_in_the_file(two_users: Any) -> None:
    text = htpasswd_lines(two_users, PASSWORDS)
    assert not re.search("hunter2|pässwört", text)


@pytest.mark.parametrize("password", ["", "x", "y" * 72, "'\"\\$ :", "𝄞" * 18])
def test_a_hash_is_in_bcrypt_s_own_form(password: str) -> None:
    """In this form libxcrypt, which nginx calls, takes it; a wrong last character it does not."""
    value = hashed(Secret(password), bytes(range(16)))
    assert re.fullmatch(rf"\$2b\${COST:02}\$[./A-Za-z0-9]{{21}}[.Oeu][./A-Za-z0-9]{{31}}", value)
    assert bcrypt.checkpw(password.encode(), value.encode())


def test_a_site_without_users_has_no_lines(site: Any) -> None:
    assert htpasswd_lines(site, {}) == ""
