"""What the operator did or must do, said without a traceback."""

from __future__ import annotations

from pyinfra.api.exceptions import PyinfraError
from pyinfra_cli.exceptions import CliError  # type: ignore[import-untyped]


class BrokenTemplate(PyinfraError, CliError):  # type: ignore[misc]
    """A template that cannot be rendered; nothing was changed on any server."""


class BrokenOverride(PyinfraError, CliError):  # type: ignore[misc]
    """A step of overrides/ that cannot be planned; nothing was changed on any server."""


class ServerError(PyinfraError, CliError):  # type: ignore[misc]
    """A server that cannot become what is declared; nothing was changed on it."""


class CommandLineError(PyinfraError, CliError):  # type: ignore[misc]
    """Arguments or an environment that a run would misread; exit code 1."""
