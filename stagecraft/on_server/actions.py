"""Actions on a site: a series of steps, each of which is undone if a later one fails."""

import json
import signal
import subprocess
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from stagecraft.on_server import (
    assets,
    configuration,
    contents,
    files,
    health,
    journal,
    maintenance,
    preflight,
    requirements,
    sandbox,
    workers,
)
from stagecraft.on_server.build import Build, remove, remove_builds, to_disk
from stagecraft.on_server.hooks import AFTERWARDS, Hooks
from stagecraft.on_server.lock import lock
from stagecraft.on_server.log import Log
from stagecraft.on_server.migrations import MIGRATOR, Migrations, refuse
from stagecraft.on_server.releases import BAD, GOOD, WITHDRAWN, Release, Releases
from stagecraft.on_server.site import Failed, Site
from stagecraft.on_server.storage import Storage

RELEASE = "release"
ROLLBACK = "rollback"
CONFIGURE = "configure"

DONE = "done"
FAILED = "failed"
KILLED = "killed"
REFUSED = "refused"

LONGEST = 1000
"""Characters of a problem that are kept."""

Step = tuple[str, Callable[[], None]]


@dataclass(frozen=True)
class Request:
    """What somebody asked for: `release` is the new release, or the one to return to. `by` is the
    person, `login` the account that ran the command. `before` was current when it began, and is
    empty until then. An action `within_run` is started by deploy.py, which holds the server's
    lock. An archive that is `built` needs no build commands. `unproven` says why nothing has proven
    the commit before. From `finished` on, the action is not undone any more."""

    id: str
    verb: str
    by: str
    login: str
    at: str
    release: Release
    now: bool = False
    contract: bool = False
    within_run: bool = False
    built: bool = False
    unproven: str = ""
    before: str = ""
    maintenance: bool = False
    finished: bool = False


def pending(site: Site, id: str) -> Path:
    """Exists from the request to the end of the action, or to its recovery."""
    return site.state / f"actions/{id}.json"


def archive_of(site: Site, id: str) -> Path:
    return site.state / f"actions/{id}.tar"


def pass_of(site: Site, id: str) -> Path:
    """Has the secret that lets somebody into the closed site."""
    return site.state / f"actions/{id}.pass"


def ask(site: Site, request: Request) -> None:
    files.write_json(pending(site, request.id), asdict(request))


def asked(path: Path) -> Request:
    data = json.loads(path.read_text())
    return Request(**data | {"release": Release(**data["release"])})


def all_asked(site: Site) -> list[Request]:
    """Without those that cannot be read: nothing was begun for these, or by another version."""
    requests = []
    for path in sorted(site.state.glob("actions/*.json")):
        with suppress(ValueError, TypeError, KeyError):
            requests.append(asked(path))
    return requests


def perform(site: Site, id: str) -> bool:
    """Carries out what was asked for, or nothing of it; whether it did. The journal says so either
    way."""
    signal.signal(signal.SIGTERM, partial(_stopped, "it was stopped"))
    request, log = asked(pending(site, id)), Log()
    try:
        holder = f"{request.verb} {request.release.id} by {request.by}"
        with lock(site, holder, within_run=request.within_run):
            recover(site, but=id)
            before = Releases(site).current()
            if request.verb == ROLLBACK and before == request.release.id:
                raise Failed(f"{site.name} runs {before} already, since a killed action is undone")
            request = replace(request, before=before)
            ask(site, request)
            action = Action(site, request, log)
            return action.run(action.steps())
    except (Failed, Stopped) as error:  # the lock is held by another, say
        Action(site, request, log).end(REFUSED, str(error))
        return False


def recover(site: Site, but: str = "") -> None:
    """Undoes the actions that died half-way. The caller holds the lock."""
    for request in all_asked(site):
        if request.id == but:
            continue
        if journal.outcome(site, request.id):
            clean_up(site, request.id)
        else:
            Action(site, request, Log()).end(KILLED, "")


def clean_up(site: Site, id: str) -> None:
    """After the action's end."""
    archive_of(site, id).unlink(missing_ok=True)
    pass_of(site, id).unlink(missing_ok=True)
    pending(site, id).unlink(missing_ok=True)


