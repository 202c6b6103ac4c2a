"""sshd's host keys and moduli."""

import shlex

from stagecraft.facts.reading import Fact


class HostKeysFact(Fact[list[str]]):
    """The existing ones of the given key files, and `weak` if a group in moduli has fewer than
    `bits`, as moduli(5) counts them."""

    def command(self, keys: list[str], bits: int) -> str:
        quoted = " ".join(map(shlex.quote, keys))
        return (
            f'for key in {quoted}; do [ ! -s "$key" ] || echo "$key"; done;'
            f" awk '$1 ~ /^[0-9]/ && $5 < {bits} {{print \"weak\"; exit}}' /etc/ssh/moduli"
            " 2>/dev/null; true"
        )

    def process(self, output: list[str]) -> list[str]:
        return output
