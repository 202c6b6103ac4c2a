"""What stands at given paths: one command for a whole tree."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from pyinfra.api.facts import FactBase

from stagecraft.facts.reading import reading

KINDS = {"regular file": "file", "regular empty file": "file", "symbolic link": "link"}

KEY_ENDS = "=: "
"""What ends the key of a line: in a .env, a password file, an ACL file."""


@dataclass(frozen=True)
class Entry:
    """One path as it is. `mode` is octal text (`640`); `acl` are access and default entries
    beyond the mode, as `setfacl` takes them; `sha256` is that of a file's text, of a link's
    target's."""

    kind: str
    mode: str
    user: str
    group: str
    sha256: str = ""
    target: str = ""
    acl: frozenset[str] = frozenset()


def parse_tree(lines: list[str]) -> dict[str, Entry]:
    """Reads what `Tree.command` prints: sections of stat, link targets, sums and ACLs."""
    section, acl_path = "", ""
    entries: dict[str, dict[str, str]] = {}
    acls: dict[str, set[str]] = {}
    for line in lines:
        if line.startswith("== "):
            section = line[3:]
        elif section == "stat":
            path, kind, mode, user, group = line.split("|")
            kind = KINDS.get(kind, kind)
            entries[path] = {"kind": kind, "mode": mode, "user": user, "group": group}
        elif section == "links":
            path, target = line.split("|", 1)
            entries[path]["target"] = target
        elif section == "sums":
            digest, path = line.split("  ", 1)
            if path in entries:
                entries[path]["sha256"] = digest
        elif section == "acls":
            if line.startswith("# file: "):
                acl_path = line[len("# file: ") :]
            elif is_extended(line):
                acls.setdefault(acl_path, set()).add(line)
    return {
        path: Entry(**values, acl=frozenset(acls.get(path, ()))) for path, values in entries.items()
    }


def is_extended(acl_line: str) -> bool:
    """Whether a line of `getfacl` names a user or group; the others repeat or mask the mode."""
    entry = acl_line.removeprefix("default:")
    return entry.startswith(("user:", "group:")) and "::" not in entry


def becoming(user: str) -> list[str]:
    """The words before a command that root runs as this user."""
    if user == "root":
        return []
    return ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"]


def read_as(user: str, command: str) -> str:
    """The command as that user reads, who may not exist yet: root would follow the links, and
    wait at the pipes, that a site can put among its own files."""
    if user == "root":
        return command
    words = shlex.join([*becoming(user), "sh", "-c", command])
    return f"if id -u {shlex.quote(user)} >/dev/null 2>&1; then {words}; fi"


class Tree(FactBase[dict[str, Entry]]):
    """The entries at the given paths; a path where nothing stands is not in the result."""

    @reading
    def command(self, paths: list[str], user: str = "root") -> str:
        quoted = " ".join(shlex.quote(path) for path in paths)
        return read_as(
            user,
            f"export LC_ALL=C; set -- {quoted};"
            " echo '== stat'; stat -c '%n|%F|%a|%U|%G' -- \"$@\" 2>/dev/null;"
            " echo '== links'; for path; do"
            ' [ -L "$path" ] && printf \'%s|%s\\n\' "$path" "$(readlink -- "$path")"; done;'
            " echo '== sums'; for path; do"
            ' [ -f "$path" ] && sha256sum -- "$path" 2>/dev/null; done;'
            " echo '== acls'; getfacl --absolute-names -- \"$@\" 2>/dev/null; true",
        )

    @staticmethod
    def default() -> dict[str, Entry]:
        return {}

    def process(self, output: list[str]) -> dict[str, Entry]:
        return parse_tree([line for line in output if line])


class Contents(FactBase[dict[str, str]]):
    """The text of the given files, for `--diff`; never asked for a file that holds a secret."""

    @reading
    def command(self, paths: list[str], user: str = "root") -> str:
        quoted = " ".join(shlex.quote(path) for path in paths)
        return read_as(
            user,
            f"for path in {quoted}; do"
            ' [ -f "$path" ] && echo "== $path" && cat -- "$path" 2>/dev/null && echo; done; true',
        )

    @staticmethod
    def default() -> dict[str, str]:
        return {}

    def process(self, output: list[str]) -> dict[str, str]:
        contents: dict[str, list[str]] = {}
        lines: list[str] = []
        for line in output:
            if line.startswith("== /"):
                lines = contents.setdefault(line[3:], [])
            else:
                lines.append(line)
        return {path: "\n".join(lines) for path, lines in contents.items()}


class Fingerprints(FactBase[dict[str, dict[str, str]]]):
    """Of files with a secret on each line, by path: the sum of each line by its key, so that a
    difference has a name and its values stay where they are."""

    @reading
    def command(self, paths: list[str], user: str = "root") -> str:
        quoted = " ".join(shlex.quote(path) for path in paths)
        return read_as(
            user,
            f'for path in {quoted}; do [ -f "$path" ] || continue; echo "== $path";'
            ' grep -v -e "^#" -e "^$" -- "$path" | while IFS= read -r line; do'
            f' key=${{line%%[{KEY_ENDS}]*}}; sum=$(printf %s "$line" | sha256sum);'
            ' echo "${sum%% *} $key"; done; done; true',
        )

    @staticmethod
    def default() -> dict[str, dict[str, str]]:
        return {}

    def process(self, output: list[str]) -> dict[str, dict[str, str]]:
        files: dict[str, dict[str, str]] = {}
        keys: dict[str, str] = {}
        for line in output:
            if line.startswith("== /"):
                keys = files.setdefault(line[3:], {})
            elif line:
                digest, key = line.split(" ", 1)
                keys[key] = digest
        return files
