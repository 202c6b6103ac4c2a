"""pyinfra's own command line, on a copy of this repository: what it takes, and what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pyinfra.api.inventory import Inventory
from pyinfra.api.state import State
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.context import ctx_state
from pyinfra_cli import cli  # type: ignore[import-untyped]

from stagecraft.connection.connector import FastSSHConnector
from stagecraft.errors import CommandLineError
from stagecraft.inventory import confirm, load, refuse_misread_arguments
from stagecraft.secrets import secrets_for
from stagecraft.settings import REPOSITORY, SettingsError

ALL = """\
servers:
  askpro-1: {address: 203.0.113.10}
  local:
    address: local
    ssh_config: .stagecraft/ssh_config
    throwaway: true
    host: {admins: {anna: [.stagecraft/key.pub]}}
"""

SITE = """\
server: %s
sites:
  askpro: {domain: askpro.test, tls: {issuer: selfsigned}}
"""

INVENTORY = 'from stagecraft.inventory import load\n\n{0} = load("{0}")\n'


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository with other settings, as after `make server`: the local environment works."""
    root = tmp_path_factory.mktemp("repository")
    programs = ("config.py", "deploy.py", "bootstrap.py")
    for part in (*programs, "stagecraft", "tasks", "templates"):
        source = REPOSITORY / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, root / part)
    for directory in ("group_data", "inventories", ".stagecraft"):
        (root / directory).mkdir()
    (root / "group_data/all.yml").write_text(ALL)
    for environment, server in (("local", "local"), ("staging", "askpro-1")):
        (root / f"group_data/{environment}.yml").write_text(SITE % server)
        (root / f"inventories/{environment}.py").write_text(INVENTORY.format(environment))
    (root / ".stagecraft/ssh_config").write_text("Host local\n    HostName 192.0.2.1\n")
    public_key = Ed25519PrivateKey.generate().public_key()
    (root / ".stagecraft/key.pub").write_bytes(
        public_key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    )
    return root


# --- load ---


@contextmanager
def started(**arguments: object) -> Iterator[None]:
    """As from pyinfra's command line, with these arguments of a plan, and after config.py."""
    with pytest.MonkeyPatch.context() as patch, click.Context(click.Command("pyinfra")) as context:
        patch.setattr(cli, "_do_confirm", confirm)
        context.params = {"dry": True, "json_output": False, **arguments}
        yield


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
                "_env": {"LC_ALL": "C"},
                "account_of_bootstrap": "deploy",
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
    expected = {"ssh_hostname": "a.test", "_env": {"LC_ALL": "C"}, **data}
    assert (name, connection) == ("@stagecraft/one", expected)


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
    with started(operations=operations):
        ((_, data),), _ = load("staging", tmp_path)
    expected = str(tmp_path / ".stagecraft/foreseen" / memory) if memory else None
    assert data.get("foreseen_facts") == expected


@pytest.mark.parametrize(
    ("verb", "told", "keys"),
    [
        ("bootstrap.py", {}, ["B"]),
        ("bootstrap.py", {"ssh_user": "root", "ssh_key": "A"}, ["B", "A"]),
        ("bootstrap.py", {"ssh_key": "A"}, ["A"]),
        ("deploy.py", {"ssh_user": "anna", "ssh_key": "A"}, ["A"]),
    ],
)
def test_which_keys_may_open_the_account_of_every_run(
    tmp_path: Path, verb: str, told: dict[str, str], keys: list[str]
) -> None:
    """Who rotates a key logs in with the new one; a provider's key need not open the account."""
    (tmp_path / "B").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    write(tmp_path, f"{{address: a.test, ssh_key: {tmp_path}/B}}")
    with started(operations=(verb,), **told):
        ((_, connection),), data = load("staging", tmp_path)
    expected = [key if key == "A" else f"{tmp_path}/B" for key in keys]
    assert data["login"]["ssh_keys"] == expected
    assert connection["ssh_key"] == f"{tmp_path}/B"


