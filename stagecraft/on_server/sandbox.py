"""Runs a release's own code before it serves: as the site's user, in the sandbox of the site's
PHP-FPM, in a transient unit of systemd's that ends with the action."""

import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from stagecraft.on_server.log import Log
from stagecraft.on_server.printed import lines
from stagecraft.on_server.site import Failed, Site

UNITS = Path("/etc/systemd/system")

PROCESS = {
    *("Type", "ExecStartPre", "ExecStart", "ExecReload", "ExecStopPost", "KillSignal", "KillMode"),
    *("Restart", "RestartSec", "TimeoutStopSec", "Environment"),
}
"""How PHP-FPM's unit runs its process."""

PLACES = {"CacheDirectory", "CacheDirectoryMode", "BindPaths", "ReadWritePaths"}
"""Where the running site may write."""

LIMITS = {"MemoryMax", "TasksMax", "LimitNOFILE", "CapabilityBoundingSet", "AmbientCapabilities"}

HARMLESS = "CAP_NET_BIND_SERVICE"
"""PHP has no capability, so it cannot look into a process of its user that has one."""

OWN = [
    f"CapabilityBoundingSet={HARMLESS}",
    f"AmbientCapabilities={HARMLESS}",
    "UMask=0027",
    "TasksMax=1024",
    "LimitNOFILE=65536",
    "MemoryMax=75%",
]
"""In place of what is left out above."""

PATIENCE = "30min"


def settings(unit: str) -> list[tuple[str, str]]:
    """The lines of the unit's [Service], by name."""
    lines = (UNITS / unit).read_text().partition("[Service]")[2].partition("\n[")[0].splitlines()
    pairs = (line.partition("=") for line in lines if line and line[0] not in "#;")
    return [(name, value) for name, _, value in pairs]


def walls(site: Site) -> list[str]:
    """What confines PHP-FPM, except where it may write and how much it may use."""
    left = PROCESS | PLACES | LIMITS
    kept = [f"{name}={value}" for name, value in settings(site.php_fpm) if name not in left]
    return [*kept, f"BindReadOnlyPaths={site.php}:/usr/bin/php"]


def run(
    site: Site,
    words: Sequence[str],
    log: Log,
    properties: Sequence[str],
    stdin: int = subprocess.DEVNULL,
    watch: Callable[[], None] = lambda: None,
) -> None:
    """Runs the words, with their output in the log. Raises Failed unless they exit with 0, or as
    soon as `watch` does."""
    with (
        own_tmp(site) as tmp,
        subprocess.Popen(
            step(site, words, [*properties, tmp]),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            for line, _ in lines(process, process.stdout, watch=watch):
                log.output(line.removesuffix(b"\n"))
        except BaseException:  # it is stopped, or `watch` does not like it
            end_step(site)
            raise
    if process.returncode:
        raise Failed(f"`{shlex.join(words)}` ended with {process.returncode}")


def step(site: Site, words: Sequence[str], properties: Sequence[str]) -> list[str]:
    """The command that runs the words."""
    return [
        *("systemd-run", "--quiet", "--wait", "--pipe", "--collect", f"--unit={unit_of(site)}"),
        *(f"--property=RuntimeMaxSec={PATIENCE}", "--property=KillMode=mixed"),
        *(f"--property={line}" for line in [*walls(site), *properties, *of_the_action(site)]),
        # systemd would put its own value in the place of a ${VARIABLE}.
        *("--property=TimeoutStopSec=2s", "--", *(word.replace("$", "$$") for word in words)),
    ]


@contextmanager
def own_tmp(site: Site) -> Iterator[str]:
    """The property that gives a step an empty /tmp: on disk, because the machine's /tmp may be in
    memory, where one release could use up what the database needs of it."""
    path = tempfile.mkdtemp(prefix="tmp-", dir=site.builds)
    shutil.chown(path, site.name, site.name)
    try:
        yield f"BindPaths={path}:/tmp {path}:/var/tmp"
    finally:
        subprocess.run(["rm", "-rf", "--", path], capture_output=True)


def unit_of(site: Site) -> str:
    return f"stagecraft-step-{site.name}.service"


def end_step(site: Site) -> None:
    command = ["systemctl", "kill", "--signal=KILL", unit_of(site)]
    subprocess.run(command, capture_output=True)


def of_the_action(site: Site) -> list[str]:
    """Ends when the action's unit does, even by SIGKILL."""
    return [f"BindsTo={site.unit}", f"After={site.unit}"]


@contextmanager
def environment_file(path: Path, variables: dict[str, str]) -> Iterator[list[str]]:
    """The property that sets these variables. systemd shows the file's name to everybody, but its
    contents to the process alone."""
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={quoted(value)}\n" for name, value in variables.items()))
    try:
        yield [f"EnvironmentFile={path}"]
    finally:
        path.unlink()


def quoted(value: str) -> str:
    """For systemd.exec(5), EnvironmentFile=."""
    escaped = "".join("\\" + letter if letter in '"\\`$' else letter for letter in value)
    return f'"{escaped}"'
