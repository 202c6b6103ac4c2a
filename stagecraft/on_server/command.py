"""The command line of the server's program."""

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from io import TextIOWrapper
from pathlib import Path

from stagecraft.harmless import harmless
from stagecraft.on_server import ci, dry, listing, maintenance, preflight
from stagecraft.on_server.actions import (
    CONFIGURE,
    RELEASE,
    ROLLBACK,
    Request,
    all_asked,
    archive_of,
    pass_of,
    perform,
    recover,
)
from stagecraft.on_server.lock import asking, busy, lock, sending
from stagecraft.on_server.login import account, login
from stagecraft.on_server.releases import Release, Releases
from stagecraft.on_server.site import Failed, Site, names
from stagecraft.on_server.unit import follow, start

ISO = "%Y-%m-%dT%H:%M:%SZ"
COMMIT = re.compile(r"[0-9a-f]{40,64}")

ASKED = ("contract", "built", "unproven", "maintenance")
"""The options of a release that its request keeps."""


def main() -> int:
    arguments = parser().parse_args()
    if os.geteuid():
        print("Error: only root can do this: use sudo", file=sys.stderr)
        return 1
    os.umask(0o077)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        return int(arguments.action(arguments))
    except (Failed, OSError) as error:
        print(f"Error: {harmless(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(
        prog="stagecraft", description="Releases of this server's sites, and the way back."
    )
    whole.set_defaults(logged=False)
    verbs = whole.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, action: object, text: str, *, site: bool = True) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
        added.set_defaults(action=action)
        if site:
            added.add_argument("site", help="like askpro-production")
        return added

    new = verb("release", release, "Release what the archive (tar) on standard input contains.")
    of_a_release(new)
    dry_run(new)
    by(new)
    back = verb("rollback", rollback, "Return to the previous good release, or the named one.")
    back.add_argument("release", nargs="?", help="a release, or a commit")
    back.add_argument("--now", action="store_true", help="without booting it off traffic first")
    dry_run(back)
    by(back)
    again = verb("configure", configure, "Build the current release's configuration again.")
    again.add_argument("--within-run", action="store_true", help=argparse.SUPPRESS)
    by(again)
    listed = verb("releases", releases, "List what was released when, by whom, and how it went.")
    listed.add_argument("--limit", type=positive, help="only the newest so many")
    listed.set_defaults(shown=listing.as_table)
    for name, shown in (("--json", listing.as_json), ("--markdown", listing.as_markdown)):
        listed.add_argument(name, action="store_const", const=shown, dest="shown")
    verb("follow", follow_running, "Follow the action that runs.")
    for_ci = verb("ci", ask_for_ci, "What sshd runs for a key of CI.", site=False)
    for_ci.add_argument("environment")
    again = verb("recover", recover_sites, "Undo actions that were killed.", site=False)
    again.add_argument("site", nargs="*", help="by default, all")
    inner = verb("perform", perform_asked, "What the action's unit runs.")
    inner.add_argument("id")
    return whole


