"""Sends notifications of new, worse and resolved findings by Apprise, to any of its URLs."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from stagecraft.drift.judging.changes import Changes, KnownFinding
from stagecraft.harmless import bounded, harmless
from stagecraft.secrets import Secret

URLS = "STAGECRAFT_NOTIFY"
"""Apprise's URLs, one per line. They contain tokens, so they are not arguments."""

URLS_FILE = "STAGECRAFT_NOTIFY_FILE"
"""A file with the URLs instead, such as a systemd credential."""

ALIKE = str.maketrans("<>&`|~*", "‹›＆ˋ¦∼∗")  # noqa: RUF001
"""Characters that services read as markup, and lookalikes."""


def notify(changes: Changes) -> list[str]:
    """Sends the changes to all URLs, if there are any. Returns failures without the URLs."""
    if not any(changes):
        return []
    try:
        urls = addresses()
    except (OSError, UnicodeDecodeError) as error:
        return [f"nobody was notified: {error}"]
    return [
        f"notification {n} of {len(urls)} {problem}"
        for n, url in enumerate(urls, 1)
        if (problem := send(url, title(changes), inert("\n".join(bounded(body(changes))))))
    ]


def addresses() -> list[Secret]:
    """The URLs from the environment variables; empty without them. Raises OSError or
    UnicodeDecodeError for an unreadable file."""
    path = os.environ.get(URLS_FILE)
    text = Path(path).read_text(encoding="utf-8") if path else os.environ.get(URLS, "")
    lines = (line.strip() for line in text.splitlines())
    return [Secret(line) for line in lines if line and not line.startswith("#")]


def send(url: Secret, title: str, text: str) -> str:
    """The error message; empty on success."""
    import apprise  # takes a quarter of a second, so only when something changed

    service = apprise.Apprise.instantiate(url.reveal())
    if service is None:
        return "has a URL that Apprise does not understand"
    # As text: services that send HTML convert its line ends to breaks.
    if service.notify(title=title, body=text, body_format=apprise.NotifyFormat.TEXT):
        return ""
    return f"({service.service_name}) was not accepted"


def inert(text: str) -> str:
    """The text without anything that a chat or mail would act on: mentions, links, HTML or
    Markdown. Lookalikes work for all services; escapes differ between them, and Apprise adds some.
    Discord interprets markup anywhere, and a `<script>` ends Telegram's."""
    parted = re.sub(r"(@)(?=\w)|(:)(?=//)|(\])(?=\()", "\\g<0>\u200b", text)
    return parted.translate(ALIKE)


def title(changes: Changes) -> str:
    counts = ((len(things), name.replace("_", " ")) for name, things in changes._asdict().items())
    servers = sorted({thing.server for things in changes for thing in things} - {""})
    said = ", ".join(f"{count} {name}" for count, name in counts if count)
    return f"Drift on {', '.join(servers) or 'all servers'}: {said}"


def body(changes: Changes) -> Iterator[str]:
    for words, gaps in (
        ("unknown: {} could not be checked", changes.unknown),
        ("known again: {}", changes.known_again),
    ):
        for gap in gaps:
            place = "/".join(part for part in (gap.server, gap.environment) if part)
            yield words.format(harmless(f"{place} {gap.area}"))
    for word, findings in (("new", changes.new), ("worse", changes.worse)):
        for finding in sorted(findings, key=lambda known: (known.severity.rank, known.id)):
            yield f"{word}, {finding.severity}: {of_finding(finding)}"
    for finding in changes.resolved:
        yield f"resolved: {of_finding(finding)}"


def of_finding(finding: KnownFinding) -> str:
    return f"{harmless(finding.id)} (first seen {finding.first_seen:%Y-%m-%d})"
