"""Which Debian packages are installed, and why."""

from collections.abc import Iterable
from dataclasses import dataclass

from stagecraft.facts.reading import Fact


@dataclass(frozen=True)
class Package:
    """An installed package. `manual`: not installed only as a dependency. `essential`: part of
    every Debian by its priority. `held`: excluded from upgrades."""

    manual: bool = False
    essential: bool = False
    held: bool = False


def parse_packages(lines: Iterable[str]) -> dict[str, Package]:
    """Reads dpkg's lines, then apt's."""
    rows = [line.split("\t") for line in lines]
    automatic = {row[1] for row in rows if row[0] == "automatic"}
    return {
        name: Package(
            manual=name not in automatic,
            essential=priority in ("required", "important", "standard"),
            held=want == "hold",
        )
        for kind, want, status, priority, name in (row for row in rows if row[0] == "package")
        if status == "installed"
    }


class PackagesFact(Fact[dict[str, Package]]):
    """Every installed `Package` by name."""

    parse = staticmethod(parse_packages)

    def command(self) -> str:
        fields = "\\t".join(
            ["${db:Status-Want}", "${db:Status-Status}", "${Priority}", "${Package}"]
        )
        return (
            f"dpkg-query -W -f='package\\t{fields}\\n' || exit;"
            " awk '/^Package:/ {name = $2} /^Auto-Installed: 1/ {print \"automatic\\t\" name}'"
            " /var/lib/apt/extended_states 2>/dev/null; true"
        )
