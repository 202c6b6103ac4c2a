"""Sockets that wait for connections or packets, on every port."""

from dataclasses import dataclass

from stagecraft.facts.reading import Fact, rows


@dataclass(frozen=True)
class Socket:
    """`protocol` is tcp or udp. `process` and the system `unit` are empty, and `pid` is 0, if the
    kernel does not tell, or listens itself (WireGuard)."""

    protocol: str
    address: str
    process: str = ""
    unit: str = ""
    pid: int = 0

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def local(self) -> bool:
        """Whether it is reachable from this machine only."""
        host = self.address.rpartition(":")[0].strip("[]").removeprefix("::ffff:")
        return host.startswith("127.") or host == "::1"


class ListenersFact(Fact[list[Socket]]):
    def process(self, output: list[str]) -> list[Socket]:
        return [
            Socket(protocol, address, process, unit, int(pid or 0))
            for protocol, address, process, unit, pid in rows(output, 5)
            if address.rpartition(":")[2].isdigit()
        ]
