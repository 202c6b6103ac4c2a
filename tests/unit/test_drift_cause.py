"""Who moved: told by what is declared, what was recorded, and what stands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stagecraft.drift.findings import Cause
from stagecraft.drift.judging.managed import cause
from stagecraft.facts.files import Entry
from stagecraft.manifest import Manifest, Records, parse_manifests
from stagecraft.operations.nodes import Absent, Directory, File, Link, Node
from stagecraft.operations.services import RUNNING, Condition
from stagecraft.seen import Place, State

VHOST = File("/etc/nginx/sites-available/shop.conf", "server {}\n")
STANDS = Entry("file", "644", "root", "root", VHOST.sha256)
EDITED = replace(STANDS, sha256="0" * 64)
NEWER = replace(VHOST, content="server { listen 443; }\n")


def recorded(*nodes: Node, states: tuple[State, ...] = ()) -> Records:
    run = Manifest("x")
    run.declare("nginx", nodes)
    return read(run.text(Records(), states))


def read(text: str) -> Records:
    return parse_manifests(["== x", *text.splitlines()])["x"]


def place(node: Node, entry: Entry | None) -> Place:
    return Place("nginx", node, entry, "root")


SERVER, FILES = Cause.SERVER, Cause.FILES


@pytest.mark.parametrize(
    ("node", "entry", "records", "moved"),
    [
        pytest.param(VHOST, EDITED, recorded(VHOST), SERVER, id="edited"),
        pytest.param(VHOST, None, recorded(VHOST), SERVER, id="removed"),
        pytest.param(VHOST, replace(STANDS, mode="666"), recorded(VHOST), SERVER, id="mode"),
        pytest.param(VHOST, replace(STANDS, user="eve"), recorded(VHOST), SERVER, id="owner"),
        pytest.param(VHOST, replace(STANDS, acl=frozenset(["user:eve:rw-"])), recorded(VHOST),
                     SERVER, id="ACL"),
        pytest.param(NEWER, STANDS, recorded(VHOST), FILES, id="declared differently"),
        pytest.param(NEWER, EDITED, recorded(VHOST), SERVER, id="both"),
        pytest.param(NEWER, EDITED, recorded(VHOST, NEWER), SERVER,
                     id="applied by another environment, then edited"),
        pytest.param(VHOST, None, Records(), FILES, id="never applied"),
        pytest.param(Absent(VHOST.path), STANDS, recorded(VHOST), FILES, id="taken out"),
        pytest.param(Absent(VHOST.path), EDITED, recorded(VHOST), SERVER, id="taken out, edited"),
        pytest.param(Absent(VHOST.path), STANDS, Records(), SERVER, id="nobody's"),
        pytest.param(Link("/l", "/new"), Entry("link", "777", "root", "root", target="/old"),
                     recorded(Link("/l", "/old")), FILES, id="link declared differently"),
        pytest.param(Link("/l", "/old"), Entry("link", "777", "root", "root", target="/evil"),
                     recorded(Link("/l", "/old")), SERVER, id="link repointed"),
        pytest.param(Directory("/d", acl=("user:b:--x", "user:a:--x", "user:c:--x")),
                     Entry("directory", "755", "root", "root",
                           acl=frozenset(["user:a:--x", "user:b:--x"])),
                     recorded(Directory("/d", acl=("user:b:--x", "user:a:--x"))),
                     FILES, id="directory with one more ACL declared"),
    ],
)  # fmt: skip
def test_a_path(node: Node, entry: Entry | None, records: Records, moved: Cause) -> None:
    assert cause(place(node, entry), [records]) == moved


RUNS = State("service", "nginx.service", RUNNING, RUNNING)
SLEEPS, FAILED = Condition("stalled", at_boot=True), Condition("failed", at_boot=True)


@pytest.mark.parametrize(
    ("state", "was", "moved"),
    [
        pytest.param(replace(RUNS, found=FAILED), (RUNS,), SERVER, id="stopped"),
        pytest.param(replace(RUNS, declared=SLEEPS), (RUNS,), FILES, id="declared differently"),
        pytest.param(replace(RUNS, declared=SLEEPS, found=""), (RUNS,), SERVER, id="both"),
        pytest.param(State("package", "gone", "installed", ""), (RUNS,), FILES, id="not applied"),
        pytest.param(replace(RUNS, declared=""), (RUNS,), FILES, id="taken out"),
        pytest.param(State("account", "eve", "", "there"), (RUNS,), SERVER, id="nobody's"),
        pytest.param(replace(RUNS, found=FAILED), (), None, id="an old manifest"),
    ],
)
def test_what_is_no_path(state: State, was: tuple[State, ...], moved: Cause | None) -> None:
    assert cause(state, [recorded(states=was)]) == moved


@pytest.mark.parametrize(
    ("state", "moved"),
    [
        (replace(RUNS, found=FAILED), SERVER),
        (replace(RUNS, declared=SLEEPS), FILES),
        (replace(RUNS, declared=SLEEPS, found=FAILED), SERVER),
    ],
)
def test_the_words_of_the_first_format(state: State, moved: Cause) -> None:
    old = read("declared\tstate\tservice nginx.service\truns, starts at boot")
    assert cause(state, [old]) == moved
