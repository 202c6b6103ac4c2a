"""The proof that an account can log in: which keys are tried, and what is said when none opens."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from pyinfra.api.exceptions import ConnectError

from stagecraft.errors import ServerError
from stagecraft.login import Login, advice, connect, unlock


def test_a_key_with_a_passphrase_is_asked_for_before_anything_changes(tmp_path: Path) -> None:
    key = tmp_path / "key"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(key)]
    subprocess.run(command, check=True)
    state = SimpleNamespace(private_keys={}, cwd=str(tmp_path))
    with pytest.raises(
        ServerError, match=f"{key}, for the login as deploy on port 22, cannot be unlocked"
    ):
        unlock(state, Login("deploy", 22, keys=("", str(key))))


@pytest.mark.parametrize(
    "error",
    ["Authentication error (key=B)", "SSH error (No authentication methods available)"],
)
def test_who_is_refused_is_not_kept_waiting(error: str) -> None:
    attempts = []

    def refuse() -> None:
        attempts.append(error)
        raise ConnectError(error)

    with pytest.raises(ConnectError):
        connect(SimpleNamespace(connect=refuse), time.monotonic() + 5)  # type: ignore[arg-type]
    assert attempts == [error]


def test_the_keys_that_were_tried_and_those_that_open_the_account_are_named() -> None:
    login = Login("deploy", 22, keys=("B", "A"), admitted=("SHA256:x anna@laptop",))
    text = advice(ConnectError("Authentication error (key=A)"), login, ["B", "A"])
    assert text.startswith("None of your SSH keys is accepted for deploy; tried: B, A.")
    assert "Accepted keys: SHA256:x anna@laptop." in text
    nobody = advice(ConnectError("Authentication error ()"), login, [])
    assert "tried: you have none." in nobody
