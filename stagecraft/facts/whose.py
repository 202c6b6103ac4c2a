"""Which package a path is of."""

import shlex

from stagecraft.facts.reading import Fact


class WhoseFact(Fact[str]):
    """What is at the path, in a line of `ls`, and the packages that have it; empty if there is
    nothing."""

    def command(self, path: str) -> str:
        quoted = shlex.quote(path)
        return (
            f"ls -ld -- {quoted} 2>/dev/null | cut -d ' ' -f 1-4"
            f" && dpkg-query -S -- {quoted} 2>/dev/null | cut -d : -f 1; true"
        )

    def process(self, output: list[str]) -> str:
        return ", of ".join(line.strip() for line in output if line.strip())
