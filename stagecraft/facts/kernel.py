"""The running kernel: its version, its settings, and what is on disk of both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pyinfra.api.facts import FactBase

from stagecraft.facts.reading import reading


@dataclass(frozen=True)
class KernelSetting:
    """`value` is the live one of `key`, and `declared` the last that the files of sysctl.d give,
    in the file `path`."""

    key: str
    value: str
    declared: str
    path: str


@dataclass(frozen=True)
class Kernel:
    """`images` are the installed kernels' versions and when each was installed, in seconds since
    the epoch; none in a container."""

    running: str = ""
    images: dict[str, float] = field(default_factory=dict)
    settings: tuple[KernelSetting, ...] = ()


def parse_kernel(lines: Iterable[str]) -> Kernel:
    """Reads what `KernelFact.command` prints: a kind, then its value."""
    running, path = "", ""
    images: dict[str, float] = {}
    declared: dict[str, tuple[str, str]] = {}
    live: dict[str, str] = {}
    for line in lines:
        kind, _, value = line.partition(" ")
        if kind == "running":
            running = value
        elif kind == "image":
            moment, _, version = value.partition(" ")
            images[version] = float(moment)
        elif kind == "live":
            key, _, text = value.partition(":")
            live[key.replace("/", ".")] = " ".join(text.split())
        elif kind == "declared" and value.startswith("# /"):
            path = value[2:]
        elif kind == "declared" and (pair := assignment(value)):
            declared[pair[0]] = (pair[1], path)
    settings = (
        KernelSetting(key, live[key], *declared[key]) for key in sorted(declared) if key in live
    )
    return Kernel(running, images, tuple(settings))


def assignment(line: str) -> tuple[str, str] | None:
    """Key and value of a line of sysctl.d(5); None for a comment, a pattern, and what may fail."""
    key, equals, value = line.partition("=")
    key = key.strip().replace("/", ".")
    if not equals or key.startswith(("#", ";", "-")) or "*" in key:
        return None
    return key, " ".join(value.split())


class KernelFact(FactBase[Kernel]):
    """The `Kernel`. What a container shares with its machine cannot be set from within: such a
    setting is left out."""

    @reading
    def command(self) -> str:
        return (
            'echo "running $(uname -r)";'
            " find /boot -maxdepth 1 -name 'vmlinuz-*' -printf 'image %C@ %f\\n' 2>/dev/null"
            " | sed 's/ vmlinuz-/ /';"
            " declared=$(systemd-analyze cat-config sysctl.d 2>/dev/null);"
            ' echo "$declared" | sed "s/^/declared /";'
            ' set --; for path in $(echo "$declared"'
            " | sed -nE 's/^ *([a-z][^= *]*) *=.*/\\1/p' | tr . / | sort -u);"
            ' do [ ! -w "/proc/sys/$path" ] || set -- "$@" "$path"; done;'
            # Not the shell's read, byte by byte: the kernel gives a value only whole.
            ' [ $# = 0 ] || (cd /proc/sys && grep -H "" -- "$@" | sed "s/^/live /"); true'
        )

    @staticmethod
    def default() -> Kernel:
        return Kernel()

    def process(self, output: list[str]) -> Kernel:
        return parse_kernel(output)
