"""Errors that are shown to the operator without a traceback."""

from pyinfra.api.exceptions import PyinfraError
from pyinfra_cli.exceptions import CliError  # type: ignore[import-untyped]


class BrokenTemplate(PyinfraError, CliError):  # type: ignore[misc]
    """A template cannot be rendered; nothing was changed on any server."""


class BrokenOverride(PyinfraError, CliError):  # type: ignore[misc]
    """A step of overrides/ cannot be planned; nothing was changed on any server."""


class ServerError(PyinfraError, CliError):  # type: ignore[misc]
    """A server cannot reach its declared state; nothing was changed on it."""


class CommandLineError(PyinfraError, CliError):  # type: ignore[misc]
    """Wrong arguments or environment variables; exit code 1."""
