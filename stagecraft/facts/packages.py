"""Which Debian packages are installed, and why."""

from dataclasses import dataclass

from stagecraft.facts.reading import Fact, by_kind, fields


@dataclass(frozen=True)
class Package:
    """An installed package. `manual`: not installed only as a dependency. `essential`: part of
    every Debian by its priority. `held`: excluded from upgrades."""

    manual: bool = False
    essential: bool = False
    held: bool = False


class PackagesFact(Fact[dict[str, Package]]):
    def command(self) -> str:
        fields = r"${db:Status-Want}\t${db:Status-Status}\t${Priority}\t${Package}"
        return (
            f"dpkg-query -W -f='package\\t{fields}\\n' || exit;"
            " awk '/^Package:/ {name = $2} /^Auto-Installed: 1/ {print \"automatic\\t\" name}'"
            " /var/lib/apt/extended_states 2>/dev/null; true"
        )

    def process(self, output: list[str]) -> dict[str, Package]:
        found = by_kind(output)
        automatic = {*found["automatic"]}
        return {
            name: Package(
                manual=name not in automatic,
                essential=priority in ("required", "important", "standard"),
                held=want == "hold",
            )
            for want, status, priority, name in fields(found["package"])
            if status == "installed"
        }
