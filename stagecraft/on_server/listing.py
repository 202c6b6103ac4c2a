"""What was done to a site: a list for people, a Markdown table, or JSON. The operator's command
shows what a server answers in the same way, and so believes none of its types."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from stagecraft.harmless import harmless
from stagecraft.on_server import journal
from stagecraft.on_server.actions import CONFIGURE, DONE
from stagecraft.on_server.releases import Releases
from stagecraft.on_server.site import Site

Entry = dict[str, Any]

HEADINGS = (
    *("", "when (UTC)", "what", "commit", "ref", "who", "login", "seconds", "outcome"),
    "problem",
)

LONGEST = 60
"""Characters of a cell; the JSON has all of them."""


def entries(site: Site, limit: int | None = None) -> list[Entry]:
    """The journal's, the oldest first, at most the newest `limit`. `state` is what their releases
    are by now; one is `current`, the action that the running release is due to."""
    releases = Releases(site)
    states = {release.id: release.state for release in releases.records()}
    listed = journal.entries(site)[-limit if limit else 0 :]
    switched = [e for e in listed if e["outcome"] == DONE and e["verb"] != CONFIGURE]
    current = [e["id"] for e in switched[-1:] if e["release"] == releases.current()]
    return [
        entry | {"state": states.get(entry["release"], ""), "current": entry["id"] in current}
        for entry in listed
    ]


def parsed(text: bytes) -> list[Entry]:
    """Raises ValueError unless it is a list of entries."""
    try:
        listed = json.loads(text)
    except RecursionError:
        listed = None
    if not isinstance(listed, list) or not all(map(is_entry, listed)):
        raise ValueError("this is no list of releases")
    return listed


def is_entry(value: Any) -> bool:
    return isinstance(value, dict) and all(map(is_part, value.values()))


def is_part(value: Any) -> bool:
    """Notes are a list, and seconds have names."""
    if isinstance(value, dict):
        value = list(value.values())
    return is_plain(value) or (isinstance(value, list) and all(map(is_plain, value)))


def is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | None)


def as_json(listed: Sequence[Entry]) -> str:
    """In ASCII, so that a terminal obeys nothing of it."""
    return json.dumps(listed, indent=1)


def as_table(listed: Sequence[Entry]) -> str:
    rows = [list(HEADINGS), *map(cells, listed)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def as_markdown(listed: Sequence[Entry]) -> str:
    rule = "|".join("---" for _ in HEADINGS)
    rows = [HEADINGS, *(map(escaped, cells(entry)) for entry in listed)]
    heading, *rest = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([heading, f"|{rule}|", *rest])


MARKUP = re.compile(r"([\\`*_\[\]#])")

ENTITIES = {ord(character): f"&#{ord(character)};" for character in "&<>|@$~"}
"""Renderers disagree on `\\|` and `\\~`; `@name` would notify somebody, `$` begin a formula."""


def escaped(cell: str) -> str:
    """As text in Markdown, whatever is in it."""
    return MARKUP.sub(r"\\\1", cell).translate(ENTITIES)


def cells(entry: Entry) -> list[str]:
    """One for each heading, in one line each."""
    when = said(entry, "at").replace("T", " ").removesuffix("Z")
    return [
        shortened(text)
        for text in (
            "*" if entry.get("current") is True else "",
            when,
            said(entry, "verb"),
            said(entry, "commit")[:7],
            said(entry, "ref"),
            said(entry, "by"),
            login(entry),
            f"{seconds(entry):.1f}",
            said(entry, "outcome"),
            problem(entry),
        )
    ]


def said(entry: Entry, key: str) -> str:
    return str(entry.get(key, ""))


def login(entry: Entry) -> str:
    """With as much of the key's fingerprint as tells people apart."""
    account, _, fingerprint = said(entry, "login").partition(" ")
    return f"{account} {fingerprint[:15]}".rstrip()


def seconds(entry: Entry) -> float:
    steps = entry.get("seconds")
    values: Iterable[Any] = steps.values() if isinstance(steps, dict) else ()
    return sum(value for value in values if isinstance(value, float))


def problem(entry: Entry) -> str:
    unproven = said(entry, "unproven")
    return "; ".join(filter(None, [said(entry, "problem"), unproven and f"unproven: {unproven}"]))


def shortened(text: str) -> str:
    """Without several spaces in a row, which would look like the next column."""
    text = " ".join(harmless(text).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
