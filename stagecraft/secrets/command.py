"""`stagecraft secret`: creates and changes an environment's secrets."""

import sys

import click

from stagecraft.command import EnvironmentName
from stagecraft.project import here
from stagecraft.secrets import Secret
from stagecraft.secrets.edit import Editor
from stagecraft.secrets.generate import generate

HELP = """Creates and changes an environment's secrets, encrypted in secrets/<environment>.yml.

\b
  stagecraft secret staging                         generate what is missing, ask for the rest
  stagecraft secret staging askpro RETELL_API_KEY   set one, typed or from standard input
  stagecraft secret production askpro APP_KEY < key   keep the key of an app that already runs
  stagecraft secret staging askpro DB_PASSWORD --generate   replace one with a random value
  stagecraft secret staging --recrypt               after you changed the recipients in all.yml

Secrets are decrypted with your private key: ~/.ssh/id_ed25519, ~/.ssh/id_rsa, or the path in the
environment variable STAGECRAFT_IDENTITY:
STAGECRAFT_IDENTITY=~/.ssh/work stagecraft secret staging

Values are never shown. They are never read from the command line, where other users could see them.

Each value is encrypted together with its environment, site and key, and is refused anywhere else.
An older value in the same place is not detected, but shows in the file's history. The history of
group_data/all.yml shows who was added to the recipients. Read both before you deploy.
"""


@click.command(help=HELP, short_help="Creates and changes an environment's secrets.")
@click.argument("environment", type=EnvironmentName())
@click.argument("site", required=False)
@click.argument("key", required=False)
@click.option(
    "--generate", "random", is_flag=True, help="Generate a random value instead of asking for it."
)
@click.option(
    "--recrypt", is_flag=True, help="Encrypt all values again, for the current recipients."
)
def secret(environment: str, site: str | None, key: str | None, random: bool, recrypt: bool) -> int:
    _refuse_contradictions(site, key, random, recrypt)
    editor = Editor(environment, here())
    if recrypt:
        editor.recrypt()
    elif site and key:
        editor.put(site, key, generate(key) if random else _read_value(site, key))
    else:
        for line in editor.add_missing(_ask):
            click.echo(line)
    click.echo(editor.state())
    return 1 if editor.missing() and not key else 0


def _refuse_contradictions(site: str | None, key: str | None, random: bool, recrypt: bool) -> None:
    if site and not key:
        raise click.UsageError("name a key, too: stagecraft secret staging askpro RETELL_API_KEY")
    if random and not key:
        raise click.UsageError("--generate needs a site and a key")
    if recrypt and key:
        raise click.UsageError("--recrypt applies to all secrets: omit site and key")
    if recrypt and random:
        raise click.UsageError("--recrypt keeps the values: omit --generate")


def _read_value(site: str, key: str) -> Secret:
    if sys.stdin.isatty():
        return Secret(_typed(f"{site} {key}"))
    return Secret(sys.stdin.read().removesuffix("\n"))


def _ask(site: str, key: str) -> Secret | None:
    """None without a terminal or an answer."""
    if not sys.stdin.isatty():
        return None
    answer = _typed(f"{site} {key} (press Enter to skip)")
    return Secret(answer) if answer else None


def _typed(question: str) -> str:
    answer: str = click.prompt(question, default="", hide_input=True, show_default=False, err=True)
    return answer