def write(root: Path, server: str) -> None:
    (root / "group_data").mkdir()
    server = server.removesuffix("}") + ", throwaway: true}"
    (root / "group_data/all.yml").write_text(f"servers:\n  one: {server}\n")
    site = "{domain: a.test, tls: {issuer: selfsigned}}"
    (root / "group_data/staging.yml").write_text(f"server: one\nsites: {{a: {site}}}\n")


def test_ssh_files_that_are_not_there(tmp_path: Path) -> None:
    write(tmp_path, "{address: a.test, ssh_config: none}")
    with pytest.raises(SettingsError, match=r"all\.yml:2: servers\.one\.ssh_config: there is no"):
        load("staging", tmp_path)


def test_data_overrides_nothing_of_an_inventory(repository: Path) -> None:
    first_contact = {"operations": ("bootstrap.py",), "ssh_user": "root"}
    with started(**first_contact):
        ((_, connection),), data = load("local", repository)
    assert {"ssh_config_file", "usual_login", "foreseen_facts"} <= connection.keys()
    for name in (*connection, *data, "_ignore_errors"):
        message = f"--data {name} would override the inventory"
        with (
            started(**first_contact, data=(f"{name}=x",)),
            pytest.raises(CommandLineError) as error,
        ):
            load("local", repository)
        assert str(error.value).startswith(message)


@pytest.mark.parametrize("name", ["upload_limit", "sites.askpro.domain", "host.firewall"])
def test_data_is_no_place_for_settings(repository: Path, name: str) -> None:
    message = f"--data {name} has no effect: .* is a setting"
    deploy = started(operations=("deploy.py",), data=(f"{name}=x",))
    with deploy, pytest.raises(CommandLineError, match=message):
        load("local", repository)


def test_a_team_s_own_verb_has_data_of_its_own(repository: Path) -> None:
    with started(operations=("ops/rotate.py",), data=("user=anna",)):
        load("local", repository)


def test_two_environments_of_a_server_in_one_inventory(tmp_path: Path) -> None:
    """pyinfra would take the last one for both."""
    write(tmp_path, "{address: a.test}")
    site = "{domain: b.test, tls: {issuer: selfsigned}}"
    (tmp_path / "group_data/qa.yml").write_text(f"server: one\nsites: {{b: {site}}}\n")
    with started(operations=("deploy.py",)):
        load("staging", tmp_path)
        load("staging", tmp_path)
        message = (
            "the inventory lists one twice, for staging and for qa: a run applies only one env"
        )
        with pytest.raises(CommandLineError, match=message):
            load("qa", tmp_path)
    with started(operations=("deploy.py",)):
        load("qa", tmp_path)


def test_data_that_verbs_and_pyinfra_take(repository: Path) -> None:
    data = ("upgrade=true", "report=/tmp/x", "ssh_strict_host_key_checking=yes")
    with started(operations=("deploy.py",), data=data):
        load("local", repository)


PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB me@laptop"


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("ssh_key: id.pub", PUBLIC_KEY, "id.pub is not a private key in ssh-keygen's format: use"),
        ("ssh_key: key", "PuTTY-User-Key-File-3: ssh-ed25519", "key is not a private key"),
        ("ssh_key: key", "", "key is not a private key"),
        ("ssh_key: .", "", " is a directory"),
        ("ssh_config: .", "", " is a directory"),
        ("ssh_config: config", "Host\x00", "config is no ssh_config: "),
        ("ssh_config: config", "Hostname", "config is no ssh_config: "),
        ("ssh_config: config", "Host *\n Port ssh", "config says Port ssh, which is no number"),
    ],
)
def test_ssh_files_that_are_of_no_use(tmp_path: Path, key: str, text: str, message: str) -> None:
    write(tmp_path, f"{{address: a.test, {key}}}")
    if not key.endswith("."):
        (tmp_path / key.split(": ")[1]).write_text(text)
    with pytest.raises(SettingsError) as error:
        load("staging", tmp_path)
    assert str(error.value).startswith(f"group_data/all.yml:2: servers.one.{key.split(':')[0]}: ")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("Port 99999", "says Port 99999; ports go from 1 to 65535"),
        ("ConnectTimeout soon", "says ConnectTimeout soon, which is no number"),
        ("ServerAliveInterval 1m", "says ServerAliveInterval 1m, which is no number"),
        ("ProxyCommand none", "says ProxyCommand none, which pyinfra does not know: except"),
        ('ProxyCommand sh -c "x', "in which a quotation is not closed"),
        ("ProxyJump none", "says ProxyJump none, which pyinfra does not know: except"),
        ("ProxyJump b.test:abc", "says ProxyJump b.test:abc, which is no host, user@host or"),
        ("ProxyJump b.test:99999", "says ProxyJump b.test:99999, which is no host"),
        ("ProxyJump b.test,", "says ProxyJump , which is no host"),
        ("ProxyJump b.test\nHost b.test\nPort x", "says Port x, which is no number"),
        (
            "ProxyJump b.test\nHost b.test\nProxyJump c.test\nHost c.test\nConnectTimeout x",
            "says ConnectTimeout x, which is no number",
        ),
        (
            "ProxyJump b.test\nHost b.test\nProxyJump a.test",
            "says ProxyJump a.test also for a.test itself: except it there (Host * !a.test)",
        ),
        ("CanonicalizeHostname yes", "is no ssh_config: 'canonicaldomains'"),
    ],
)
def test_an_ssh_config_that_pyinfra_cannot_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, message: str
) -> None:
    """Be it the one that the settings name, or the operator's own."""
    text = f"Host a.test\n{options}\n"
    named, usual = tmp_path / "named", tmp_path / "usual"
    for root, config in ((named, named / "config"), (usual, tmp_path / ".ssh/config")):
        config.parent.mkdir()
        config.write_text(text)
        root.mkdir(exist_ok=True)
    write(named, "{address: a.test, ssh_config: config}")
    write(usual, "{address: a.test}")
    for root, key in ((named, "ssh_config"), (usual, "address")):
        monkeypatch.setenv("HOME", str(tmp_path if root == usual else root))
        with pytest.raises(SettingsError) as error:
            load("staging", root)
        assert str(error.value).startswith(f"group_data/all.yml:2: servers.one.{key}: {tmp_path}")
        assert message in str(error.value)


def test_a_home_that_cannot_be_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "{address: a.test}")
    home = tmp_path / "home"
    home.symlink_to(home)
    monkeypatch.setenv("HOME", str(home))
    with pytest.raises(SettingsError, match=r"servers.one.address: .*/\.ssh/config cannot be read"):
        load("staging", tmp_path)


def test_throwaway_secrets_that_cannot_be_written(tmp_path: Path) -> None:
    write(tmp_path, "{address: a.test}")
    (tmp_path / ".stagecraft").touch()
    with started(operations=("deploy.py",)), pytest.raises(SettingsError) as error:
        load("staging", tmp_path)
    assert str(error.value).startswith(".stagecraft/secrets/staging.yml: cannot be written: ")


def test_an_ssh_config_with_a_way_through_others(tmp_path: Path) -> None:
    hops = "Host b.test c.test\nUser x\nHost c.test\nProxyJump d.test\nHost d.test\nPort 2222\n"
    (tmp_path / "config").write_text(f"Host a.test\nProxyJump u@b.test:22,c.test\n{hops}")
    write(tmp_path, "{address: a.test, ssh_config: config}")
    load("staging", tmp_path)


def test_what_a_throwaway_server_brings_is_not_there_before_it(tmp_path: Path) -> None:
    write(tmp_path, "{address: a.test, host: {admins: {anna: [key.pub]}}}")
    with pytest.raises(SettingsError) as error:
        load("staging", tmp_path)
    assert str(error.value) == (
        f"group_data/all.yml:2: servers.one.host.admins.anna[0]: there is no file "
        f"{tmp_path}/key.pub: `make server` boots the server and creates it"
    )


# --- Arguments ---


def refuse(**arguments: object) -> None:
    """As config.py does, with these arguments on pyinfra's command line."""
    defaults: dict[str, object] = {
        "operations": ("deploy.py",),
        "dry": False,
        "yes": False,
        "limit": (),
        "exclude": (),
        "ssh_key": None,
        "data": (),
    }
    with ctx_state.use(State()), click.Context(click.Command("pyinfra")) as context:
        context.params = {"inventory": "inventories/staging.py", **defaults, **arguments}
        refuse_misread_arguments()


