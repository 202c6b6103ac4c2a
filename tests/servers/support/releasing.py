"""A site of a provisioned server, and an application that is released to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from application import BUILD, Application
from project import Run
from provisioned import Provisioned

SITE = "https://staging.askpro.test"
NAME = "askpro-staging"
HOME = f"/var/www/{NAME}"
JOURNAL = f"/var/log/stagecraft/{NAME}/journal.jsonl"


@dataclass
class Releasing:
    host: Provisioned
    app: Application

    def start(self, *words: str) -> subprocess.Popen[str]:
        """`stagecraft <words>` as an operator starts it."""
        return subprocess.Popen(
            [sys.executable, "-m", "stagecraft", *words],
            cwd=self.host.project.directory,
            env={**os.environ, **self.host.project.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def reaches(self, process: subprocess.Popen[str], step: str) -> None:
        """Waits until the action that this process follows comes to the step."""
        said = []
        for line in process.stdout or ():
            said.append(line)
            if line == f"==> {step}\n":
                return
        raise AssertionError("".join(said))

    def run(self, *words: str) -> Run:
        return self.host.project.stagecraft(*words)

    def release(self, ref: str = "main", *words: str) -> str:
        """Releases it; what was said."""
        done = self.run("release", "staging", ref, *words)
        assert done.code == 0, done.output
        return done.output

    @contextmanager
    def built_with(self, command: str) -> Iterator[None]:
        """Releases run this command, too, while this lasts."""
        sites = {"askpro": {"app": {"build": [*BUILD, command]}}}
        with self.host.project.edited("staging", {"sites": sites}):
            self.host.project.apply("staging")
            yield
        self.host.project.apply("staging")

    @property
    def serving(self) -> str:
        """The commit that answers visitors."""
        answer = self.host.web.get(f"{SITE}/health")
        assert answer.status == 200, answer.text
        return str(answer.json["commit"])

    @property
    def journal(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.host.ssh(f"cat {JOURNAL}").splitlines()]

    @property
    def releases(self) -> list[str]:
        """The ids of those that are there, the oldest first."""
        return [r for r in self.host.ssh(f"ls {HOME}/releases").split() if r != "placeholder"]


@contextmanager
def releasing(host: Provisioned, directory: Path, app: Mapping[str, Any]) -> Iterator[Releasing]:
    """The site has `app:` while this lasts, and the placeholder afterwards."""
    host.ssh(
        "DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends"
        " php-laravel-framework",
        timeout=300,
    )
    application = Application(directory / "app")
    settings = {
        "source": str(application.directory),
        "build": BUILD,
        "keep": 3,
        "workers": {"queue": {"command": "php artisan queue:work --sleep=1", "drain": 20}},
        **app,
    }
    with host.project.edited("staging", {"sites": {"askpro": {"app": settings}}}):
        for name in host.environments:
            host.project.apply(name)
        try:
            yield Releasing(host, application)
        finally:
            host.switch(host.site(), "releases/placeholder")
            host.ssh(
                f"cd {HOME}/releases && find . -mindepth 1 -maxdepth 1 ! -name placeholder"
                " -exec rm -r {} +"
            )
            host.ssh(
                f"rm -rf {HOME}/shared/storage/framework/views/* {HOME}/assets {HOME}/.assets-*"
            )
            host.ssh(f"rm -rf /var/lib/stagecraft/sites/{NAME} /var/log/stagecraft/{NAME}")
            empty_database(host)
    host.project.apply("staging")


def empty_database(host: Provisioned) -> None:
    database = host.site().database.name
    tables = host.ssh(f"mariadb -N -e 'show tables from {database}'").split()
    drops = "".join(f"drop table {database}.{table};" for table in tables)
    host.ssh("mariadb", input=f"set foreign_key_checks=0; {drops}")
