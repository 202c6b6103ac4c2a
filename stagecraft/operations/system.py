"""Settings that the kernel and systemd only apply on request."""

import shlex
from collections.abc import Generator, Mapping, Sequence

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from stagecraft.facts.system import SysctlFact, System, SystemFact
from stagecraft.operations.files import Written
from stagecraft.operations.scripts import run_script, script
from stagecraft.operations.services import pending
from stagecraft.run import report_states
from stagecraft.seen import State

GENERATE_LOCALE, MAKE_SWAP = map(script, ("generate_locale", "make_swap"))


@operation()
def called(hostname: str) -> Generator[StringCommand]:
    """Ensures the host name, now and after a reboot, and that it resolves, as sudo needs it."""
    found: System = host.get_fact(SystemFact)
    name = shlex.quote(hostname)
    report_states(
        State("host name", hostname, f"{hostname} {hostname}", found.hostname),
        State("hosts entry", hostname, "there", "there" if hostname in found.hosts else ""),
    )
    if found.hostname != f"{hostname} {hostname}":
        yield StringCommand(
            f"echo {name} > /etc/.hostname.stagecraft && chmod 644 /etc/.hostname.stagecraft"
            f" && mv /etc/.hostname.stagecraft /etc/hostname && hostname {name}"
        )
    if hostname not in found.hosts:
        yield StringCommand(f"echo 127.0.1.1 {name} >> /etc/hosts")


@operation()
def generated_locale(locale: str) -> Generator[StringCommand]:
    """Ensures that the locale exists; C.UTF-8 always does. Fails for one that Debian lacks."""
    found: System = host.get_fact(SystemFact)
    missing = locale.lower().replace("-", "") not in found.locales
    report_states(State("locale", locale, "there", "" if missing else "there"))
    if missing:
        yield run_script(GENERATE_LOCALE, locale)


@operation()
def kernel_settings(settings: Mapping[str, str]) -> Generator[StringCommand]:
    """Ensures that the running kernel has the settings, unless a container shares them with its
    host. The drift check compares running settings with the files."""
    found: dict[str, str] = host.get_fact(SysctlFact, keys=list(settings))
    report_states()
    wrong = {key: settings[key] for key in found if found[key] != settings[key]}
    if wrong:
        pairs = (f"{key}={value}" for key, value in wrong.items())
        yield StringCommand("sysctl", "--quiet", *map(shlex.quote, pairs))


@operation()
def no_core_dumps(after: Sequence[Written]) -> Generator[StringCommand]:
    """Ensures that systemd has read the limit of `after`; services have it once they restart."""
    found: System = host.get_fact(SystemFact)
    limit = "0" if pending(after) else found.core_limit
    report_states(State("core dumps", "systemd", "0", limit))
    if found.core_limit != "0" or pending(after):
        yield StringCommand("systemctl daemon-reexec")


@operation()
def swap_file(path: str, megabytes: int) -> Generator[StringCommand]:
    """Ensures a complete swap file or none, for a unit to use; does nothing if there is swap."""
    found: System = host.get_fact(SystemFact)
    report_states(State("swap", path, "there", "there" if found.swap else ""))
    if not found.swap:
        yield run_script(MAKE_SWAP, path, str(megabytes))
