"""pyinfra's own command line, on a copy of this repository: what it takes, and what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import State
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.context import ctx_state

from stagecraft.connection.connector import FastSSHConnector
from stagecraft.errors import CommandLineError
from stagecraft.inventory import load, refuse_misread_arguments
from stagecraft.secrets import secrets_for
from stagecraft.secrets.read import opened_secrets
from stagecraft.settings import REPOSITORY, SettingsError

PARTS = ("config.py", "secret.py", "inventories", "group_data", "stagecraft")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, as after `make server`: the local environment works."""
    root = tmp_path_factory.mktemp("repository")
    for part in PARTS:
        source = REPOSITORY / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, root / part)
    (root / ".stagecraft").mkdir()
    (root / ".stagecraft/ssh_config").write_text("Host local\n    HostName 192.0.2.1\n")
    public_key = Ed25519PrivateKey.generate().public_key()
    (root / ".stagecraft/key.pub").write_bytes(
        public_key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    )
    return root


# --- load ---


def test_host_data_is_plain_and_free_of_secrets(repository: Path) -> None:
    hosts, data = load("local", repository)
    secrets = secrets_for("local", repository)["askpro"]
    assert hosts == [
        (
            "@stagecraft/local",
            {
                "ssh_user": "deploy",
                "ssh_hostname": "local",
                "ssh_config_file": f"{repository}/.stagecraft/ssh_config",
                "ssh_known_hosts_file": f"{repository}/known_hosts",
                "_sudo": True,
            },
        )
    ]
    text = json.dumps(data)
    assert not [key for key, secret in secrets.items() if secret.reveal() in text]


@pytest.mark.parametrize(
    ("server", "data"),
    [
        ("{address: a.test}", {"ssh_user": "root", "ssh_port": 22}),
        (
            "{address: a.test, ssh_user: ops, ssh_port: 2222}",
            {"ssh_user": "ops", "ssh_port": 2222, "_sudo": True},
        ),
    ],
)
def test_how_a_server_is_reached(tmp_path: Path, server: str, data: dict[str, object]) -> None:
    write(tmp_path, server)
    ((name, connection),), _ = load("staging", tmp_path)
    assert (name, connection) == ("@stagecraft/one", {"ssh_hostname": "a.test", **data})


def test_a_server_keeps_its_name_in_messages_and_for_limit(tmp_path: Path) -> None:
    write(tmp_path, "{address: a.test}")
    inventory = Inventory(load("staging", tmp_path))
    assert [(host.name, host.connector_cls) for host in inventory] == [("one", FastSSHConnector)]


def test_the_fast_path_has_a_switch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "{address: a.test}")
    monkeypatch.setenv("STAGECRAFT_FAST", "no")
    inventory = Inventory(load("staging", tmp_path))
    assert [(host.name, host.connector_cls) for host in inventory] == [("one", SSHConnector)]


def test_a_lever_that_does_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "{address: a.test}")
    monkeypatch.setenv("STAGECRAFT_FAST", "nodelay,turbo")
    with pytest.raises(CommandLineError, match=r"turbo.*no, nodelay, shell, foresight"):
        load("staging", tmp_path)


@pytest.mark.parametrize(
    ("operations", "memory"),
    [
        (("deploy.py",), "staging-one-deploy.json"),
        (("ops/drift.py",), "staging-one-drift.json"),
        (("deploy.py", "drift.py"), None),
        (("exec", "uptime"), None),
        (("tasks.nginx.nginx",), None),
    ],
)
def test_each_verb_has_its_own_memory(
    tmp_path: Path, operations: tuple[str, ...], memory: str | None
) -> None:
    write(tmp_path, "{address: a.test}")
    with click.Context(click.Command("pyinfra")) as context:
        context.params = {"operations": operations, "dry": True, "json_output": False}
        ((_, data),), _ = load("staging", tmp_path)
    expected = str(tmp_path / ".stagecraft/foreseen" / memory) if memory else None
    assert data.get("foreseen_facts") == expected


def write(root: Path, server: str) -> None:
    (root / "group_data").mkdir()
    server = server.replace("}", ", throwaway: true}")
    (root / "group_data/all.yml").write_text(f"servers:\n  one: {server}\n")
    site = "{domain: a.test, tls: {issuer: selfsigned}}"
    (root / "group_data/staging.yml").write_text(f"server: one\nsites: {{a: {site}}}\n")


