"""The archives that apt uses."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from stagecraft.facts.reading import Fact

ONE_LINE = re.compile(r"deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)")


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


def parse_sources(lines: Iterable[str]) -> Sources:
    """Reads origins by their files, then the lines of source files."""
    origins: dict[str, str] = {}
    files: dict[str, list[str]] = {}
    for line in lines:
        kind, name, text = line.split("\t", 2)
        if kind == "origin":
            origins[name] = text
        else:
            files.setdefault(name, []).append(text)
    sources = [source for path, text in files.items() for source in sources_of(path, text, origins)]
    return Sources(sources, bool(origins))


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
    stanza: dict[str, str] = {}
    key = ""
    for line in [*lines, ""]:
        if not line.strip():
            if stanza:
                yield stanza
            stanza = {}
        elif line[0].isspace():
            stanza[key] = f"{stanza.get(key, '')} {line.strip()}"
        elif not line.startswith("#"):
            key, _, value = line.partition(":")
            key = key.lower()
            stanza[key] = value.strip()


class AptSourcesFact(Fact[Sources]):
    """Does not ask apt, which would rewrite its cache."""

    parse = staticmethod(parse_sources)

    def command(self) -> str:
        return (
            "cd /var/lib/apt/lists && for file in *Release; do"
            ' [ ! -f "$file" ] ||'
            ' sed -n "s|^Origin: *|origin\\t${file%_*Release}\\t|p; T; q" "$file"; done;'
            " for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list"
            " /etc/apt/sources.list.d/*.sources; do"
            ' [ ! -f "$file" ] || sed "s|^|line\\t$file\\t|" "$file"; done; true'
        )
