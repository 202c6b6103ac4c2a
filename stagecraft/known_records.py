"""Checksums of records that servers keep, in `known_records` next to `known_hosts`: root on a
server can change its records, but not this file."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from stagecraft.local_files import not_text, write_whole
from stagecraft.settings import Server
from stagecraft.yaml_files import Location, Problem, SettingsError

FILE = "known_records"
AS_FOUND = "as-found"


@dataclass(frozen=True)
class KnownRecords:
    """The checksums of one server's records. A line has server, record and checksum. `lasting` is
    False for a throwaway server, whose file nobody commits."""

    path: Path
    server: str
    lasting: bool = True

    def sum(self, record: str) -> str:
        """The known checksum of the record; empty if there is none."""
        return next((line.split()[2] for line in self._lines() if self._of(record, line)), "")

    def line(self, record: str, text: str) -> str:
        """The line that vouches for this text of the record."""
        return f"{self.server} {record} {digest(text)}"

    def note(self, record: str, text: str) -> None:
        """Replaces the record's checksum with that of this text."""
        others = [line for line in self._lines() if not self._of(record, line)]
        lines = [*others, self.line(record, text)]
        write_whole(self.path, "".join(f"{line}\n" for line in lines))

    def _of(self, record: str, line: str) -> bool:
        words = line.split()
        return words[:2] == [self.server, record] and len(words) == 3

    def _lines(self) -> list[str]:
        """Raises SettingsError for an unreadable file."""
        if not self.path.exists():
            return []
        if wrong := not_text(self.path):
            raise SettingsError([Problem(Location(FILE), wrong)])
        return self.path.read_text(encoding="utf-8").splitlines()


def known_records(server: Server, root: Path) -> KnownRecords:
    """A throwaway server's checksums are in .stagecraft/, and deleted with it."""
    directory = root / ".stagecraft" if server.throwaway else root
    return KnownRecords(directory / FILE, server.name, lasting=not server.throwaway)


def digest(text: str) -> str:
    return f"SHA256:{hashlib.sha256(text.encode()).hexdigest()}"
