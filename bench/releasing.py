"""What a release costs, beside what people do by hand: without a health check, a lock, or a way
back from a failure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import partial
from typing import Any

from bench.runs import Figure, Taken, in_turns, take
from bench.servers import STATE, Subject
from lab.demo_releases import APP

SOURCE = STATE / "app"

SETTINGS: dict[str, Any] = {
    "source": str(SOURCE),
    "build": [],
    "configure": [],
    "migrate": None,
    "workers": {},
    "scheduler": False,
}

FILES, SIZE = 1000, 5000
"""The application's, beside its page; in bytes, which do not compress well."""

GIT = ("git", "-c", "user.name=Anna", "-c", "user.email=anna@askpro.test", "-C", str(SOURCE))

BY_HAND = """
set -eu
php=$(ls /etc/php)
mkdir -p /var/www/by-hand/releases
systemctl unmask --quiet php$php-fpm
systemctl start php$php-fpm
"""
"""Debian's own PHP-FPM, as it comes."""

RELEASE_BY_HAND = (
    "cd /var/www/by-hand && mkdir releases/{id} && tar -x -C releases/{id}"
    " && ln -sfn releases/{id} current && systemctl reload php$(ls /etc/php)-fpm"
)

ROLL_BACK_BY_HAND = (
    "cd /var/www/by-hand && ln -sfn releases/$(ls -t releases | sed -n 2p) current"
    " && systemctl reload php$(ls /etc/php)-fpm"
)

TIMED = """
began=$(date +%s%N)
{{ {command}; }} >/dev/null
echo $(($(date +%s%N) - began))
"""


def releasing(subject: Subject) -> dict[str, Figure]:
    """Each round releases a new commit, goes back to the one before, and forth again."""
    make_repository()
    subject.server.ssh("sh -s", input=BY_HAND)
    commit()
    release(subject)
    return in_turns(
        {
            "by hand: release": partial(release_by_hand, subject),
            "release": partial(release, subject),
            "by hand: rollback on the server": partial(on_server, subject, ROLL_BACK_BY_HAND),
            "rollback on the server": partial(
                on_server, subject, "stagecraft rollback askpro-staging"
            ),
            "by hand: rollback": partial(take, [*ssh(subject), ROLL_BACK_BY_HAND], STATE),
            "rollback": lambda: stagecraft(subject, "rollback", head()),
        }
    )


def make_repository(files: int = FILES, size: int = SIZE) -> None:
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(APP, SOURCE)
    for number in range(files):
        file = SOURCE / f"app/{number % 50}/{number}.php"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"<?php // {os.urandom(size // 2).hex()}\n")
    git("init", "--quiet")


def commit() -> None:
    git("add", ".")
    git("commit", "--quiet", "--allow-empty", "--message=Another version")


def head() -> str:
    return git("rev-parse", "HEAD")


def git(*words: str) -> str:
    return subprocess.run([*GIT, *words], check=True, capture_output=True, text=True).stdout.strip()


def release(subject: Subject) -> Taken:
    return stagecraft(subject, "release", "HEAD")


def stagecraft(subject: Subject, verb: str, what: str) -> Taken:
    words = ["-m", "stagecraft", verb, "staging", what, "--confirm", "staging"]
    return take([sys.executable, *words], subject.project.directory)


def release_by_hand(subject: Subject) -> Taken:
    """Of a new commit, which is also what `release` releases after it."""
    commit()
    there = RELEASE_BY_HAND.format(id=head())
    pipe = 'git -C "$1" archive HEAD | { shift; "$@"; }'
    return take(["sh", "-c", pipe, "sh", str(SOURCE), *ssh(subject), there], STATE)


def on_server(subject: Subject, command: str) -> Taken:
    """Without the time that a login takes."""
    said = subject.server.ssh("sh -s", input=TIMED.format(command=command)).stdout
    return Taken(int(said) / 1e9, 0)


def ssh(subject: Subject) -> list[str]:
    return ["ssh", "-F", str(subject.ssh_config), "-o", "BatchMode=yes", subject.server.name]
