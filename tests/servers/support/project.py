"""A user's project directory: settings of the test's own, everything else this repository's."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from preloaded import Preloaded

from stagecraft.settings import REPOSITORY

preloaded = cache(Preloaded)
"""One for each resolver: a test may have many projects."""

FINISHED = re.compile(r"\] (Success|No changes)")

INVENTORY = """
from pathlib import Path
from stagecraft.inventory import load

{name} = load("{name}", Path({root!r}))
"""


@dataclass(frozen=True)
class Run:
    """A finished pyinfra run."""

    code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr

    @property
    def planned(self) -> list[str]:
        """The names of the operations that a `--dry` run says will change something."""
        return [
            operation["name"]
            for operation in json.loads(self.stdout)["plan"]
            if operation["hosts_with_change"] or operation["hosts_with_conditional_change"]
        ]

    @property
    def changed(self) -> list[str]:
        """The names of the operations that a `-y` run changed something by."""
        results = json.loads(self.stdout)["results"]["operations"]
        return [operation["name"] for operation in results if operation["success"]]


def copy_code(name: str, target: Path) -> None:
    """A directory of this repository, without what its programs compile at this moment."""
    shutil.copytree(REPOSITORY / name, target, ignore=shutil.ignore_patterns("__pycache__"))


def merged(value: Any, changes: Any) -> Any:
    if not isinstance(value, Mapping) or not isinstance(changes, Mapping):
        return changes
    return dict(value) | {key: merged(value.get(key), change) for key, change in changes.items()}


class Project:
    """Where a test runs pyinfra; `resolver` is the DNS server that its runs ask, if not ours."""

    def __init__(self, directory: Path, resolver: str = "") -> None:
        self.directory = directory
        self.resolver = resolver
        (directory / "inventories").mkdir(parents=True)
        (directory / "group_data").mkdir()
        for name in ("deploy.py", "bootstrap.py", "config.py", "tasks", "templates"):
            (directory / name).symlink_to(REPOSITORY / name)
        self.environment: dict[str, str] = {}
        self.forks = True
        """Whether it forks programs that are loaded already, or starts them as users do; code of
        its own, by PYTHONPATH, is always started."""
        self._preloaded = preloaded(tuple(self._prefix))

    def spoil(self, file: str, old: str, new: str) -> None:
        """Gives the project code of its own, in which a text of a file is another one."""
        for name in ("tasks", "templates", "stagecraft"):
            path = self.directory / name
            if path.is_symlink() or not path.exists():
                path.unlink(missing_ok=True)
                copy_code(name, path)
        text = (self.directory / file).read_text()
        assert old in text, text
        (self.directory / file).write_text(text.replace(old, new))
        self.environment = {"PYTHONPATH": str(self.directory)}

    def write(self, **group_data: Mapping[str, Any]) -> None:
        """Writes group_data/<name>.yml, and an inventory for each environment."""
        for name, data in group_data.items():
            text = yaml.safe_dump(dict(data), sort_keys=False)
            (self.directory / f"group_data/{name}.yml").write_text(text)
            if name != "all":
                inventory = INVENTORY.format(name=name, root=str(self.directory))
                (self.directory / f"inventories/{name}.py").write_text(inventory)

    @contextmanager
    def edited(self, name: str, changes: Mapping[str, Any]) -> Iterator[None]:
        """group_data/<name>.yml with these changes in it, mapping by mapping, while this lasts."""
        path = self.directory / f"group_data/{name}.yml"
        before = path.read_text()
        data = merged(yaml.safe_load(before), changes)
        path.write_text(yaml.safe_dump(data, sort_keys=False))
        try:
            yield
        finally:
            path.write_text(before)

    def pyinfra(
        self, environment: str, *arguments: str, verb: str = "deploy.py", timeout: float = 300
    ) -> Run:
        """Runs `pyinfra <arguments> inventories/<environment>.py <verb>`. The verb may have words,
        and an address may stand in place of the environment."""
        if self.forks and "PYTHONPATH" not in self._environment:
            return self._preloaded_run(
                "pyinfra", self._words(environment, arguments, verb), timeout
            )
        process = self.start(environment, *arguments, verb=verb, stdin=subprocess.DEVNULL)
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        finally:
            process.kill()
        return Run(process.returncode, stdout, stderr)

    def stagecraft(self, *words: str, timeout: float = 180) -> Run:
        """Runs `stagecraft <words>`."""
        return self._preloaded_run("stagecraft", words, timeout)

    def start(
        self,
        environment: str,
        *arguments: str,
        verb: str = "deploy.py",
        stdin: int = subprocess.PIPE,
    ) -> subprocess.Popen[str]:
        """The same run, begun: without -y it asks on stdin before it changes anything."""
        program = Path(sys.executable).with_name("pyinfra")
        return subprocess.Popen(
            [*self._prefix, str(program), *self._words(environment, arguments, verb)],
            cwd=self.directory,
            env=self._environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a password is asked for on stdin, not on our terminal
        )

    def kill_after(
        self, operation: str, environment: str, *arguments: str, verb: str = "deploy.py"
    ) -> None:
        """SIGKILL to a run, as soon as it has finished the operation."""
        run = self.start(environment, "-y", *arguments, verb=verb)
        assert run.stderr
        begun = f"--> Starting operation: {operation.split(': ')[0]}"
        lines: list[str] = []
        for line in run.stderr:
            lines.append(line)
            reached = any(line.startswith(begun) for line in lines)
            if reached and FINISHED.search(line):
                break
        run.send_signal(signal.SIGKILL)
        run.communicate()
        assert FINISHED.search(lines[-1]), "".join(lines)

    def plan(self, environment: str, *arguments: str, verb: str = "deploy.py") -> list[str]:
        """What `--dry` says will change; fails with the run's output when the run does."""
        return self._succeed(environment, "--dry", "--json", *arguments, verb=verb).planned

    def apply(self, environment: str, *arguments: str, verb: str = "deploy.py") -> list[str]:
        """What a run changed; fails with the run's output when the run does."""
        return self._succeed(environment, "-y", "--json", *arguments, verb=verb).changed

    def _succeed(self, environment: str, *arguments: str, verb: str) -> Run:
        run = self.pyinfra(environment, *arguments, verb=verb)
        assert run.code == 0, run.output
        return run

    def _preloaded_run(self, program: str, words: Sequence[str], timeout: float) -> Run:
        return Run(
            *self._preloaded.run(
                program=program,
                words=words,
                directory=str(self.directory),
                environment=self._environment,
                timeout=int(timeout),
            )
        )

    def _words(self, environment: str, arguments: Sequence[str], verb: str) -> list[str]:
        inventory = environment if "." in environment else f"inventories/{environment}.py"
        return [*arguments, inventory, *verb.split()]

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYINFRA_PROGRESS": "off", **self.environment}

    @property
    def _prefix(self) -> list[str]:
        """Starts a program in a mount namespace with another /etc/resolv.conf."""
        if not self.resolver:
            return []
        resolv = self.directory / "resolv.conf"
        resolv.write_text(f"nameserver {self.resolver}\n")
        script = 'mount --bind "$1" "$(readlink -f /etc/resolv.conf)"; shift; exec "$@"'
        return ["unshare", "--mount", "sh", "-ec", script, "sh", str(resolv)]