def of_a_release(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--commit", required=True, help="the archive's commit, in full")
    verb.add_argument("--ref", default="", help="the branch or tag it was made of")
    verb.add_argument("--size", type=int, required=True, help="of the archive, in bytes")
    verb.add_argument(
        "--contract",
        action="store_true",
        help="with migrations that the present release would not survive",
    )
    verb.add_argument("--built", action="store_true", help="without the site's build commands")
    verb.add_argument("--unproven", default="", help="why it is released without a proof")
    verb.add_argument(
        "--maintenance", action="store_true", help="keep visitors out while it migrates"
    )


def positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError(f"{number} is not positive")
    return number


def by(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--by", default=account(), help="who does it")


def dry_run(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--dry", action="store_true", help="say what would happen, and do nothing")
    verb.add_argument("--json", action="store_true", help=argparse.SUPPRESS)


def release(arguments: argparse.Namespace) -> int:
    site = Site.read(arguments.site)
    if not COMMIT.fullmatch(arguments.commit):
        raise Failed(f"{arguments.commit} is not a full commit id")
    if arguments.size < 1:
        raise Failed(f"an archive of {arguments.size} bytes is none")

    def request() -> Request:
        at = after_the_last(Releases(site))
        id = f"{at:%Y%m%d-%H%M%S}-{arguments.commit[:7]}"
        by, ref = arguments.by, arguments.ref
        new = Release(id, arguments.commit, ref, by, f"{at:{ISO}}")
        asked = {name: getattr(arguments, name) for name in ASKED}
        return Request(id, RELEASE, by, login(), new.at, new, **asked)

    if arguments.dry:
        return tell(arguments, dry.plan(site, request(), arguments.size, files_to_check()))
    if holder := busy(site):
        raise Failed(f"{site.name} is busy: {holder}")
    with upload(site, arguments.size) as archive:

        def asked() -> Request:
            wanted = request()
            if wanted.maintenance:
                maintenance.make_pass(pass_of(site, wanted.id))
                show_pass(site, wanted.id, arguments)
            archive.rename(archive_of(site, wanted.id))  # last: the client may be gone
            return wanted

        return act(site, asked)


def files_to_check() -> Mapping[str, str]:
    """From standard input, or none of them."""
    text = "" if sys.stdin.isatty() else sys.stdin.buffer.read(dry.MOST).decode(errors="replace")
    try:
        return dry.checked(json.loads(text or "{}"))
    except (ValueError, RecursionError) as error:
        raise Failed(f"--dry reads JSON from standard input: {error}") from None


def tell(arguments: argparse.Namespace, plan: dry.Plan) -> int:
    if arguments.json:
        print(json.dumps(asdict(plan)))
    else:
        print(f"{plan.site} runs {plan.release}; next: {plan.next}")
        for line in plan.lines():
            print(harmless(line))
    return 1 if plan.problems and not arguments.json else 0


@contextmanager
def upload(site: Site, size: int) -> Iterator[Path]:
    """The archive from standard input. Raises Failed, and keeps nothing, unless it has this size.
    Also removes what killed uploads have left an hour ago."""
    directory = archive_of(site, "").parent
    directory.mkdir(parents=True, exist_ok=True)
    for left in directory.iterdir():
        with suppress(FileNotFoundError):  # it was another one's, which has ended
            if left.suffix != ".json" and left.stat().st_mtime < time.time() - 3600:
                left.unlink()
    preflight.room(directory, size)
    path = directory / f"upload-{os.getpid()}"
    try:
        with path.open("wb") as file:
            left_over = size + 1
            while left_over and (chunk := sys.stdin.buffer.read(min(left_over, 1 << 20))):
                left_over -= file.write(chunk)
        if left_over != 1:
            raise Failed(f"the archive has another size than the {size} bytes that were announced")
        yield path
    finally:
        path.unlink(missing_ok=True)


def after_the_last(releases: Releases) -> datetime:
    """Now. Releases are in the order of their ids, even if the clock has gone back."""
    now = datetime.now(UTC)
    last = [datetime.fromisoformat(release.at) for release in releases.records()[-1:]]
    return max([now, *(at + timedelta(seconds=1) for at in last)])


def rollback(arguments: argparse.Namespace) -> int:
    site = Site.read(arguments.site)
    all_of_it, name = Releases(site), arguments.release

    def asked() -> Request:
        target = all_of_it.named(name) if name else all_of_it.previous()
        return replace(asked_for(ROLLBACK, target, arguments), now=arguments.now)

    if arguments.dry:
        return tell(arguments, dry.plan(site, asked(), 0, {}))
    return act(site, asked)


def configure(arguments: argparse.Namespace) -> int:
    site = Site.read(arguments.site)

    def asked() -> Request:
        request = asked_for(CONFIGURE, Releases(site).recorded(), arguments)
        return replace(request, within_run=arguments.within_run)

    return act(site, asked)


def asked_for(verb: str, release: Release, arguments: argparse.Namespace) -> Request:
    at = datetime.now(UTC)
    id = f"{at:%Y%m%d-%H%M%S}.{at.microsecond // 1000:03}-{verb}"
    return Request(id, verb, arguments.by, login(), f"{at:{ISO}}", release)


def act(site: Site, asked: Callable[[], Request]) -> int:
    with asking(site):
        request = asked()
        start(site, request)
    return 0 if follow(site, request.id) else 1


def ask_for_ci(arguments: argparse.Namespace) -> int:
    wanted = ci.asked(arguments.environment, parser())
    if wanted.action != release:
        return int(wanted.action(wanted))
    with sending(Site.read(wanted.site), wanted.by):
        return release(wanted)


def perform_asked(arguments: argparse.Namespace) -> int:
    site = Site.read(arguments.site)
    return 0 if perform(site, arguments.id) else 1


def recover_sites(arguments: argparse.Namespace) -> int:
    failed = False
    for name in arguments.site or names():
        try:
            recover_site(Site.read(name))
        except (Failed, OSError) as error:
            failed = True
            print(f"Error: {harmless(str(error))}", file=sys.stderr)
    return int(failed)


def recover_site(site: Site) -> None:
    if all_asked(site):
        # Not for a run to wait for: what serves meanwhile may be no good release.
        with lock(site, "recovery", within_run=True):
            recover(site)


def follow_running(arguments: argparse.Namespace) -> int:
    site = Site.read(arguments.site)
    running = all_asked(site)
    if not running or not busy(site):
        raise Failed(f"nothing is going on at {site.name}")
    show_pass(site, running[0].id, arguments)
    return 0 if follow(site, running[0].id) else 1


def show_pass(site: Site, id: str, arguments: argparse.Namespace) -> None:
    """The link into the closed site, if the action closes it."""
    with suppress(FileNotFoundError):
        shown = maintenance.admitting(site, pass_of(site, id))
        if arguments.logged:
            shown = "While visitors are kept out, `stagecraft follow` shows operators a link in"
        print(shown, flush=True)


def releases(arguments: argparse.Namespace) -> int:
    listed = listing.entries(Site.read(arguments.site), arguments.limit)
    print(arguments.shown(listed))
    return 0
