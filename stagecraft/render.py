"""Templates to text."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stagecraft.operations.nodes import File

TEMPLATES = Path(__file__).parent.parent / "templates"


@cache
def jinja() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def render(template: str, **values: Any) -> str:
    """The text of `templates/<template>`. `managed` is there for its first comment; a name the
    template uses and nobody gave raises jinja2.UndefinedError."""
    managed = f"Managed by Stagecraft (templates/{template}); changes made here are overwritten."
    return jinja().get_template(template).render(managed=managed, **values)


def file(
    path: str,
    template: str,
    *,
    user: str = "root",
    group: str = "root",
    mode: str = "644",
    secret: bool = False,
    **values: Any,
) -> File:
    """The `File` at `path` with the text that the template gives with these values."""
    text = render(template, **values)
    return File(path, text, user, group, mode, secret=secret, origin=template)
