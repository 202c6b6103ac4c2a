"""The running kernel, its settings, what is on disk of both, and the mounts."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from stagecraft.facts.reading import Fact


@dataclass(frozen=True)
class KernelSetting:
    """`value` is the live one of `key`; `declared` is the last one in sysctl.d, from the file
    `path`."""

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


def parse_kernel(lines: Iterable[str]) -> Kernel:
    """Reads lines of a kind and its value."""
    running, path = "", ""
    images: dict[str, float] = {}
    declared: dict[str, tuple[str, str]] = {}
    live: dict[str, str] = {}
    mounts: list[list[str]] = []
    tables: set[str] = set()
    for line in lines:
        kind, _, value = line.partition(" ")
        if kind == "running":
            running = value
        elif kind == "image":
            moment, _, version = value.partition(" ")
            images[version] = float(moment)
        elif kind == "mount":
            mounts.append([unescaped(word) for word in value.split(" ")])
        elif kind == "fstab":
            tables |= set(whole(value.split()))
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
    mounted = tuple(mount(words, tables) for words in mounts)
    return Kernel(running, images, tuple(settings), mounted)


def mount(words: list[str], declared: set[str]) -> Mount:
    """Reads a line of mountinfo, see proc_pid_mountinfo(5)."""
    kind, source = words[words.index("-") + 1 :][:2]
    return Mount(words[4], words[3], kind, source, words[4] in declared)


def whole(words: list[str]) -> list[str]:
    """The target of a fstab(5) line that mounts a whole file system, not one directory or file of
    it."""
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
    """Leaves out settings that a container shares with its host and cannot set."""

    parse = staticmethod(parse_kernel)

    def command(self) -> str:
        return (
            'echo "running $(uname -r)";'
            " find /boot -maxdepth 1 -name 'vmlinuz-*' -printf 'image %C@ %f\\n' 2>/dev/null"
            " | sed 's/ vmlinuz-/ /';"
            " sed 's/^/mount /' /proc/self/mountinfo; sed 's/^/fstab /' /etc/fstab 2>/dev/null;"
            " declared=$(systemd-analyze cat-config sysctl.d 2>/dev/null);"
            ' echo "$declared" | sed "s/^/declared /";'
            ' set --; for path in $(echo "$declared"'
            " | sed -nE 's/^ *([a-z][^= *]*) *=.*/\\1/p' | tr . / | sort -u);"
            ' do [ ! -w "/proc/sys/$path" ] || set -- "$@" "$path"; done;'
            # Not the shell's read, which reads byte by byte: the kernel only returns a value whole.
            ' [ $# = 0 ] || (cd /proc/sys && grep -H "" -- "$@" | sed "s/^/live /"); true'
        )
