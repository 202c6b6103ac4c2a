"""Renders templates."""

from functools import cache
from pathlib import Path
from traceback import extract_tb
from typing import Any

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateSyntaxError,
)

from stagecraft.errors import BrokenTemplate
from stagecraft.operations.nodes import File
from stagecraft.project import OVERRIDES

TEMPLATES = Path(__file__).parent.parent / "templates"


@cache
def jinja() -> Environment:
    return Environment(
        loader=FileSystemLoader([OVERRIDES.resolve(), TEMPLATES]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def render(template: str, **values: Any) -> str:
    """The text of `templates/<template>`, or of a team's override. `managed` is available for its
    first comment. Raises BrokenTemplate with the line, also for an undefined name."""
    origin = origin_of(template)
    managed = f"Managed by Stagecraft ({origin}); changes made here are overwritten."
    try:
        return jinja().get_template(template).render(managed=managed, **values)
    except TemplateError as error:
        raise BrokenTemplate(f"{origin}:{line_of(error)}: {error.message}") from error


def origin_of(template: str) -> str:
    """The file that is rendered: a team's own has priority over ours with the same path."""
    own = OVERRIDES / template
    return str(own) if own.is_file() else f"templates/{template}"


def line_of(error: TemplateError) -> int:
    """The line of the error: a syntax error's own, else the last line of a template that ran."""
    if isinstance(error, TemplateSyntaxError):
        return error.lineno
    frames = extract_tb(error.__traceback__)
    return next(
        (frame.lineno or 0 for frame in reversed(frames) if frame.filename.endswith(".j2")), 0
    )


def file(
    path: str,
    template: str,
    *,
    user: str = "root",
    group: str = "root",
    mode: str = "644",
    secret: bool = False,
    public: frozenset[str] = frozenset(),
    **values: Any,
) -> File:
    """The `File` at `path`, rendered from the template with these values."""
    text = render(template, **values)
    origin = origin_of(template)
    return File(path, text, user, group, mode, secret=secret, public=public, origin=origin)
