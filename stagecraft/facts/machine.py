"""The machine's Debian, architecture, memory, and the versions that templates depend on."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address

from pyinfra.api.exceptions import FactProcessError

from stagecraft.facts.reading import Fact

DISTRIBUTION_VERSIONS: dict[str, dict[str, str]] = {
    "12": {"codename": "bookworm", "php": "8.2", "nginx": "1.22", "openssl": "3.0"},
    "13": {"codename": "trixie", "php": "8.4", "nginx": "1.26", "openssl": "3.5"},
}
"""The versions in each Debian, by VERSION_ID; from `apt-cache policy` on both, 2026-11. Another
Debian also needs its ALGORITHMS in tasks/sshd.py and its suite in nspawn/images.py."""

MEMORY_STEP_MB = 256
"""Memory is rounded down to this, so that a kernel that reserves more does not resize pools."""


@dataclass(frozen=True)
class Machine:
    """A Debian server. `memory_mb` is rounded down to `MEMORY_STEP_MB`; `resolvers` are the sorted
    addresses of its name servers."""

    uid: int
    distribution: str
    version: str
    architecture: str
    memory_mb: int
    ipv6: bool
    nginx: tuple[int, ...]
    openssl: tuple[int, ...]
    resolvers: tuple[str, ...] = ()

    @property
    def php(self) -> str:
        """This Debian's PHP version, such as `8.4`."""
        return DISTRIBUTION_VERSIONS[self.version]["php"]

    @property
    def codename(self) -> str:
        """This Debian's suite, such as `trixie`."""
        return DISTRIBUTION_VERSIONS[self.version]["codename"]

    @property
    def supported(self) -> bool:
        return self.distribution == "debian" and self.version in DISTRIBUTION_VERSIONS

    def megabytes(self, percent: int) -> int:
        return self.memory_mb * percent // 100


def version_tuple(text: str) -> tuple[int, ...]:
    match = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", text)
    return tuple(int(part) for part in match[1].split(".")) if match else ()


def resolvers(lines: list[str]) -> Iterator[str]:
    """Their addresses, without a zone. Skips lines without an address."""
    for line in lines:
        key, _, address = line.partition("=")
        if key == "resolver":
            with suppress(ValueError):
                yield str(ip_address(address.strip().partition("%")[0]))


class MachineFact(Fact[Machine | None]):
    """For packages that are not installed yet, it has the versions in this Debian."""

    def process(self, output: list[str]) -> Machine | None:
        if not output:
            return None
        values = dict(line.split("=", 1) for line in output if "=" in line)
        version = values.get("VERSION_ID", "").strip('"')
        shipped = DISTRIBUTION_VERSIONS.get(version, {})
        try:
            memory_mb = int(values["memory_kb"]) // 1024
            return Machine(
                uid=int(values["uid"]),
                distribution=values.get("ID", "unknown"),
                version=version,
                architecture=values["architecture"],
                memory_mb=max(memory_mb // MEMORY_STEP_MB, 1) * MEMORY_STEP_MB,
                ipv6=values["ipv6"] == "yes",
                nginx=version_tuple(values.get("nginx") or shipped.get("nginx", "")),
                openssl=version_tuple(values.get("openssl") or shipped.get("openssl", "")),
                resolvers=tuple(sorted(set(resolvers(output)))),
            )
        except (KeyError, ValueError) as error:
            raise FactProcessError(f"this does not look like a Debian server: {error}") from error
