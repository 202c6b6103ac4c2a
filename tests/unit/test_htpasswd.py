"""Basic auth's passwords: nginx can check them, nobody can read them, no plan shows a change."""

from __future__ import annotations

import re
from typing import Any

import bcrypt
import pytest

from stagecraft.htpasswd import COST, hashed, htpasswd_lines
from stagecraft.secrets import Secret


@pytest.fixture
def two_users(make_site: Any) -> Any:
    return make_site(protect={"basic_auth": ["qa", "ops_2"]})


PASSWORDS = {"BASIC_AUTH_QA": Secret("hunter2"), "BASIC_AUTH_OPS_2": Secret("pässwört €")}


def test_each_user_has_a_line_that_his_password_opens(two_users: Any) -> None:
    lines = dict(line.split(":") for line in htpasswd_lines(two_users, PASSWORDS).splitlines())
    assert list(lines) == ["qa", "ops_2"]
    assert bcrypt.checkpw(b"hunter2", lines["qa"].encode())
    assert bcrypt.checkpw("pässwört €".encode(), lines["ops_2"].encode())
    assert not bcrypt.checkpw(b"hunter3", lines["qa"].encode())


def test_the_same_password_makes_the_same_line_in_every_run(two_users: Any) -> None:
    assert htpasswd_lines(two_users, PASSWORDS) == htpasswd_lines(two_users, PASSWORDS)


def test_one_password_looks_different_for_every_user_and_site(
    make_site: Any, two_users: Any
) -> None:
    other = make_site(environment="production", protect={"basic_auth": ["qa"]})
    hashes = {
        hashed("qa", two_users, "hunter2"),
        hashed("ops_2", two_users, "hunter2"),
        hashed("qa", other, "hunter2"),
        hashed("qa", two_users, "hunter3"),
    }
    assert len(hashes) == 4
    assert len({value[7:29] for value in hashes}) == 4


def test_no_password_is_in_the_file(two_users: Any) -> None:
    text = htpasswd_lines(two_users, PASSWORDS)
    assert not re.search("hunter2|pässwört", text)


@pytest.mark.parametrize("password", ["", "x", "y" * 72, "'\"\\$ :", "𝄞" * 18])
def test_a_hash_is_in_bcrypt_s_own_form(two_users: Any, password: str) -> None:
    """In this form libxcrypt, which nginx calls, takes it; a wrong last character it does not."""
    value = hashed("qa", two_users, password)
    assert re.fullmatch(rf"\$2b\${COST:02}\$[./A-Za-z0-9]{{21}}[.Oeu][./A-Za-z0-9]{{31}}", value)
    assert bcrypt.checkpw(password.encode(), value.encode())


def test_a_site_without_users_has_no_lines(site: Any) -> None:
    assert htpasswd_lines(site, {}) == ""
