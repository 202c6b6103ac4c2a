"""The state of given paths, read with one command for a whole tree."""

from __future__ import annotations

import shlex
from base64 import b64decode
from dataclasses import dataclass

from stagecraft.facts.reading import Fact

KINDS = {"regular file": "file", "regular empty file": "file", "symbolic link": "link"}

KEY_ENDS = "=: "
"""Separators after a line's key: in a .env, a password file, an ACL file."""

KEY_CHARACTERS = "A-Za-z0-9_.-"
LONGEST_KEY = 64

LONGEST = 65536
"""Bytes. Longer files are not shown in diffs; ours are shorter."""

PATIENCE = "15"
"""The time limit, in seconds, of commands that take one at most; the fast shell's limit is
higher."""


@dataclass(frozen=True)
class Entry:
    """The state of a path. `mode` is octal text (`640`); `acl` lists access and default entries
    beyond the mode, in setfacl's format; `sha256` is of a file's contents or of a link's target;
    `attributes` are the chattr letters that stop even root from changing it."""

    kind: str
    mode: str
    user: str
    group: str
    sha256: str = ""
    target: str = ""
    attributes: str = ""
    acl: frozenset[str] = frozenset()


def parse_tree(lines: list[str]) -> dict[str, Entry]:
    """Reads sections of stat, link targets, checksums, attributes and ACLs. Skips any other line: a
    site can trace the processes that run as its user, and change their output."""
    section, acl_path = "", ""
    entries: dict[str, dict[str, str]] = {}
    acls: dict[str, set[str]] = {}
    for line in lines:
        if line.startswith("== "):
            section = line[3:]
        elif section == "stat" and line.count("|") == 4:
            path, kind, mode, user, group = line.split("|")
            kind = KINDS.get(kind, kind)
            entries[path] = {"kind": kind, "mode": mode, "user": user, "group": group}
        elif section == "links":
            path, _, target = line.partition("|")
            if path in entries:
                entries[path]["target"] = target
        elif section == "sums":
            digest, _, path = line.partition("  ")
            if path in entries:
                entries[path]["sha256"] = digest
        elif section == "attributes":
            letters, _, path = line.partition(" ")
            if path in entries:
                entries[path]["attributes"] = "".join(sorted({"a", "i"} & {*letters}))
        elif section == "acls":
            if line.startswith("# file: "):
                acl_path = line[len("# file: ") :]
            elif is_extended(line):
                acls.setdefault(acl_path, set()).add(line)
    return {
        path: Entry(**values, acl=frozenset(acls.get(path, ()))) for path, values in entries.items()
    }


def is_extended(acl_line: str) -> bool:
    """Whether a `getfacl` line names a user or group; the others repeat or mask the mode."""
    entry = acl_line.removeprefix("default:")
    return entry.startswith(("user:", "group:")) and "::" not in entry


def becoming(user: str) -> list[str]:
    """The prefix of a command that root runs as this user.

    A process can ptrace others of the same user, and so bypass its own sandbox, unless they have a
    capability that it lacks. A site's PHP has none, so this command gets a harmless one.
    """
    if user == "root":
        return []
    kept = [f"--{kind}-caps=+net_bind_service" for kind in ("inh", "ambient")]
    return ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", *kept]


def becoming_with_time_limit(user: str) -> list[str]:
    """As `becoming`, with a time limit: a site can stop processes that run as its user."""
    words = becoming(user)
    return ["timeout", "--signal=KILL", PATIENCE, *words] if words else []


def read_as(user: str, command: str) -> str:
    """The command as run by that user, who may not exist yet. Root would follow links and wait at
    pipes that a site creates among its own files."""
    if user == "root":
        return command
    words = shlex.join([*becoming_with_time_limit(user), "sh", "-c", command])
    return f"if id -u {shlex.quote(user)} >/dev/null 2>&1; then {words}; fi"


