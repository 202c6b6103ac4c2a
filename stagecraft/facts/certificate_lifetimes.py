"""How long certificates last, and which ones nginx serves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from stagecraft.facts.reading import Fact


@dataclass(frozen=True)
class Lifetime:
    """Of the certificate on disk: `begins` and `ends` in seconds since the epoch, and its
    fingerprint beside that of the one `served`, empty where nothing answers."""

    begins: float
    ends: float
    fingerprint: str
    served: str = ""

    def left(self, now: float) -> float:
        """The share of it that is left; negative when it has expired."""
        return (self.ends - now) / (self.ends - self.begins)


def parse_lifetimes(lines: list[str]) -> dict[str, Lifetime]:
    """Reads the tab-separated lines of `lifetimes.sh`; what has no certificate is left out."""
    found: dict[str, dict[str, str]] = {}
    for line in lines:
        name, key, value = line.split("\t")
        found.setdefault(name, {})[key.lower()] = value
    return {
        name: Lifetime(
            begins=moment(values["notbefore"]),
            ends=moment(values["notafter"]),
            fingerprint=values["sha256 fingerprint"],
            served=values.get("served", ""),
        )
        for name, values in found.items()
        if "notafter" in values
    }


def moment(text: str) -> float:
    """`Nov 21 12:03:53 2026 GMT`, as openssl says it → seconds since the epoch."""
    return datetime.strptime(text, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC).timestamp()


class LifetimesFact(Fact[dict[str, Lifetime]]):
    """The `Lifetime` of each certificate, by the name it is asked for by; `sites` are pairs of its
    directory and that name."""

    parse = staticmethod(parse_lifetimes)

    def command(self, sites: Sequence[Sequence[str]]) -> str:
        lines = "\n".join(f"{directory} {name}" for directory, name in sites)
        return self.script(sites=lines)
