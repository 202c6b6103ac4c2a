"""The state of given paths, read with one command for a whole tree."""

import shlex
from base64 import b64decode
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from stagecraft.facts.reading import Fact

TREE, TEXTS = (Path(__file__).with_name(f"{name}.sh").read_text() for name in ("tree", "texts"))

KINDS = {"regular file": "file", "regular empty file": "file", "symbolic link": "link"}

KEY_ENDS = "=: "
"""Separators after a line's key: in a .env, a password file, an ACL file."""

KEY_CHARACTERS = "A-Za-z0-9_.-"
LONGEST_KEY = 64

LONGEST = 65536
"""Bytes. Longer files are not shown in diffs; ours are shorter."""

PATIENCE = "15"
"""Seconds that commands which take one at most may take; less than the fast shell allows."""


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


def is_extended(acl_line: str) -> bool:
    """Whether a `getfacl` line names a user or group; the others repeat or mask the mode."""
    entry = acl_line.removeprefix("default:")
    return entry.startswith(("user:", "group:")) and "::" not in entry


def becoming(user: str) -> list[str]:
    """The prefix of a command that root runs as this user. A process can ptrace others of the same
    user, and so bypass its own sandbox, unless they have a capability that it lacks. A site's PHP
    has none, so this command gets a harmless one."""
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


def each_text(paths: list[str], told: str) -> str:
    """The command that prints `told` for each $path that is a file; `text` prints its contents."""
    quoted = shlex.join(paths)
    key = f"longest_key={LONGEST_KEY} ends='{KEY_ENDS}' characters={KEY_CHARACTERS}"
    loop = f"for path in {quoted}; do is_file || continue; {told}; done; true"
    return f"longest={LONGEST} {key}\n{TEXTS}{loop}"


class TreeFact(Fact[dict[str, Entry]]):
    """The entries at the given paths; nonexistent paths are left out. Skips lines that do not
    belong to them: a site can trace the processes that run as its user, and change their output."""

    def command(self, paths: list[str], user: str = "root") -> str:
        return read_as(user, f"set -- {shlex.join(paths)}\n{TREE}")

    def process(self, output: list[str]) -> dict[str, Entry]:
        section, acl_path = "", ""
        entries: dict[str, dict[str, str]] = {}
        acls: defaultdict[str, set[str]] = defaultdict(set)
        for line in filter(None, output):
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
                    acls[acl_path].add(line)
        return {
            path: Entry(**values, acl=frozenset(acls[path])) for path, values in entries.items()
        }


def decoded(base64: str) -> str:
    """The decoded text; empty for invalid base64 (see `TreeFact`)."""
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
        return read_as(user, each_text(paths, "fingerprints"))

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