def each_text(paths: list[str], program: str) -> str:
    """The command that runs `program` for each $path that is a file; `text` prints its contents.

    Follows no links, which could lead to a secret: it enters the directory, then compares where it
    is. Only the last component can be replaced after that; dd follows no link and waits for no
    pipe.
    """
    quoted = " ".join(shlex.quote(path) for path in paths)
    return (
        'is_file() { cd -P -- "${path%/*}/" && [ "$(pwd -P)" = "${path%/*}" ] && name=./${path##*/}'
        ' && [ -f "$name" ] && [ ! -L "$name" ]'
        f' && [ "$(stat -c %s -- "$name")" -le {LONGEST} ]; }} 2>/dev/null;'
        ' text() { dd if="$name" iflag=nofollow,nonblock,fullblock'
        f" bs={LONGEST} count=1 status=none 2>/dev/null; }};"
        f" for path in {quoted}; do is_file || continue; {program}; done; true"
    )


class TreeFact(Fact[dict[str, Entry]]):
    """The entries at the given paths; nonexistent paths are left out."""

    def command(self, paths: list[str], user: str = "root") -> str:
        quoted = " ".join(shlex.quote(path) for path in paths)
        return read_as(
            user,
            f"export LC_ALL=C; set -- {quoted};"
            " echo '== stat'; stat -c '%n|%F|%a|%U|%G' -- \"$@\" 2>/dev/null;"
            " echo '== links'; for path; do"
            # A target with line ends in it could pass for other sections.
            ' [ -L "$path" ] && printf \'%s|%s\\n\' "$path"'
            " \"$(readlink --no-newline -- \"$path\" | tr '\\n' '\\1')\"; done;"
            " echo '== sums'; for path; do"
            ' [ -f "$path" ] && sha256sum -- "$path" 2>/dev/null; done;'
            " echo '== attributes'; lsattr -d -- \"$@\" 2>/dev/null;"
            " echo '== acls'; getfacl --absolute-names -- \"$@\" 2>/dev/null; true",
        )

    def process(self, output: list[str]) -> dict[str, Entry]:
        return parse_tree([line for line in output if line])


def decoded(base64: str) -> str:
    """The decoded text; empty for invalid base64 (see `parse_tree`)."""
    try:
        return b64decode(base64).decode(errors="surrogateescape")
    except ValueError:
        return ""


class ContentsFact(Fact[dict[str, str]]):
    """The contents of the given files, for `--diff`; never requested for secrets. Leaves out what
    is not a file, is longer than LONGEST, or is reached through a link."""

    def command(self, paths: list[str], user: str = "root") -> str:
        return read_as(user, each_text(paths, 'echo "$path $(text | base64 --wrap=0)"'))

    def process(self, output: list[str]) -> dict[str, str]:
        rows = (line.rpartition(" ") for line in output)
        return {path: decoded(text) for path, _, text in rows}


class FingerprintsFact(Fact[dict[str, dict[str, str]]]):
    """For files with a secret on each line: the checksum of each line by its key, so that a diff
    can name keys while values stay on the server. Reads files as `ContentsFact` does. For lines
    without a key, as in PEM files, the key is empty, because the line may be a secret itself."""

    def command(self, paths: list[str], user: str = "root") -> str:
        return read_as(
            user,
            each_text(
                paths,
                'echo "== $path"; text | grep -v -e "^#" -e "^$" | while IFS= read -r line; do'
                f' key=${{line%%[{KEY_ENDS}]*}}; sum=$(printf %s "$line" | sha256sum);'
                f' case $key in "$line" | *[!{KEY_CHARACTERS}]*) key= ;; esac;'
                f' [ ${{#key}} -le {LONGEST_KEY} ] || key=; echo "${{sum%% *}} $key"; done',
            ),
        )

    def process(self, output: list[str]) -> dict[str, dict[str, str]]:
        files: dict[str, dict[str, str]] = {}
        keys: dict[str, str] = {}
        for line in output:
            if line.startswith("== /"):
                keys = files.setdefault(line[3:], {})
            elif line:
                digest, _, key = line.partition(" ")
                keys[key] = digest
        return files
