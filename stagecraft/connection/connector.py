"""pyinfra's SSH connector with the optimizations of optimizations.py."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from pyinfra import logger
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS, ConnectorArguments, pop_global_arguments
from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import ConnectError
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.connectors.util import (
    CommandOutput,
    OutputLine,
    extract_control_arguments,
    make_unix_command_for_host,
)
from typing_extensions import override

from stagecraft.connection.host_key import HostKeyChanged
from stagecraft.connection.optimizations import Optimization, optimizations
from stagecraft.connection.prefetch import Prefetch
from stagecraft.connection.shell import Shell, ShellEnded, Shells
from stagecraft.connection.ssh import SSHError, begin
from stagecraft.facts.reading import Reading
from stagecraft.login import refusal

CLOSED = (
    "%sLogin with --user or --ssh-port was refused: this server is already bootstrapped."
    " Continuing as %s; omit these options"
)

NOT_BOOTSTRAPPED = (
    "{error}. A new server needs bootstrap.py first (README, `A new server`); one that has been"
    " bootstrapped lets {account} in with the keys that group_data/all.yml lists under host:"
)
"""Begins with pyinfra's error, by which drift/looking/checks.py recognizes a refused login."""


SHELLS = 2
"""How many read the facts of a plan or a check at the same time: as many as a small server has
cores."""


class FastSSHConnector(SSHConnector):
    """Runs everything as pyinfra's own connector does, except facts that only read, until the first
    change: those are read through one shell, and prefetched ones all at once.

    Every answer was read by this run on this connection, after the operator's last confirmation.
    The first command that may change something closes the shell.
    """

    @override
    @staticmethod
    def make_names_data(name: str) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
        yield name, {"ssh_hostname": name}, []

    @override
    def connect(self) -> None:
        self._log_in()
        self._shells: Shells | None = None
        self._prefetch: Prefetch | None = None
        self._operator_may_pause = self.state.check_for_changes
        self._usual = self._usual_arguments()
        if Optimization.SHELL in optimizations():
            self._shells = self._open_shells()
        path = self.host.data.get("prefetched_facts")
        if Optimization.PREFETCH in optimizations() and path:
            self._prefetch = Prefetch(Path(path))
            if self.host.data.only_plans:
                self.read_anew()  # other runs read it once they hold the lock

    @override
    def disconnect(self) -> None:
        if self._prefetch:
            self._prefetch.keep()
        self._stop_reading()
        super().disconnect()

    @override
    def put_file(self, *arguments: Any, **keywords: Any) -> bool:
        self._stop_reading()
        return super().put_file(*arguments, **keywords)

    @override
    def rsync(self, *arguments: Any, **keywords: Any) -> Any:
        self._stop_reading()
        return super().rsync(*arguments, **keywords)

    @override
    def run_shell_command(
        self,
        command: StringCommand | str,
        print_output: bool = False,
        print_input: bool = False,
        **arguments: Any,
    ) -> tuple[bool, CommandOutput]:
        if not isinstance(command, Reading):
            self._doubt()
        elif arguments == self._usual and not (print_output or print_input):
            lines = self._read(command)
            if lines is not None:
                return True, CommandOutput([OutputLine("stdout", line) for line in lines])
        # pyinfra passes facts as str, despite its type annotations.
        text = cast(StringCommand, command)
        return super().run_shell_command(text, print_output, print_input, **arguments)

    def read_anew(self) -> None:
        """Discards all earlier answers, and prefetches again."""
        if not self._shells or not self._prefetch:
            return
        try:
            self._shells.prefetch(self._prefetch.commands)
        except ShellEnded as error:
            self._give_up(error)

    def _log_in(self) -> None:
        """With this run's own login. If that is for a first contact and the server refuses it by
        now, with the login of all other runs. Raises ConnectError."""
        usual = self.host.data.get("usual_login")
        try:
            super().connect()
        except HostKeyChanged:
            raise
        except ConnectError as error:
            if usual:
                self._log_in_as_usual(usual, error)
            elif refusal(error) and (ours := self.host.data.get("account_of_bootstrap")):
                raise ConnectError(NOT_BOOTSTRAPPED.format(error=error, account=ours)) from error
            else:
                raise

    def _log_in_as_usual(self, usual: dict[str, Any], refused: ConnectError) -> None:
        for key in ("ssh_user", "ssh_port", "_sudo"):
            setattr(self.host.data, key, usual[key])
        self.data["ssh_user"] = usual["ssh_user"]
        self.data["ssh_port"] = usual["ssh_port"]
        self.data["ssh_password"] = ""
        errors = [str(refused)]
        for key in usual["ssh_keys"]:
            self.host.data.ssh_key = self.data["ssh_key"] = key
            if self.client:
                self.client.close()
            try:
                super().connect()
            except ConnectError as error:
                errors.append(f"as {usual['ssh_user']}: {error}")
            else:
                logger.warning(CLOSED, self.host.print_prefix, usual["ssh_user"])
                return
        raise ConnectError("; nor ".join(errors))

    def _usual_arguments(self) -> ConnectorArguments:
        """The arguments that pyinfra passes for a fact without any of its own, such as `_sudo`."""
        arguments, _ = pop_global_arguments(self.state, self.host, {})
        usual = {key: value for key, value in arguments.items() if key in CONNECTOR_ARGUMENT_KEYS}
        return cast(ConnectorArguments, usual)

    def _open_shells(self) -> Shells | None:
        arguments = self._usual.copy()
        control = extract_control_arguments(arguments)
        if control["_get_pty"] or control["_stdin"] or control["_timeout"]:
            return None
        shell = make_unix_command_for_host(self.state, self.host, StringCommand("sh"), **arguments)
        reads_all_at_once = Optimization.PREFETCH in optimizations() and self.host.data.only_plans
        count = SHELLS if reads_all_at_once else 1
        opened: list[Shell] = []
        try:
            while len(opened) < count and (session := begin(self, shell.get_raw_value())):
                opened.append(Shell(session))
        except (SSHError, OSError, EOFError, ShellEnded) as error:
            if not opened:  # a server may allow only one
                self._give_up(error)
        return Shells(opened) if opened else None

    def _read(self, command: Reading) -> list[str] | None:
        """What the command prints; None if pyinfra should run it and report the error."""
        if self._prefetch:
            self._prefetch.note(command)
        if self._operator_may_pause and self.state.is_executing:
            self._operator_may_pause = False
            self.read_anew()
        if not self._shells:
            return None
        try:
            return self._shells.lines(command)
        except ShellEnded as error:
            self._give_up(error)
            return None

    def _give_up(self, error: Exception) -> None:
        logger.debug("%sFacts are asked one by one: %s", self.host.print_prefix, error)
        self._stop_reading()

    def _doubt(self) -> None:
        """The command may change something. During planning it only discards answers: the
        command is then one of pyinfra's facts, or a deploy file's own outside an operation."""
        if self._shells and not self.state.is_executing:
            self._shells.forget()
        else:
            self._stop_reading()

    def _stop_reading(self) -> None:
        if self._shells:
            self._shells.close()
        self._shells = None