@pytest.fixture
def inventories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inventories").mkdir()
    (tmp_path / "inventories/staging.py").write_text('staging = ["askpro-1"]\n')
    (tmp_path / "deploy.py").touch()
    (tmp_path / "group_data").mkdir()
    (tmp_path / "group_data/staging.yml").touch()
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("inventories")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"inventory": "inventories/stagin.py"},
            "there is no inventory inventories/stagin.py; there are: inventories/staging.py",
        ),
        (
            {"inventory": "inventories/staging.py,inventories/qa.py", "operations": ("exec", "w")},
            "there is no inventory inventories/staging.py,inventories/qa.py; there are: inv",
        ),
        *(
            (
                {"inventory": inventory, "operations": (verb,)},
                f"{verb} needs an inventory of an environment, which {inventory} is not;"
                " there are: inventories/staging.py",
            )
            for inventory in ("@local", "203.0.113.10", "stagin", "a.test,@local")
            for verb in ("deploy.py", "bootstrap.py")
        ),
        (
            {"inventory": "a.invalid", "operations": ("exec", "uptime")},
            "a.invalid is neither a host nor an inventory; there are: inventories/staging.py",
        ),
        ({"inventory": "inventories"}, "inventories is not an inventory; "),
        ({"inventory": "deploy.py"}, "deploy.py is not an inventory; there are: inv"),
        ({"inventory": "group_data/staging.yml"}, "group_data/staging.yml is not an inventory"),
        (
            {"operations": ("inventories/production.py", "deploy.py")},
            "inventories/production.py is a second inventory, and pyinfra takes only one",
        ),
        (
            {"inventory": "deploy.py", "operations": ("inventories/staging.py",)},
            "inventories/staging.py is a second inventory, and pyinfra takes only one",
        ),
        ({"dry": True, "yes": True}, "--dry with -y never shows changes"),
        ({"ssh_key": "id_gone"}, "--key: there is no file id_gone"),
        ({"ssh_key": "group_data"}, "--key: group_data is a directory"),
        (
            {"ssh_key": "group_data/staging.yml"},
            "--key: group_data/staging.yml is not a private key",
        ),
        (
            {"data": ("upgrade",)},
            "--data 'upgrade' must be a name and a value, such as upgrade=true",
        ),
        ({"data": ("=true",)}, "--data '=true' must be a name and a value"),
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
        {"inventory": "@local", "operations": ("own.py",)},
        {"inventory": "@docker/a/b,@local", "operations": ("exec", "uptime")},
        {"inventory": "203.0.113.10", "operations": ("fact", "server.Os")},
        {"inventory": "203.0.113.10", "operations": ("own.py",)},
        {"inventory": "web", "operations": ("exec", "w"), "data": ("ssh_hostname=a.invalid",)},
        {"operations": ("exec", "cat", "inventories/production.py")},
        {"dry": True},
        {"yes": True},
        {"limit": ["askpro-1"]},
        {"limit": ["askpro*"]},
        {"limit": ["staging"]},
        {"exclude": ["staging"]},
        {"data": ("upgrade=true", "report=a=b")},
    ],
)
def test_what_pyinfra_understands(arguments: dict[str, object]) -> None:
    refuse(**arguments)


def test_outside_pyinfra_there_are_no_arguments() -> None:
    refuse_misread_arguments()


# --- The programs themselves ---


def run(
    root: Path, *arguments: str, given: str = "", path: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env=os.environ | {"PYTHONPATH": path},
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )


def pyinfra(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(root, "-m", "pyinfra", *arguments)


@pytest.mark.parametrize("environment", ["local", "staging"])
def test_debug_inventory_opens_no_secret(repository: Path, environment: str) -> None:
    result = pyinfra(repository, f"inventories/{environment}.py", "debug-inventory", "--json")
    assert result.returncode == 0
    assert "askpro.test" in result.stdout
    assert not (repository / "secrets").exists()


def test_debug_inventory_shows_no_secret(repository: Path) -> None:
    secrets_for("local", repository)
    result = pyinfra(repository, "inventories/local.py", "debug-inventory", "--json")
    secrets_for.cache_clear()
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
    result = pyinfra(repository, "--dry", inventory, "deploy.py")
    assert result.returncode == 1
    assert f"pyinfra error: {message}" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("words", "told"), [(("exec", "--", "echo", "a b"), "a b"), (("fact", "server.Os"), "Linux")]
)
def test_stock_commands_need_no_inventory(
    repository: Path, words: tuple[str, ...], told: str
) -> None:
    result = pyinfra(repository, "@local", *words)
    assert result.returncode == 0
    assert told in result.stderr + result.stdout


@pytest.mark.parametrize("data", [(), ("--data", "environment={}")])
def test_an_inventory_without_an_environment_is_refused(
    repository: Path, data: tuple[str, ...]
) -> None:
    (repository / "inventories/theirs.py").write_text('hosts = ["@local"]\n')
    result = pyinfra(repository, "--dry", *data, "inventories/theirs.py", "deploy.py")
    assert result.returncode == 1
    assert "this needs an inventory of an environment: pyinfra inventories/" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("command", "code"), [("false", 1), ("sh -c 'sleep 0.1; exit 3'", 3)])
def test_a_proxy_command_that_ends_is_named(repository: Path, command: str, code: int) -> None:
    config = repository / ".stagecraft/ssh_config"
    text = config.read_text()
    config.write_text(f"{text}    ProxyCommand {command}\n")
    try:
        result = pyinfra(repository, "inventories/local.py", "fact", "server.Hostname")
    finally:
        config.write_text(text)
    assert f"ProxyCommand {command} ended with {code}" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("closed", ["</dev/null", "<&-"])
def test_a_run_that_nobody_can_confirm_changes_nothing(
    repository: Path, tmp_path: Path, closed: str
) -> None:
    mark = tmp_path / "changed"
    verb = repository / "touch.py"
    verb.write_text(f"from pyinfra.operations import server\nserver.shell('touch {mark}')\n")
    command = f"{sys.executable} -m pyinfra @local {verb} {closed}"
    result = run(repository, "-c", f"import os; os.execvp('sh', ['sh', '-c', {command!r}])")
    assert result.returncode == 1
    assert (
        "there is no terminal to confirm the changes, so nothing was changed: use -y"
        in result.stderr
    )
    assert "Traceback" not in result.stderr
    assert not mark.exists()


@pytest.mark.parametrize(("directory", "arguments"), [("tasks", ()), (".", ("--config", "no.py"))])
def test_a_run_without_config_py_is_refused(
    repository: Path, directory: str, arguments: tuple[str, ...]
) -> None:
    """It would plan nothing (--dry -y), and take any host key for an error of pyinfra's."""
    inventory = str(repository / "inventories/local.py")
    command = ("-m", "pyinfra", *arguments, "--dry", "-y", inventory, "debug-inventory")
    result = run(repository / directory, *command, path=str(repository))
    assert result.returncode == 1
    assert "pyinfra error: config.py was not read" in result.stderr
    assert f"Start it in {repository}, without --config" in result.stderr


def test_secret_takes_a_value_from_standard_input(repository: Path) -> None:
    arguments = ("-m", "stagecraft", "secret", "local", "askpro", "DB_PASSWORD")
    secrets_for("local", repository)  # local makes the rest itself
    result = run(repository, *arguments, given="hunter2\n")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(".stagecraft/secrets/local.yml: complete\n")
    secrets_for.cache_clear()
    assert secrets_for("local", repository)["askpro"]["DB_PASSWORD"].reveal() == "hunter2"


def test_secret_fails_without_a_traceback(repository: Path) -> None:
    result = run(repository, "-m", "stagecraft", "secret", "staging")
    assert result.returncode == 1
    assert result.stderr.startswith("Error: group_data/all.yml:")
    assert "recipients: is empty: add your SSH public key" in result.stderr
    assert "Traceback" not in result.stderr
