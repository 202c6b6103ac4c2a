"""The running kernel, its settings, what is on disk of both, and the mounts."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from stagecraft.facts.reading import Fact, by_kind, moments
from stagecraft.facts.system import parse_sysctl


@dataclass(frozen=True)
class KernelSetting:
    """`value` is the live one of `key`; `declared` is sysctl.d's last one, from the file `path`."""

    key: str
    value: str
    declared: str
    path: str


@dataclass(frozen=True)
class Mount:
    """A mount at `target`: the file system's type and source, and `root`, the path inside it that
    is mounted. `declared` means that /etc/fstab mounts the whole file system there."""

    target: str
    root: str = "/"
    type: str = ""
    source: str = ""
    declared: bool = False


@dataclass(frozen=True)
class Kernel:
    """`images` maps the versions of installed kernels to their installation, in seconds since the
    epoch; empty in a container. `mounts` repeats a target for every mount stacked on it."""

    running: str = ""
    images: dict[str, float] = field(default_factory=dict)
    settings: tuple[KernelSetting, ...] = ()
    mounts: tuple[Mount, ...] = ()


def settings(lines: Iterable[str], live: Mapping[str, str]) -> Iterator[KernelSetting]:
    """Reads sysctl.d as systemd prints it, each file after a comment with its path."""
    path = ""
    declared: dict[str, tuple[str, str]] = {}
    for line in lines:
        if line.startswith("# /"):
            path = line[2:]
        elif pair := assignment(line):
            declared[pair[0]] = (pair[1], path)
    for key in sorted(declared.keys() & live.keys()):
        yield KernelSetting(key, live[key], *declared[key])


def mount(line: str, declared: set[str]) -> Mount:
    """Reads a line of mountinfo, see proc_pid_mountinfo(5)."""
    words = [unescaped(word) for word in line.split(" ")]
    kind, source = words[words.index("-") + 1 :][:2]
    return Mount(words[4], words[3], kind, source, words[4] in declared)


def whole(words: list[str]) -> list[str]:
    """The target of a fstab(5) line that mounts a whole file system, not a part of it."""
    if len(words) < 4 or words[0].startswith("#") or "bind" in words[3]:
        return []
    return [unescaped(words[1])]


def unescaped(word: str) -> str:
    """Both files write a space as `\\040`."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), word)


def assignment(line: str) -> tuple[str, str] | None:
    """The key and value of a sysctl.d(5) line; None for a comment, a pattern, and what may fail."""
    key, equals, value = line.partition("=")
    key = key.strip().replace("/", ".")
    if not equals or key.startswith(("#", ";", "-")) or "*" in key:
        return None
    return key, " ".join(value.split())


class KernelFact(Fact[Kernel]):
    def process(self, output: list[str]) -> Kernel:
        found = by_kind(output, " ")
        targets = {target for line in found["fstab"] for target in whole(line.split())}
        return Kernel(
            running="".join(found["running"]),
            images=moments(found["image"], " "),
            settings=tuple(settings(found["declared"], parse_sysctl(found["live"]))),
            mounts=tuple(mount(line, targets) for line in found["mount"]),
        )