def test_ssh_files_that_are_not_there(tmp_path: Path) -> None:
    write(tmp_path, "{address: a.test, ssh_config: none}")
    with pytest.raises(SettingsError, match=r"all\.yml:2: servers\.one\.ssh_config: there is no"):
        load("staging", tmp_path)


# --- Arguments ---


def refuse(**arguments: object) -> None:
    """As config.py does, with these arguments on pyinfra's command line."""
    defaults: dict[str, object] = {"dry": False, "yes": False, "limit": (), "exclude": ()}
    with ctx_state.use(State()), click.Context(click.Command("pyinfra")) as context:
        context.params = {"inventory": "inventories/staging.py", **defaults, **arguments}
        refuse_misread_arguments()


@pytest.fixture
def inventories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inventories").mkdir()
    (tmp_path / "inventories/staging.py").write_text('staging = ["askpro-1"]\n')
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("inventories")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"inventory": "inventories/stagin.py"},
            "there is no inventory inventories/stagin.py; there are: inventories/staging.py",
        ),
        ({"inventory": "203.0.113.10"}, "there is no inventory 203.0.113.10; "),
        ({"dry": True, "yes": True}, "--dry with -y shows no change"),
        ({"limit": ["askpro-2"]}, "--limit askpro-2 matches no server; there are: askpro-1"),
        ({"limit": ["askpro-1", "prod"]}, "--limit prod matches no server"),
        ({"exclude": ["x*"]}, "--exclude x* matches no server"),
    ],
)
def test_what_pyinfra_would_misread(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(CommandLineError) as error:
        refuse(**arguments)
    assert error.value.message.startswith(message)


@pytest.mark.usefixtures("inventories")
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"inventory": "@local"},
        {"dry": True},
        {"yes": True},
        {"limit": ["askpro-1"]},
        {"limit": ["askpro*"]},
        {"limit": ["staging"]},
        {"exclude": ["staging"]},
    ],
)
def test_what_pyinfra_understands(arguments: dict[str, object]) -> None:
    refuse(**arguments)


def test_outside_pyinfra_there_are_no_arguments() -> None:
    refuse_misread_arguments()


# --- The programs themselves ---


def run(root: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env=os.environ | {"PYTHONPATH": ""},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


def pyinfra(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(root, "-m", "pyinfra", *arguments)


def test_debug_inventory_shows_no_secret(repository: Path) -> None:
    result = pyinfra(repository, "inventories/local.py", "debug-inventory", "--json")
    assert result.returncode == 0
    assert "askpro.test" in result.stdout
    opened_secrets.cache_clear()
    secrets = secrets_for("local", repository)["askpro"].values()
    output = result.stdout + result.stderr
    assert not [secret for secret in secrets if secret.reveal() in output]


@pytest.mark.parametrize(
    ("inventory", "message"),
    [
        ("inventories/stagin.py", "there is no inventory inventories/stagin.py"),
        ("inventories/staging.py", "secrets/staging.yml: there is no such file"),
    ],
)
def test_an_error_is_no_traceback(repository: Path, inventory: str, message: str) -> None:
    result = pyinfra(repository, inventory, "debug-inventory")
    assert result.returncode == 1
    assert f"pyinfra error: {message}" in result.stderr
    assert "Traceback" not in result.stderr


def test_secret_py_takes_a_value_from_standard_input(repository: Path) -> None:
    arguments = ("secret.py", "local", "askpro", "DB_PASSWORD")
    secrets_for("local", repository)  # local makes the rest itself
    result = run(repository, *arguments, given="hunter2\n")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == ".stagecraft/secrets/local.yml: complete\n"
    opened_secrets.cache_clear()
    assert secrets_for("local", repository)["askpro"]["DB_PASSWORD"].reveal() == "hunter2"


def test_secret_py_fails_without_a_traceback(repository: Path) -> None:
    result = run(repository, "secret.py", "staging")
    assert result.returncode == 1
    assert result.stderr.startswith("secret.py: group_data/all.yml:")
    assert "recipients: is empty: put your SSH public key there" in result.stderr
    assert "Traceback" not in result.stderr
