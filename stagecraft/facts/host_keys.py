"""sshd's host keys and moduli."""

import shlex
from dataclasses import dataclass

from stagecraft.facts.reading import Fact


@dataclass(frozen=True)
class HostKeys:
    """Which of the given key files exist, and whether moduli has groups with too few bits."""

    keys: frozenset[str] = frozenset()
    weak_moduli: bool = False


class HostKeysFact(Fact[HostKeys]):
    """`bits` is the smallest size that is large enough, as moduli(5) counts it."""

    def command(self, keys: list[str], bits: int) -> str:
        quoted = " ".join(map(shlex.quote, keys))
        return (
            f'for key in {quoted}; do [ ! -s "$key" ] || echo "$key"; done;'
            f" awk '$1 ~ /^[0-9]/ && $5 < {bits} {{print \"weak\"; exit}}' /etc/ssh/moduli"
            " 2>/dev/null; true"
        )

    def process(self, output: list[str]) -> HostKeys:
        return HostKeys(frozenset(output) - {"weak"}, "weak" in output)
