"""Changes to sshd, its keys and the firewall that cannot lock everybody out.

A change reverts itself unless a new connection, as the account of the next run, confirms it. The
old login keeps working while the new one is tested.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from pyinfra.api.command import FunctionCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from stagecraft.facts.access import CurrentAccess, CurrentAccessFact
from stagecraft.facts.files import Entry, TreeFact
from stagecraft.login import Login, proven
from stagecraft.operations.diff import show
from stagecraft.operations.files import INSTALL_TREE, Checker, differing, payload
from stagecraft.operations.nodes import Node
from stagecraft.operations.scripts import run_script, script
from stagecraft.run import report_states, this_run
from stagecraft.seen import Place, Seen, State

TREE = "access"

SSHD_CONFIGURATION = "/etc/ssh/sshd_config"
"""The common prefix of the paths of sshd's configuration."""

REVERT_AFTER = 60
"""The seconds allowed between steps: several times what one takes over a slow connection."""


ARM, REVERT, HOLD = map(script, ("arm_revert", "revert_access", "hold_revert"))
APPLY = script("apply_access")
CONFIRM = HOLD + script("confirm_access")


@dataclass(frozen=True)
class Access:
    """Who can log in, and how.

    `settings` are sshd's declared ones, with lower-case names. `transition` returns the nodes to
    install while `login` is tested, with the present logins still working, and `transition_check`
    checks them; empty if the login is not new. `firewall` says whether ours is declared.
    """

    nodes: Sequence[Node]
    check: Checker
    transition: Callable[[CurrentAccess], Sequence[Node]]
    transition_check: Checker
    settings: dict[str, list[str]]
    login: Login
    firewall: bool

    @property
    def paths(self) -> list[str]:
        return [node.path for node in self.nodes]

    def is_in_force(self, current: CurrentAccess, entries: dict[str, Entry]) -> bool:
        """Whether everything is installed, in force and confirmed."""
        return (
            not current.armed
            and not differing(self.nodes, entries)
            and not current.sshd.newer
            and not unlike(self.settings, current.settings)
            and (current.firewall or not self.firewall)
        )

    def seen(self, current: CurrentAccess, entries: dict[str, Entry]) -> list[Seen]:
        """The files that differ, and sshd's settings unless its files already explain them. The
        drift check compares the kernel's rules with the firewall's file."""
        changes = differing(self.nodes, entries)
        seen: list[Seen] = [Place(TREE, node, entries.get(node.path), "root") for node in changes]
        changed = {node.path for node in changes}
        follows = any(path.startswith(SSHD_CONFIGURATION) for path in changed)
        wrong = [] if follows else unlike(self.settings, current.settings)
        for name, values in self.settings.items():
            found = current.settings.get(name, []) if name in wrong else values
            seen.append(State("sshd setting", name, in_words(values), in_words(found)))
        return [*seen, State("access", "unconfirmed change", "", "waits" * current.armed)]


def in_words(values: Sequence[str]) -> str:
    return ", ".join(sorted(values))


ALONE = ("port", "allowusers", "hostkey")
"""Settings that sshd accepts several times; no values but ours may exist."""


def unlike(declared: dict[str, list[str]], found: dict[str, list[str]]) -> list[str]:
    """The settings that sshd would not have as declared."""
    return [
        name
        for name, values in declared.items()
        if not set(values) <= set(found.get(name, []))
        or (name in ALONE and set(values) != set(found.get(name, [])))
    ]


@operation()
def guarded(access: Access) -> Generator[StringCommand | FunctionCommand]:
    """Ensures the access as declared, proven by a new connection before the old login stops
    working.

    The server reverts an unconfirmed change: at once if the proof fails, after REVERT_AFTER seconds
    if this program dies or sleeps, at boot if the server restarts. Later steps are then refused.
    """
    current, entries = look(access)
    report_states(*access.seen(current, entries))
    if access.is_in_force(current, entries):
        return
    show(differing(access.nodes, entries), entries, "root")
    yield run_script(ARM, str(REVERT_AFTER), REVERT, *access.paths)
    current, entries = look(access)  # until now, the server may have reverted a dead run's change
    proof = FunctionCommand(proven, (access.login, current.host_key), {})
    records = this_run().manifest.ahead(TREE, access.nodes)
    if transition := access.transition(current):
        yield apply(differing(transition, entries), access.transition_check, records)
        yield run_script(HOLD)
        yield proof
        current, entries = look(access)
        records = ""
    yield apply(differing(access.nodes, entries), access.check, records)
    yield run_script(HOLD)
    yield proof
    yield run_script(CONFIRM)


def look(access: Access) -> tuple[CurrentAccess, dict[str, Entry]]:
    current: CurrentAccess = host.get_fact(CurrentAccessFact)
    entries: dict[str, Entry] = host.get_fact(TreeFact, paths=access.paths)
    return current, entries


def apply(changes: Sequence[Node], check: Checker, records: str) -> StringCommand:
    """Installs what the checker accepts and puts it in force; reverts all of it on failure.
    `records` are lines for the manifest."""
    manifest = this_run().manifest.path
    arguments = [TREE, manifest, check.unit, check.name, check.command, *check.directories]
    return run_script(APPLY, INSTALL_TREE, HOLD, *arguments, stdin=payload(changes, records))
