"""`stagecraft init`: a team's own settings and secrets in place of the example."""

import getpass
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from pydantic import TypeAdapter, ValidationError
from typing_extensions import override

from stagecraft import age
from stagecraft.render import jinja
from stagecraft.secrets.edit import Editor
from stagecraft.settings import public_keys, read, values

OWNED = ("secrets", "inventories", "group_data")
"""What init writes. Once the last one is in place, the clone is a team's own."""

MADE = Path(".stagecraft/init")
"""Everything is written here first, and moved into place once it is complete."""

Answers = dict[str, Any]


class Checked(click.ParamType[str]):
    """An answer, validated like the setting that it becomes."""

    def __init__(self, name: str, kind: Any) -> None:
        self.name = name
        self.kind: TypeAdapter[str] = TypeAdapter(kind)

    @override
    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return self.kind.validate_python(value)
        except ValidationError as error:
            self.fail(error.errors()[0]["msg"].removeprefix("Value error, "), param, ctx)


class PublicKey(Checked):
    """A public key, or the file that contains it. It must work for logins and for secrets."""

    @override
    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not public_keys.is_line(value):
            path = str(Path(value).expanduser())
            if wrong := public_keys.wrong_file(path):
                self.fail(wrong, param, ctx)
            value = next(iter(public_keys.lines([path])), "")
        line = super().convert(value, param, ctx)
        if not age.is_recipient(line):
            self.fail(
                "secrets cannot be encrypted for this key: use an ed25519 or RSA key", param, ctx
            )
        return line


@dataclass(frozen=True)
class Question:
    name: str
    text: str
    type: Checked
    default: Callable[[Answers], str | None] = lambda _: None

    @property
    def option(self) -> str:
        return f"--{self.name.replace('_', '-')}"


def usual_key(_: Answers) -> str | None:
    found = (Path(f"{key}.pub").expanduser() for key in age.SSH_KEYS)
    return next((str(path) for path in found if path.is_file()), None)


def own_name(_: Answers) -> str | None:
    return None if getpass.getuser() == "root" else getpass.getuser()


QUESTIONS = (
    Question("site", "Short name of the app, such as shop", Checked("name", values.Name)),
    Question("domain", "Domain of production", Checked("domain", values.Domain)),
    Question(
        "staging_domain",
        "Domain of staging",
        Checked("domain", values.Domain),
        lambda answers: answers["domain"] and f"staging.{answers['domain']}",
    ),
    Question("address", "Address of the server", Checked("address", values.Address)),
    Question(
        "production_address",
        "Address of production's server, if it is a different one",
        Checked("address", values.Address),
        lambda answers: answers["address"],
    ),
    Question("email", "E-mail address for Let's Encrypt", Checked("email", values.Email)),
    Question("admin", "Account of the first admin", Checked("name", values.UnixUser), own_name),
    Question(
        "key",
        "Public SSH key of the first admin: a .pub file, or a line of one",
        PublicKey("key", public_keys.PublicKey),
        usual_key,
    ),
)


def options(command: Callable[..., None]) -> Callable[..., None]:
    for question in reversed(QUESTIONS):
        described = click.option(question.option, type=question.type, help=question.text)
        command = described(command)
    return command


@click.command()
@options
@click.option(
    "--bootstrap/--no-bootstrap",
    default=None,
    help="Whether bootstrap.py sets up the machine: accounts, sshd, firewall.",
)
def init(bootstrap: bool | None, **given: str | None) -> None:
    """Turns a fresh clone into your team's own.

    Replaces the example with your group_data/ and inventories/, and generates the secrets. Asks for
    everything that no option gives. Without a terminal, options must give everything that has no
    default.
    """
    root = Path.cwd()
    if not (root / MADE).exists():
        refuse_taken(root)
        answers = asked(given)
        if bootstrap is None:
            bootstrap = not sys.stdin.isatty() or click.confirm(
                "Is the server new, so that bootstrap.py sets up accounts, sshd and firewall?", True
            )
        make(root, answers | {"bootstrap": bootstrap})
    put_in_place(root)
    click.echo(next_commands(root))


def refuse_taken(root: Path) -> None:
    if not (root / "example").is_dir():
        raise click.ClickException("there is no example/ here: run this in a clone of Stagecraft")
    for name in OWNED:
        if (root / name).exists() and not (root / name).is_symlink():
            raise click.ClickException(f"{name}/ already belongs to your team: nothing was changed")


def asked(given: Mapping[str, str | None]) -> Answers:
    """The answers: from options, from a person, or from defaults. Raises click.UsageError for
    missing ones if there is no terminal."""
    answers: Answers = {}
    missing = []
    for question in QUESTIONS:
        answer = given[question.name]
        if answer is None:
            answer = question.default(answers)
            if sys.stdin.isatty():
                answer = click.prompt(question.text, type=question.type, default=answer)
            elif answer:
                answer = question.type.convert(answer, None, None)
        answers[question.name] = answer
        if answer is None:
            missing.append(question.option)
    if missing:
        raise click.UsageError(f"there is no terminal to ask for them: pass {', '.join(missing)}")
    return answers


def make(root: Path, answers: Answers) -> None:
    """Writes and checks all files in a directory that is renamed once it is complete."""
    making = root / f"{MADE}.incomplete"
    shutil.rmtree(making, ignore_errors=True)
    (making / "group_data").mkdir(parents=True)
    shutil.copytree(root / "example/inventories", making / "inventories")
    site, addresses = answers["site"], [answers["address"], answers["production_address"]]
    servers = {f"{site}-{n}": address for n, address in enumerate(dict.fromkeys(addresses), 1)}
    write(making / "group_data/all.yml", "all.yml.j2", {"servers": servers, **answers})
    places = {
        "local": ("local", f"{site}.test"),
        "staging": (f"{site}-1", answers["staging_domain"]),
        "production": (f"{site}-{len(servers)}", answers["domain"]),
    }
    for name, (server, domain) in places.items():
        about = {"name": name, "server": server, "site": site, "domain": domain}
        about["public"] = values.is_public(domain)
        write(making / f"group_data/{name}.yml", "environment.yml.j2", about)
    for name in places:
        read(name, making)
    for name in ("staging", "production"):
        list(Editor(name, making).add_missing(lambda *_: None))
    making.rename(root / MADE)


def write(path: Path, template: str, about: Mapping[str, Any]) -> None:
    text = Path(__file__).with_name(template).read_text(encoding="utf-8")
    path.write_text(jinja().from_string(text).render(about), encoding="utf-8")


def put_in_place(root: Path) -> None:
    """Moves the files into place; completes an earlier init that was interrupted."""
    for name in OWNED:
        if (root / MADE / name).exists():
            if (root / name).is_symlink():
                (root / name).unlink()
            (root / MADE / name).rename(root / name)
    (root / MADE).rmdir()


def next_commands(root: Path) -> str:
    bootstrap = read("staging", root).server.host
    login, verb = ("--user root ", "bootstrap.py") if bootstrap else ("", "deploy.py")
    return f"""\
group_data/, inventories/ and secrets/ are now yours: commit them. Then plan and run:
  .venv/bin/pyinfra {login}--dry inventories/staging.py {verb}
  .venv/bin/pyinfra {login}inventories/staging.py {verb}"""
