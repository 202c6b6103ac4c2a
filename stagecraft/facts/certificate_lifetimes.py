"""The lifetimes of certificates, and which of them nginx serves."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from stagecraft.facts.reading import Fact, fields


@dataclass(frozen=True)
class Lifetime:
    """`begins` and `ends` of the certificate on disk, in seconds since the epoch, and its
    fingerprint. `served` is the fingerprint that nginx presents, empty if nothing answers."""

    begins: float
    ends: float
    fingerprint: str
    served: str = ""

    def left(self, now: float) -> float:
        """The remaining share of the lifetime; negative after expiry."""
        return (self.ends - now) / (self.ends - self.begins)


def moment(text: str) -> float:
    """Converts openssl's `Nov 21 12:03:53 2026 GMT` to seconds since the epoch."""
    return datetime.strptime(text, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC).timestamp()


class LifetimesFact(Fact[dict[str, Lifetime]]):
    """The `Lifetime`s by server name, of sites with a certificate; `sites` are pairs of a
    certificate's directory and that name."""

    def command(self, sites: Sequence[Sequence[str]]) -> str:
        lines = "\n".join(f"{directory} {name}" for directory, name in sites)
        return self.script(sites=lines)

    def process(self, output: list[str]) -> dict[str, Lifetime]:
        found: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for name, key, value in fields(output):
            found[name][key.lower()] = value
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
