"""Which Debian packages are installed."""

from __future__ import annotations

import shlex

from pyinfra.api.facts import FactBase

from stagecraft.facts.reading import reading


class InstalledPackages(FactBase[set[str]]):
    """Those of the given packages that dpkg has completely installed."""

    @reading
    def command(self, packages: list[str]) -> str:
        names = " ".join(shlex.quote(name) for name in packages)
        return f"dpkg-query -W -f='${{db:Status-Status}} ${{Package}}\\n' {names} 2>/dev/null; true"

    @staticmethod
    def default() -> set[str]:
        return set()

    def process(self, output: list[str]) -> set[str]:
        return {line.split()[1] for line in output if line.startswith("installed ")}
