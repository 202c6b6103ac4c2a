"""How the kernel reaches others, what it does with their packets, and what is loaded into it."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from stagecraft.facts.as_found import noted
from stagecraft.facts.reading import Fact, rows

READ_NETWORK = (Path(__file__).parent / "on_server/network.py").read_text()


@dataclass(frozen=True)
class Part:
    """A thing of a kind, such as a route, in the words of ip(8). `why` is empty if neither the
    kernel nor the network's configuration or leases explain it."""

    kind: str
    thing: str
    why: str = ""


@dataclass(frozen=True)
class Network:
    parts: tuple[Part, ...] = ()

    @property
    def unexplained(self) -> list[Part]:
        return [part for part in self.parts if not part.why]

    @property
    def first_day(self) -> frozenset[str]:
        return frozenset(noted(part.kind, part.thing) for part in self.unexplained)


class NetworkFact(Fact[Network]):
    """Empty on a bare server without Python."""

    def command(self) -> str:
        return f"! command -v python3 >/dev/null || python3 -I -c {shlex.quote(READ_NETWORK)}"

    def process(self, output: list[str]) -> Network:
        return Network(tuple(Part(kind, thing, why) for kind, thing, why in rows(output, 3)))
