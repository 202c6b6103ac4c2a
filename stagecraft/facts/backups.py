"""The age of the newest backups."""

from collections.abc import Mapping

from stagecraft.facts.reading import Fact, moments


class BackupsFact(Fact[dict[str, float]]):
    """The time of the newest non-empty file at or below each path, in seconds since the epoch.
    `minutes` is the maximum age by path."""

    def command(self, minutes: Mapping[str, int]) -> str:
        return self.script(backups="\n".join(f"{age}\t{path}" for path, age in minutes.items()))

    def process(self, output: list[str]) -> dict[str, float]:
        return moments(output, " ")
