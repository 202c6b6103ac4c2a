"""The archives that apt uses."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from stagecraft.facts.reading import Fact, by_kind

ONE_LINE = re.compile(r"deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)")

FIELD = re.compile(r"^([^\s:]+):((?:.*\n[ \t])*.*)", re.MULTILINE)
"""A field of a deb822 stanza, with its continuation lines."""


@dataclass(frozen=True)
class Source:
    """An archive named in the file `path`. `signed_by` are paths of keys; `trusted` means that no
    signature is required; `origin` is the archive's own name, empty if it was never fetched."""

    path: str
    uri: str
    suite: str
    signed_by: tuple[str, ...] = ()
    trusted: bool = False
    origin: str = ""

    @property
    def name(self) -> str:
        """Leaves out a password in the URI."""
        parts = urlsplit(self.uri)
        return f"{urlunsplit(parts._replace(netloc=parts.netloc.rpartition('@')[2]))} {self.suite}"


@dataclass
class Sources:
    """`fetched` is false if apt has no lists yet."""

    sources: list[Source] = field(default_factory=list)
    fetched: bool = False


def sources_of(path: str, lines: list[str], origins: dict[str, str]) -> Iterator[Source]:
    for options, uri, suite in deb822(lines) if path.endswith(".sources") else one_line(lines):
        yield Source(
            path,
            uri,
            suite,
            tuple(word for word in options.get("signed-by", "").split() if word[0] == "/"),
            options.get("trusted", "").lower() in ("yes", "true", "1"),
            origins.get(list_name(uri, suite), ""),
        )


def list_name(uri: str, suite: str) -> str:
    """The beginning of apt's file names for an archive (URItoFileName)."""
    parts = urlsplit(uri)
    place = f"{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")
    path = suite.rstrip("/") if suite.endswith("/") else f"dists/{suite}"
    return f"{place}/{path}".replace("_", "%5f").replace("/", "_")


def one_line(lines: Iterable[str]) -> Iterator[tuple[dict[str, str], str, str]]:
    for line in lines:
        if match := ONE_LINE.match(line.strip()):
            words = (word.partition("=") for word in (match[1] or "").split())
            options = {key.lower(): value.replace(",", " ") for key, _, value in words}
            yield options, match[2], match[3]


def deb822(lines: Iterable[str]) -> Iterator[tuple[dict[str, str], str, str]]:
    for stanza in stanzas(lines):
        enabled = stanza.get("enabled", "yes").lower() not in ("no", "false", "0")
        if enabled and "deb" in stanza.get("types", "").split():
            for uri in stanza.get("uris", "").split():
                for suite in stanza.get("suites", "").split():
                    yield stanza, uri, suite


def stanzas(lines: Iterable[str]) -> Iterator[dict[str, str]]:
    text = "\n".join(line for line in lines if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", text):
        yield {key.lower(): " ".join(value.split()) for key, value in FIELD.findall(stanza)}


class AptSourcesFact(Fact[Sources]):
    def process(self, output: list[str]) -> Sources:
        found = by_kind(output)
        origins = dict(line.split("\t", 1) for line in found["origin"])
        files = by_kind(found["line"])
        sources = [s for path, lines in files.items() for s in sources_of(path, lines, origins)]
        return Sources(sources, bool(origins))
