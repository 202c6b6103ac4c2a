"""The `stagecraft` command: everything that an operator does except provisioning, which pyinfra
does. Each verb is in a module of its own package, loaded on demand."""

from importlib import import_module
from pathlib import Path

import click
from click.shell_completion import BashComplete, CompletionItem, ShellComplete, ZshComplete
from typing_extensions import override

from stagecraft.harmless import harmless
from stagecraft.nearest import did_you_mean
from stagecraft.project import environments, here

VERBS = {
    "release": "stagecraft.release.command",
    "rollback": "stagecraft.release.command",
    "releases": "stagecraft.release.command",
    "follow": "stagecraft.release.command",
    "drift": "stagecraft.drift.command",
    "secret": "stagecraft.secrets.command",
    "settings": "stagecraft.settings.command",
    "init": "stagecraft.init.command",
    "completion": "stagecraft.command",
}
"""The module of each verb, which has a function of the verb's name."""

SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete}

EPILOG = """\b
Exit codes:
  0    success
  1    failed, or incomplete: available results are shown
  2    a check found something wrong, such as drift
  130  interrupted; 143 by SIGTERM

To provision servers, use pyinfra: pyinfra INVENTORY deploy.py, bootstrap.py or nightly.py.
"""


class Verbs(click.Group):
    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        verb: click.Command = getattr(import_module(VERBS[cmd_name]), cmd_name)
        return verb

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in VERBS and args[0].isidentifier():
            ctx.fail(f"No such command {args[0]!r}{did_you_mean(args[0], VERBS)}")
        return super().resolve_command(ctx, args)


class EnvironmentName(click.ParamType[str]):
    """An environment of the project in the working directory, with completion."""

    name = "environment"

    @override
    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        known = environments(here())
        if value not in known:
            name = Path(value).stem
            if name in known:
                self.fail(f"{value} is a file; use the environment's name: {name}")
            self.fail(f"there is no group_data/{value}.yml{did_you_mean(value, known)}")
        return value

    @override
    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [
            CompletionItem(name) for name in environments(Path.cwd()) if name.startswith(incomplete)
        ]


@click.command(cls=Verbs, epilog=EPILOG)
@click.version_option(package_name="stagecraft")
def stagecraft() -> None:
    """Releases applications to Laravel environments on Debian servers and back, checks the servers,
    and edits settings and secrets. Run it in the project's directory."""


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
def completion(shell: str) -> None:
    """Prints a script that completes this command in a shell.

    \b
    bash: echo 'eval "$(.venv/bin/stagecraft completion bash)"' >> ~/.bashrc
    zsh:  echo 'eval "$(.venv/bin/stagecraft completion zsh)"' >> ~/.zshrc
    """
    complete = SHELLS[shell](stagecraft, {}, "stagecraft", "_STAGECRAFT_COMPLETE")
    click.echo(complete.source())


def main() -> int:
    """Returns the exit code. A wrong command line returns 1, not click's 2, which means drift."""
    try:
        code: int | None = stagecraft(prog_name="stagecraft", standalone_mode=False)
    except click.Abort:
        click.echo("\nAborted", err=True)
        return 1
    except click.UsageError as error:
        shown = click.UsageError(
            "\n".join(map(harmless, error.format_message().split("\n"))), error.ctx
        )
        shown.show()
        return 1
    except click.ClickException as error:  # includes pyinfra's and ours
        click.echo(f"Error: {error}", err=True)
        return 1
    return code or 0
