"""The variables of .env files."""

import re

from stagecraft.on_server.site import Failed, Site

LINE = re.compile(
    r"""^[ \t]* (?:export[ \t]+)? ([A-Za-z_][A-Za-z0-9_]*) [ \t]*=[ \t]*
        (?: "((?:[^"\\]|\\.)*)" | '([^']*)' | ([^\n]*) )""",
    re.M | re.X | re.S,
)


def parse(text: str) -> dict[str, str]:
    values = {}
    for name, double, single, plain in LINE.findall(text):
        written = plain.partition(" #")[0].strip()
        values[name] = re.sub(r"\\(.)", r"\1", double) or single or written
    return values


def read(site: Site) -> dict[str, str]:
    """The site's own. Raises Failed if a run has not written it."""
    try:
        return parse((site.home / "shared/.env").read_text())
    except FileNotFoundError:
        raise Failed(f"{site.name} has no .env yet: run deploy.py") from None