class Action:
    def __init__(self, site: Site, request: Request, log: Log) -> None:
        self.site = site
        self.request = request
        self.log = log
        self.releases = Releases(site)
        self.release = request.release
        self.path = self.releases.path(request.release.id)
        self.seconds: dict[str, float] = {}
        self.built_from = 0
        self.downtime = 0.0
        self.notes: list[str] = []

    def steps(self) -> Sequence[Step]:
        by_verb = {RELEASE: self._release, ROLLBACK: self._rollback, CONFIGURE: self._configure}
        return self._with_hooks(by_verb[self.request.verb]())

    def _release(self) -> Sequence[Step]:
        site, release, log = self.site, self.release, self.log
        build, archive = Build(site, release.id), archive_of(site, self.request.id)
        close: list[Step] = [("close", self._close)] if self.request.maintenance else []
        open_again: list[Step] = [("open", self._open)] if self.request.maintenance else []
        return [
            ("preflight", self._preflight),
            ("prepare", self._prepare),
            ("unpack", lambda: build.unpack(archive, release.commit, log)),
            ("requirements", lambda: requirements.check(site, build.path, log)),
            ("build", lambda: self._build(build)),
            ("hand over", build.hand_over),
            ("place", self._place),
            ("boot", self._boot),
            *close,
            ("migrate", self._migrate),
            ("switch", self._switch),
            ("health", self._health),
            *open_again,
            ("workers", self._workers),
            ("finish", self._finish),
        ]

    def _rollback(self) -> Sequence[Step]:
        stale = configuration.stale(self.site, self.path)
        configure: list[Step] = [("configure", self._reconfigure)] if stale else []
        boot: list[Step] = [] if self.request.now else [("boot", self._boot)]
        return [
            *configure,
            *boot,
            ("switch", self._switch),
            ("health", self._health),
            ("workers", self._workers),
            ("finish", self._finish),
        ]

    def _configure(self) -> Sequence[Step]:
        return [
            ("configure", self._reconfigure),
            ("reload", lambda: reload(self.site)),
            ("health", self._health),
            ("workers", self._workers),
        ]

    @property
    def build_commands(self) -> Sequence[str]:
        return [*(() if self.request.built else self.site.build), *self.site.configure]

    def _with_hooks(self, steps: Sequence[Step]) -> Sequence[Step]:
        if self.request.verb == CONFIGURE:
            return steps
        hooks = Hooks(self.site, self.request.verb, self.release.id, self.request.before)
        woven: list[Step] = []
        for name, step in steps:
            before, after = (f"{when}_{name.replace(' ', '_')}" for when in ("before", "after"))
            woven += [self._hook(hooks, before)] if hooks.at(before) else []
            woven += [(name, step)]
            woven += [self._hook(hooks, after)] if hooks.at(after) else []
        return woven

    def _hook(self, hooks: Hooks, place: str) -> Step:
        """A rollback goes on without what a hook was to do."""

        def run() -> None:
            try:
                hooks.run(place, self.log)
            except (Failed, OSError) as error:
                if self.request.verb != ROLLBACK and place != AFTERWARDS:
                    raise
                self._note(f"{place}: {error}")

        return place, run

    def _note(self, text: str) -> None:
        self.log.say(f"  {text}")
        self.notes.append(text[:LONGEST])

    def run(self, steps: Sequence[Step]) -> bool:
        for name, step in steps:
            self.log.say(f"==> {name}")
            began = time.monotonic()
            problem = attempt(step, self.log)
            self.seconds[name] = round(time.monotonic() - began, 3)
            if problem:
                self.end(FAILED, f"{name}: {problem}")
                return False
        self.end(DONE, "")
        return True

    def end(self, outcome: str, problem: str) -> None:
        """Records the outcome; unless it is done, after a return to the release before."""
        problem = " ".join(problem.split())[:LONGEST]
        signal.alarm(0)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if outcome != DONE and self.request.finished:
            self._note(problem or "it was killed after its last step")
            outcome, problem = DONE, ""
            sandbox.end_step(self.site)
        try:
            if outcome != DONE:
                self._undo(outcome)
        finally:
            if maintenance.is_closed(self.site):
                self._open()
        journal.append(self.site, self._entry(outcome, problem))
        if outcome != REFUSED:  # for else it is another action's
            self.releases.forget_the_way_back()
        clean_up(self.site, self.request.id)
        said = {DONE: "Done", FAILED: f"Failed at {problem}", REFUSED: f"Refused: {problem}"}
        self.log.say(f"{said.get(outcome, 'It was killed')}. {self.releases.running}")

    def _entry(self, outcome: str, problem: str) -> dict[str, Any]:
        request = asdict(self.request)
        release = request.pop("release")
        del request["finished"]
        return {
            **request,
            **{key: release[key] for key in ("commit", "ref")},
            "release": release["id"],
            "seconds": self.seconds,
            "outcome": outcome,
            "problem": problem,
            "notes": self.notes,
            "downtime": self.downtime,
        }

    # --- Steps ---

    def _preflight(self) -> None:
        size = archive_of(self.site, self.request.id).stat().st_size
        if found := preflight.problems(self.site, size):
            raise Failed("; ".join(found))

    def _prepare(self) -> None:
        self.site.builds.mkdir(exist_ok=True, mode=0o700)
        remove_builds(self.site)
        for left in self.site.releases.glob(".*.removed"):
            remove(left)
        self.releases.record(self.release)
        self._prune()
        Storage(self.site, self.release.id).remove_other_views(self.log)

    def _build(self, build: Build) -> None:
        self.built_from = configuration.changed(self.site)
        build.build(self.build_commands, self.log)

    def _place(self) -> None:
        storage = Storage(self.site, self.release.id)
        Build(self.site, self.release.id).place()
        configuration.note(self.path, self.built_from)
        storage.take_views(self.log)
        contents.note(self.site, self.release.id)
        to_disk(self.path, storage.path)

    def _boot(self) -> None:
        health.boots(self.site, self.path, self.release.commit)

    def _reconfigure(self) -> None:
        configuration.rebuild(self.site, self.path, self.log)
        contents.note(self.site, self.release.id)

    def _close(self) -> None:
        workers.stop(self.site)
        most = self.site.maintenance
        self.log.say(f"  visitors are kept out for at most {most} s")
        signal.signal(signal.SIGALRM, partial(_stopped, f"visitors were kept out for {most} s"))
        signal.alarm(most)
        maintenance.close(self.site, pass_of(self.site, self.request.id).read_text())

    def _open(self) -> None:
        signal.alarm(0)
        self.downtime = maintenance.open_again(self.site)
        self.log.say(f"  visitors were kept out for {self.downtime:.1f} s")
        if self.downtime > maintenance.LONGEST:
            self._note(
                f"visitors were kept out for {self.downtime:.1f} s, longer than the"
                f" {maintenance.LONGEST} s that a release may take"
            )

    def _migrate(self) -> None:
        if not self.site.migrate:
            return
        migrations = Migrations(self.site, self.release.id, self.log)
        contracting = migrations.contracting()
        if not self.request.contract:
            refuse(contracting)
        self.releases.record(replace(self.release, contracts=bool(contracting)))
        try:
            migrations.run()
        except Failed:
            if migrations.contracting() == contracting:  # nothing of it was done
                self.releases.record(self.release)
            raise

    def _switch(self) -> None:
        self.releases.switch(self.release.id)
        reload(self.site)

    def _health(self) -> None:
        health.serves(self.site, self.release.commit)

    def _workers(self) -> None:
        workers.restart(self.site)
        if self.request.verb == RELEASE:
            workers.stay(self.site)

    def _finish(self) -> None:
        """From here on, it is good."""
        self.releases.mark(self.release.id, GOOD)
        if self.request.verb == ROLLBACK:
            self.releases.mark(self.request.before, WITHDRAWN)
        self.request = replace(self.request, finished=True)
        ask(self.site, self.request)
        if problem := attempt(self._prune, self.log):
            self.log.say(f"  older releases were not removed: {problem}")

    def _prune(self) -> None:
        for gone in self.releases.prune(self.request.before):
            self.log.say(f"  removed {gone}")
        assets.gather(self.site)

    def _undo(self, outcome: str) -> None:
        """Each part again does no harm, in case this is killed, too."""
        if not self.request.before:  # nothing was done yet
            return
        sandbox.end_step(self.site)
        health.end_own_php_fpm(self.site)
        # Another undoing may have been killed after its switch, too.
        switched = outcome == KILLED or self.releases.current() != self.request.before
        if switched:
            self.releases.switch(self.request.before)
            with suppress(Failed):
                # At boot, PHP-FPM starts after this.
                reload(self.site, "--no-block")
        if switched or self.request.maintenance:
            with suppress(Failed):
                workers.restart(self.site)
        with suppress(Failed):  # a process still writes there: the next release removes it
            remove_builds(self.site)
        if self.request.verb == RELEASE:
            (self.site.state / MIGRATOR).unlink(missing_ok=True)
            with suppress(OSError):  # there is a release in it
                self.path.rmdir()
            with suppress(OSError):  # the disk is full: unfinished is not good either
                self.releases.mark(self.release.id, BAD)


def attempt(step: Callable[[], None], log: Log) -> str:
    """Why it failed; empty if it did not."""
    try:
        step()
    except (Failed, Stopped, OSError) as error:
        return str(error)
    except Exception as error:  # a mistake of ours must not leave the site half-way either
        log.say(traceback.format_exc())
        return repr(error)
    return ""


def reload(site: Site, *options: str) -> None:
    """Starts it if it does not run."""
    subprocess.run(["systemctl", "reset-failed", site.php_fpm], capture_output=True)
    command = ["systemctl", "reload-or-restart", *options, site.php_fpm]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{site.php_fpm} was not reloaded: {done.stderr.strip()}")


class Stopped(Exception):
    """No failure: nothing that goes on after one goes on after this."""


def _stopped(why: str, *_: object) -> NoReturn:
    raise Stopped(why)
