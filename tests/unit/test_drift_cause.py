"""Who moved: told by what is declared, what was recorded, and what stands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stagecraft.drift.cause import cause
from stagecraft.drift.findings import Cause
from stagecraft.facts.files import Entry
from stagecraft.facts.manifests import Record, parse_manifests
from stagecraft.manifest import Manifest, lines
from stagecraft.operations.nodes import Absent, Directory, File, Link, Node
from stagecraft.seen import Place, State

VHOST = File("/etc/nginx/sites-available/shop.conf", "server {}\n")
STANDS = Entry("file", "644", "root", "root", VHOST.sha256)
EDITED = replace(STANDS, sha256="0" * 64)
NEWER = replace(VHOST, content="server { listen 443; }\n")


def recorded(*nodes: Node, states: tuple[State, ...] = ()) -> list[Record]:
    text = lines("nginx", nodes) + Manifest("x").text([], states)
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
        pytest.param(NEWER, EDITED, recorded(VHOST) + recorded(NEWER), SERVER,
                     id="applied by another environment, then edited"),
        pytest.param(VHOST, None, [], FILES, id="never applied"),
        pytest.param(Absent(VHOST.path), STANDS, recorded(VHOST), FILES, id="taken out"),
        pytest.param(Absent(VHOST.path), EDITED, recorded(VHOST), SERVER, id="taken out, edited"),
        pytest.param(Absent(VHOST.path), STANDS, [], SERVER, id="nobody's"),
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
def test_a_path(node: Node, entry: Entry | None, records: list[Record], moved: Cause) -> None:
    assert cause(place(node, entry), records) == moved


RUNS = State("service", "nginx.service", "runs", "runs")


@pytest.mark.parametrize(
    ("state", "was", "moved"),
    [
        pytest.param(replace(RUNS, found="is inactive"), (RUNS,), SERVER, id="stopped"),
        pytest.param(replace(RUNS, declared="sleeps"), (RUNS,), FILES, id="declared differently"),
        pytest.param(replace(RUNS, declared="sleeps", found="is gone"), (RUNS,), SERVER, id="both"),
        pytest.param(State("package", "gone", "installed", ""), (RUNS,), FILES, id="not applied"),
        pytest.param(replace(RUNS, declared=""), (RUNS,), FILES, id="taken out"),
        pytest.param(State("account", "eve", "", "there"), (RUNS,), SERVER, id="nobody's"),
        pytest.param(replace(RUNS, found="is inactive"), (), None, id="an old manifest"),
    ],
)
def test_what_is_no_path(state: State, was: tuple[State, ...], moved: Cause | None) -> None:
    assert cause(state, recorded(states=was)) == moved
