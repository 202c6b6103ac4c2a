"""A tree of files stands as declared or stays as it was; nobody sees it half written."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import stat
import subprocess
import tarfile
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from time import sleep
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.api.operation import OperationMeta
from pyinfra.connectors.util import CommandOutput

from stagecraft.facts.files import (
    ContentsFact,
    Entry,
    FingerprintsFact,
    TreeFact,
    becoming,
    becoming_with_time_limit,
    read_as,
)
from stagecraft.manifest import Manifest, parse_manifests
from stagecraft.operations import diff, files
from stagecraft.operations.files import INSTALL_TREE, Checker, differing, payload
from stagecraft.operations.nodes import Absent, Directory, File, Link, Node, RemoveIfEmpty
from stagecraft.run import Run

Install = Callable[..., "subprocess.CompletedProcess[str]"]

with_acl = pytest.mark.skipif(not shutil.which("setfacl"), reason="needs the package acl")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    directory = tmp_path / "root"
    directory.mkdir()
    return directory


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Path]:
    """Where the script keeps what it is working on, under a name that no other test has."""
    path = Path(f"/run/stagecraft/unit-{os.getpid()}-{tmp_path.name}")
    yield path
    shutil.rmtree(path, ignore_errors=True)
    for left in (f"{path.name}.lock", f"{path.name}.manifest"):
        path.with_name(left).unlink(missing_ok=True)
    shutil.rmtree(path.parent / "previous" / path.name, ignore_errors=True)


@pytest.fixture
def install(shell: Any, stage: Path) -> Any:
    def run(
        *nodes: Node, check: Checker | None = None, user: str = "root"
    ) -> subprocess.CompletedProcess[str]:
        arguments = [stage.name, str(stage.with_name(f"{stage.name}.manifest"))]
        if check:
            arguments += [check.unit, check.name, check.command, *check.directories]
        command = [*becoming(user), "sh", "-c", INSTALL_TREE, "install-tree", *arguments]
        script = f"exec {shlex.join(command)}"
        result: subprocess.CompletedProcess[str] = shell(script, stdin=payload(nodes))
        return result

    return run


@pytest.fixture
def entries(read_here: Any) -> Callable[..., dict[str, Entry]]:
    def read(*nodes: Node) -> dict[str, Entry]:
        found: dict[str, Entry] = read_here(TreeFact, paths=[node.path for node in nodes])
        return found

    return read


def everything_below(directory: Path) -> dict[str, str]:
    """Each path with its text, or where it points."""
    return {
        str(path.relative_to(directory)): (
            f"-> {path.readlink()}"
            if path.is_symlink()
            else path.read_text()
            if path.is_file()
            else "/"
        )
        for path in sorted(directory.rglob("*"))
    }


def a_tree(root: Path, text: str = "new\n") -> list[Node]:
    return [
        Directory(f"{root}/conf"),
        File(f"{root}/conf/a", text, origin="templates/nginx/a.conf.j2"),
        File(f"{root}/conf/b", text, user="daemon", group="www-data", mode="640"),
        Link(f"{root}/conf/link", "a"),
        Absent(f"{root}/conf/default"),
    ]


def an_old_tree(root: Path) -> dict[str, str]:
    (root / "conf").mkdir()
    for name in ("a", "b", "default"):
        (root / "conf" / name).write_text("old\n")
    (root / "conf/link").symlink_to("b")
    return everything_below(root)


# --- What is read ---


def test_every_kind_of_entry_is_read_in_one_command(root: Path, entries: Any) -> None:
    (root / "file").write_text("text")
    (root / "file").chmod(0o640)
    (root / "empty").touch()
    (root / "link").symlink_to("some where|else")
    found = entries(
        *(Absent(f"{root}/{name}") for name in ("file", "empty", "link", "missing", ""))
    )
    assert found[f"{root}/file"] == Entry(
        kind="file",
        mode="640",
        user="root",
        group="root",
        sha256="982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1",
    )
    assert found[f"{root}/empty"].kind == "file"
    assert found[f"{root}/empty"].sha256
    assert found[f"{root}/link"].target == "some where|else"
    assert found[f"{root}/"].kind == "directory"
    assert f"{root}/missing" not in found


def test_a_link_to_a_file_is_no_file_of_that_content(root: Path, entries: Any) -> None:
    (root / "file").write_text("text")
    (root / "link").symlink_to("file")
    declared = File(f"{root}/link", "text")
    entry = entries(declared)[f"{root}/link"]
    assert entry.kind == "link"
    assert not declared.matches(entry)


def test_a_pipe_does_not_hold_up_the_plan(root: Path, entries: Any) -> None:
    os.mkfifo(root / "pipe")
    assert entries(File(f"{root}/pipe", "text"))[f"{root}/pipe"].sha256 == ""


def test_what_is_absent_only_with_a_known_text_stays_with_any_other(
    root: Path, entries: Any, install: Install
) -> None:
    """Debian's welcome page goes; a vhost that somebody wrote in its place is theirs."""
    (root / "available").write_text("welcome")
    (root / "enabled").symlink_to(root / "available")
    node = Absent(f"{root}/enabled", sha256=sha256(b"welcome").hexdigest())
    (root / "available").write_text("a vhost")
    assert differing([node], entries(node)) == []
    (root / "available").write_text("welcome")
    assert differing([node], entries(node)) == [node]
    assert install(node).returncode == 0
    assert everything_below(root) == {"available": "welcome"}


def test_a_directory_in_a_file_s_place_is_refused_before_anything_changes(
    root: Path, install: Install
) -> None:
    (root / "b").mkdir()
    run = install(File(f"{root}/a", "new"), File(f"{root}/b", "new"))
    assert run.returncode == 1
    assert f"{root}/b is a directory, but a file is declared" in run.stderr
    assert not (root / "a").exists()


@pytest.mark.parametrize("immutable", ["conf", "conf/b"])
def test_what_chattr_keeps_from_change_is_refused_before_anything_changes(
    root: Path, install: Install, entries: Any, stand_in: Any, immutable: str
) -> None:
    assert install(*a_tree(root, "old\n")).returncode == 0
    stand_in("lsattr", f'echo "----i---------e------- {root}/{immutable}"')
    assert entries(*a_tree(root))[f"{root}/{immutable}"].attributes == "i"
    stand_in("lsattr", f'[ "$2" != {root}/{immutable} ] || echo "----i---------e------- $2"')
    refused = install(*a_tree(root))
    assert f"chattr -i {root}/{immutable}; nothing was changed\n" in refused.stderr
    assert (root / "conf/a").read_text() == "old\n"
    stand_in("lsattr", 'echo "--------------e------- $2"')
    assert install(*a_tree(root)).returncode == 0


def test_a_link_s_target_is_no_other_section(root: Path, entries: Any) -> None:
    path = root / "a"
    path.touch(0o666)
    path.chmod(0o666)
    (root / "link").symlink_to(f"x\n== stat\n{path}|regular file|640|root|root")
    assert entries(Absent(f"{root}/link"), Absent(f"{path}"))[f"{path}"].mode == "666"


def test_a_dangling_link_is_read(root: Path, entries: Any) -> None:
    (root / "link").symlink_to("nowhere")
    assert entries(Link(f"{root}/link", "x"))[f"{root}/link"].target == "nowhere"


def test_a_german_server_is_read_like_any_other(root: Path, entries: Any, stand_in: Any) -> None:
    """With its /etc/default/locale, which sshd hands on, stat calls a directory a Verzeichnis."""
    stat_here = shutil.which("stat")
    stand_in(
        "stat", f'[ "$LC_ALL" = C ] && exec {stat_here} "$@"; echo "$4|Verzeichnis|755|root|root"'
    )
    assert entries(Absent(str(root)))[str(root)].kind == "directory"


def test_a_quote_in_a_path_reaches_no_shell(root: Path, entries: Any) -> None:
    path = f"{root}/it's $(echo pwned) here"
    Path(path).write_text("text")
    assert list(entries(Absent(path))) == [path]


def test_only_acl_entries_of_named_users_and_groups_count() -> None:
    lines = """\
== stat
/srv|directory|750|root|root
== links
== sums
== acls
# file: /srv
# owner: root
# group: root
user::rwx
user:www-data:--x
group::r-x
group:adm:r-x
mask::r-x
other::---
default:user::rwx
default:user:www-data:r-x
default:mask::r-x""".splitlines()
    assert TreeFact().process(lines)["/srv"].acl == {
        "user:www-data:--x",
        "group:adm:r-x",
        "default:user:www-data:r-x",
    }


def test_no_output_at_all_means_that_nothing_is_there() -> None:
    assert TreeFact().process(["== stat", "== links", "== sums", "== acls"]) == {}


@pytest.mark.parametrize(
    "line", ["foo", "|", "== ", "== /x", "/x|", "/x YQ", "/x \u00e9", "a  b", "x y"]
)
@pytest.mark.parametrize("section", ["", "stat", "links", "sums", "attributes", "acls"])
def test_what_a_site_makes_of_an_answer_ends_no_run(section: str, line: str) -> None:
    """It can trace what a run asks as its user, where the kernel lets it."""
    answer = [f"== {section}", line]
    assert TreeFact().process(answer) == {}
    for fact in (ContentsFact(), FingerprintsFact()):
        assert isinstance(fact.process(answer), dict)


@pytest.mark.parametrize("text", ["one\ntwo\n", "no newline at the end", "", "blank\n\n\nlines\n"])
def test_the_old_text_of_a_file_is_read_for_the_diff(root: Path, read_here: Any, text: str) -> None:
    paths = [f"{root}/a", f"{root}/b"]
    for path in paths:
        Path(path).write_text(text)
    found = read_here(ContentsFact, paths=paths)
    assert [found[path].splitlines() for path in paths] == [text.splitlines()] * 2


# --- What differs ---


FILE = File("/etc/a", "text", user="root", group="adm", mode="640")
STANDS = Entry("file", "640", "root", "adm", sha256=hashlib.sha256(b"text").hexdigest())


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({}, True),
        ({"mode": "644"}, False),
        ({"user": "daemon"}, False),
        ({"group": "root"}, False),
        ({"sha256": "0"}, False),
        ({"kind": "link"}, False),
        ({"acl": frozenset({"user:www-data:r--"})}, False),
    ],
)
def test_a_file_differs_by_content_owner_mode_and_acl(changed: Any, same: bool) -> None:
    entry = Entry(**{**STANDS.__dict__, **changed})
    assert (differing([FILE], {FILE.path: entry}) == []) is same


def test_a_directory_differs_by_its_acl() -> None:
    entry = Entry("directory", "755", "root", "root", acl=frozenset({"user:www-data:--x"}))
    same = Directory("/srv", acl=("user:www-data:--x",))
    other = Directory("/srv", acl=("user:www-data:r-x",))
    assert differing([same, other], {"/srv": entry}) == [other]


def test_a_link_differs_by_its_target() -> None:
    entry = Entry("link", "777", "root", "root", target="a")
    assert differing([Link("/l", "a"), Link("/l", "b")], {"/l": entry}) == [Link("/l", "b")]


@pytest.mark.parametrize("kind", ["link", "directory", "file"])
def test_an_initial_link_is_left_to_its_owner(kind: str) -> None:
    link = Link("/current", "releases/placeholder", initial=True)
    assert differing([link], {"/current": Entry(kind, "777", "root", "root")}) == []
    assert differing([link], {}) == [link]


def test_what_shall_be_absent_differs_only_where_it_is() -> None:
    assert differing([Absent("/x")], {}) == []
    assert differing([Absent("/x")], {"/x": STANDS}) == [Absent("/x")]


# --- What the operation yields ---


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A host on which there is an old /etc/a and an old .env; remembers what it was asked."""
    asked: list[tuple[Any, dict[str, Any]]] = []
    old = {"/etc/a": STANDS, "/srv/.env": STANDS}

    def get_fact(fact: Any, **arguments: Any) -> Any:
        asked.append((fact, arguments))
        return old if fact is TreeFact else {"/etc/a": "old\n"}

    host = SimpleNamespace(get_fact=get_fact, print_prefix="[server] ", asked=asked)
    state = SimpleNamespace(config=SimpleNamespace(DIFF=False), is_executing=False)
    monkeypatch.setattr(files, "host", host)
    monkeypatch.setattr(files, "this_run", lambda: Run(Manifest("staging")))
    for module in (files, diff):
        monkeypatch.setattr(module, "state", state)
    return SimpleNamespace(host=host, state=state)


NODES: list[Node] = [File("/etc/a", "new\n"), File("/srv/.env", "hunter2\n", secret=True)]


def commands(
    nodes: Sequence[Node],
    check: Checker | None = None,
    user: str = "root",
    needs: Sequence[OperationMeta] = (),
) -> list[Any]:
    install = files.install._inner(
        tree="app",
        nodes=nodes,
        check=check,
        user=user,
        needs=needs,
    )
    return list(install)


@pytest.mark.parametrize(("succeeded", "written"), [(True, 1), (False, 0), (None, 1)])
def test_a_tree_stays_as_it_is_when_what_it_needs_has_failed(
    server: Any, succeeded: bool | None, written: int
) -> None:
    """None stands for an operation that is planned and has not run."""
    earlier = OperationMeta("hash", is_change=True)
    if succeeded is not None:
        earlier.set_complete(succeeded, [], CommandOutput([]))
    server.state.is_executing = True
    assert len(commands(NODES, needs=[earlier])) == written
    server.state.is_executing = False
    assert len(commands(NODES, needs=[earlier])) == 1


def test_a_tree_that_stands_yields_no_command(server: Any) -> None:
    assert commands([FILE]) == []


def test_contents_travel_on_standard_input_alone(server: Any) -> None:
    (command,) = commands(NODES, Checker("nginx -t", "nginx -t -q", ("/etc/nginx",)))
    assert "hunter2" not in command.get_raw_value()
    assert "hunter2" in unpacked(command.connector_arguments["_stdin"])["files/srv/.env"]


def test_only_what_differs_is_sent(server: Any) -> None:
    (command,) = commands([FILE, File("/etc/b", "text")])
    sent = unpacked(command.connector_arguments["_stdin"])
    assert list(sent) == ["index", "records", "files/etc/b"]


def test_the_check_reaches_the_script_as_it_is_written(server: Any) -> None:
    check = Checker(
        "it's a check", "echo \"$HOME\" 'x'", ("/etc/nginx", "/etc/my dir"), "x.service"
    )
    (command,) = commands(NODES, check)
    words = shlex.split(command.get_raw_value())
    assert words[:2] == ["sh", "-c"]
    manifest = "/var/lib/stagecraft/manifests/staging"
    assert words[4:] == [
        "app",
        manifest,
        "x.service",
        check.name,
        check.command,
        *check.directories,
    ]


def test_a_tree_below_a_site_s_directories_is_written_by_the_site_s_user(server: Any) -> None:
    (command,) = commands(NODES, user="askpro-staging")
    words = shlex.split(command.get_raw_value())
    assert words[: words.index("sh")] == becoming_with_time_limit("askpro-staging")
    assert words[3:6] == ["setpriv", "--reuid", "askpro-staging"]


def test_nobody_waits_for_what_a_site_has_stopped(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stagecraft.facts.files.PATIENCE", "0.2")
    done = shell(read_as("daemon", "kill -STOP $$; echo woken"))
    assert done.returncode == 137 and not done.stdout


def unpacked(stdin: str) -> dict[str, str]:
    with tarfile.open(fileobj=BytesIO(b64decode(stdin))) as archive:
        return {member.name: archive.extractfile(member).read().decode() for member in archive}  # type: ignore[union-attr]


# --- What install_tree.sh does, for real ---


def test_a_tree_is_installed_with_owners_modes_and_links(
    root: Path, install: Install, entries: Any, stage: Path
) -> None:
    an_old_tree(root)
    nodes = a_tree(root)
    result = install(*nodes)
    assert (result.returncode, result.stderr) == (0, "")
    assert differing(nodes, entries(*nodes)) == []
    assert everything_below(root) == {
        "conf": "/",
        "conf/a": "new\n",
        "conf/b": "new\n",
        "conf/link": "-> a",
    }
    assert not stage.exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no newline",
        "tab\tand | and \\n and $HOME and `id` and 'q' \"q\"\n",
        "ä€𝄞\n",
        "x\n" * 99999,
    ],
    ids=["empty", "no-newline", "specials", "unicode", "large"],
)
def test_a_text_arrives_byte_by_byte(root: Path, install: Install, entries: Any, text: str) -> None:
    node = File(f"{root}/{'long' * 30}/file", text, origin="x.j2")
    nodes: list[Node] = [Directory(str(Path(node.path).parent)), node]
    assert install(*nodes).returncode == 0
    assert Path(node.path).read_bytes() == text.encode()
    assert differing(nodes, entries(*nodes)) == []


def test_modes_are_those_declared_whatever_stood_there(
    root: Path, install: Install, entries: Any
) -> None:
    (root / "a").write_text("old")
    (root / "a").chmod(0o777)
    os.chown(root / "a", 1, 1)
    node = File(f"{root}/a", "new", mode="600")
    install(node)
    assert differing([node], entries(node)) == []


@with_acl
def test_acls_are_those_declared_whatever_stood_there(
    root: Path, install: Install, entries: Any
) -> None:
    (root / "a").write_text("old")
    (root / "srv").mkdir()
    for path in ("a", "srv"):
        subprocess.run(["setfacl", "-m", "user:daemon:rwx", root / path], check=True)
    subprocess.run(["setfacl", "-m", "default:user:daemon:rwx", root / "srv"], check=True)
    nodes: list[Node] = [
        Directory(f"{root}/srv", mode="750", acl=("user:www-data:--x",)),
        Directory(f"{root}/srv/public", mode="750", acl=("default:user:www-data:r-x",)),
        File(f"{root}/srv/public/index.php", "<?php\n"),
        File(f"{root}/a", "new"),
    ]
    assert install(*nodes).stderr == ""
    found = entries(*nodes)
    assert differing(nodes, found) == []
    assert found[f"{root}/srv"].acl == {"user:www-data:--x"}


def test_a_file_takes_the_place_of_a_link_and_spares_what_it_points_to(
    root: Path, install: Install
) -> None:
    (root / "target").write_text("somebody's\n")
    (root / "a").symlink_to("target")
    install(File(f"{root}/a", "new\n"))
    assert everything_below(root) == {"a": "new\n", "target": "somebody's\n"}


def test_a_link_takes_the_place_of_a_file_and_of_a_link_to_a_directory(
    root: Path, install: Install
) -> None:
    (root / "one").write_text("old")
    (root / "releases").mkdir()
    (root / "two").symlink_to("releases")
    install(Link(f"{root}/one", "x y"), Link(f"{root}/two", "x y"))
    assert everything_below(root) == {"one": "-> x y", "releases": "/", "two": "-> x y"}


def test_a_directory_is_never_removed_for_a_file(root: Path, install: Install) -> None:
    """Whatever the manifest says: what is in it may be anybody's."""
    before = an_old_tree(root)
    assert install(Absent(f"{root}/conf")).returncode == 1
    assert everything_below(root) == before


def test_what_is_absent_goes(root: Path, install: Install) -> None:
    an_old_tree(root)
    assert install(Absent(f"{root}/conf/a"), Absent(f"{root}/never-there")).returncode == 0
    assert not (root / "conf/a").exists()


def test_a_directory_goes_when_nothing_is_left_in_it(root: Path, install: Install) -> None:
    (root / "empty").mkdir()
    an_old_tree(root)
    result = install(
        RemoveIfEmpty(f"{root}/conf"),
        RemoveIfEmpty(f"{root}/empty"),
        RemoveIfEmpty(f"{root}/never"),
    )
    assert result.returncode == 0
    assert list(root.iterdir()) == [root / "conf"]


def test_what_a_killed_run_left_half_written_goes(root: Path, install: Install) -> None:
    (root / ".secret.stagecraft").write_text("hunter2")
    install(File(f"{root}/a", "new\n"))
    assert list(root.iterdir()) == [root / "a"]


def test_what_is_new_is_recorded_before_it_is_made(
    root: Path, shell: Any, stage: Path, stand_in: Any
) -> None:
    """After what a full disk has cut off."""
    manifest = stage.with_name(f"{stage.name}.manifest")
    manifest.parent.mkdir(exist_ok=True)
    manifest.write_text('{"site": "", "tree": "nginx", "kind": "file", "path": "/etc')
    stand_in("mv", "exit 1")
    node = File(f"{root}/a", "new\n")
    command = shlex.join(["sh", "-c", INSTALL_TREE, "install-tree", stage.name, str(manifest)])
    result = shell(command, stdin=payload([node], Manifest("x").ahead("nginx", [node])))
    assert result.returncode == 1
    (record,) = parse_manifests(["== x", *manifest.read_text().splitlines()])["x"].paths
    assert record.path == f"{root}/a"


def test_who_has_a_file_open_reads_the_old_one_to_its_end(root: Path, install: Install) -> None:
    (root / "a").write_text("old\n")
    with (root / "a").open() as reader:
        install(File(f"{root}/a", "new and longer\n"))
        assert reader.read() == "old\n"
    assert (root / "a").read_text() == "new and longer\n"


def test_a_full_disk_leaves_the_old_files(root: Path, install: Install, stand_in: Any) -> None:
    before = an_old_tree(root)
    stand_in(
        "cp",
        'while [ "${1#-}" != "$1" ]; do shift; done\n'
        'head -c 2 "$1" >"$2"; echo "No space left on device" >&2; exit 1',
    )
    result = install(*a_tree(root))
    assert result.returncode != 0
    assert "No space left" in result.stderr
    after = everything_below(root)
    assert {path: text for path, text in after.items() if path in before} == before


def test_a_truncated_upload_changes_nothing(root: Path, shell: Any, stage: Path) -> None:
    before = an_old_tree(root)
    sent = payload(a_tree(root, "x" * 5000))
    for length in (0, 100, len(sent) // 2):
        assert shell(INSTALL_TREE, "install-tree", stage.name, stdin=sent[:length]).returncode != 0
        assert everything_below(root) == before


# --- The checker ---


def check_of(root: Path, command: str) -> Checker:
    return Checker("conf --test", command, (f"{root}/conf",))


def test_the_checker_sees_the_tree_as_it_would_be_while_the_old_one_stands(
    root: Path, install: Install
) -> None:
    an_old_tree(root)
    (root / "conf/foreign").write_text("foreign\n")
    see = f"cd {root}/conf && head a b link foreign && ls -A"
    script = f"({see}) >{root}/seen; ! grep -rq old {root}/conf"
    result = install(*a_tree(root), check=check_of(root, script))
    assert (result.returncode, result.stderr) == (0, "")
    seen = (root / "seen").read_text()
    assert seen.count("new\n") == 3
    assert "foreign\n" in seen
    assert "default" not in seen
    assert (root / "conf/a").read_text() == "new\n"


def test_a_tree_that_the_checker_accepts_stands_afterwards(
    root: Path, install: Install, entries: Any, stage: Path
) -> None:
    an_old_tree(root)
    nodes = a_tree(root)
    assert install(*nodes, check=check_of(root, "true")).returncode == 0
    assert differing(nodes, entries(*nodes)) == []
    assert not stage.exists()


def test_a_refused_tree_leaves_everything_as_it_was_and_names_the_templates(
    root: Path, install: Install, stage: Path
) -> None:
    before = an_old_tree(root)
    times = {path: path.lstat().st_ctime_ns for path in root.rglob("*")}
    result = install(
        *a_tree(root), check=check_of(root, f"echo {root}/conf/a:1: unknown directive; false")
    )
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        f"{root}/conf/a:1: unknown directive",
        "refused by conf --test",
        f"  {root}/conf/a comes from templates/nginx/a.conf.j2",
        "nothing was changed on this server",
    ]
    assert everything_below(root) == before
    assert {path: path.lstat().st_ctime_ns for path in root.rglob("*")} == times
    assert not stage.exists()


def test_a_checker_that_does_not_come_to_its_end_refuses(
    root: Path, install: Install, stand_in: Any
) -> None:
    """PHP-FPM's opens the slow log, and would wait at a pipe that the site has put there."""
    an_old_tree(root)
    before = everything_below(root)
    stand_in("timeout", 'shift 2; exec /usr/bin/timeout --signal=KILL 0.5 "$@"')
    os.mkfifo(root / "slow.log")
    result = install(
        *a_tree(root), check=Checker("conf --test", f"echo x >{root}/slow.log", (f"{root}/conf",))
    )
    assert result.returncode == 1
    assert "did not finish within 60 seconds\nrefused by conf --test" in result.stderr
    (root / "slow.log").unlink()
    assert everything_below(root) == before


def test_a_checker_that_fails_in_its_first_command_refuses(root: Path, install: Install) -> None:
    before = an_old_tree(root)
    assert install(*a_tree(root), check=check_of(root, "false\ntrue")).returncode == 1
    assert everything_below(root) == before


def test_what_a_checker_writes_into_the_tree_is_thrown_away(root: Path, install: Install) -> None:
    an_old_tree(root)
    install(*a_tree(root), check=check_of(root, f"echo x >{root}/conf/compiled"))
    assert not (root / "conf/compiled").exists()


def test_the_checker_says_nothing_when_it_accepts(root: Path, install: Install) -> None:
    an_old_tree(root)
    result = install(*a_tree(root), check=check_of(root, "echo warning; echo warning >&2"))
    assert result.stdout + result.stderr == ""


def test_files_outside_the_checked_directories_are_not_touched_by_a_refusal(
    root: Path, install: Install
) -> None:
    (root / "conf").mkdir()
    unit = File(f"{root}/systemd/system/php.service", "[Unit]\n")
    install(*a_tree(root), unit, check=check_of(root, "false"))
    assert everything_below(root) == {"conf": "/"}


# --- Interrupted runs ---


@pytest.mark.parametrize(
    ("command", "call"),
    [
        ("tar", 1),
        ("mkdir", 1),
        *(("cp", call) for call in (1, 2)),
        *((command, call) for command in ("chown", "chmod", "mv") for call in (1, 2, 3)),
        *(("sync", call) for call in (1, 2)),
        ("ln", 1),
        *(("rm", call) for call in (1, 2)),
    ],
)
def test_a_run_killed_at_any_step_is_completed_by_the_next(
    root: Path, install: Install, entries: Any, stand_in: Any, command: str, call: int
) -> None:
    an_old_tree(root)
    count = root.parent / "count"
    stand_in(
        command,
        f"echo >>{count}; [ $(wc -l <{count}) != {call} ] || kill -9 $PPID\n"
        f'exec {shutil.which(command)} "$@"',
    )
    nodes = a_tree(root)
    assert install(*nodes).returncode == -9
    for name in ("a", "b"):
        assert (root / "conf" / name).read_text() in ("old\n", "new\n")

    left = differing(nodes, entries(*nodes))
    assert not left or install(*left).returncode == 0
    assert differing(nodes, entries(*nodes)) == []
    assert sorted(everything_below(root)) == ["conf", "conf/a", "conf/b", "conf/link"]


def test_two_runs_at_once_both_install_their_tree(
    root: Path, install: Install, stage: Path
) -> None:
    (root / "conf").mkdir()
    wait = f"touch {root}/started; until [ -e {root}/go ]; do sleep 0.05; done"
    with ThreadPoolExecutor() as pool:
        first = pool.submit(install, *a_tree(root), check=check_of(root, wait))
        while not ((root / "started").exists() or first.done()):
            sleep(0.01)
        second = pool.submit(install, File(f"{root}/other", "new\n"))
        sleep(0.3)
        (root / "go").touch()
        assert (first.result().returncode, second.result().returncode) == (0, 0)
    assert (root / "conf/a").exists()
    assert (root / "other").exists()


def test_what_a_killed_run_left_staged_does_not_reach_the_next(
    root: Path, install: Install, stage: Path
) -> None:
    (stage / f"files{root}").mkdir(parents=True)
    (stage / f"files{root}/a").write_text("left over")
    (stage / "index").write_text(f"file\t{root}/a\troot\troot\t644\t-\t-\n")
    install(File(f"{root}/b", "new"))
    assert everything_below(root) == {"b": "new"}
    assert not stage.exists()


def test_what_is_staged_is_root_s_alone(root: Path, install: Install, stand_in: Any) -> None:
    seen = root.parent / "seen"
    stand_in(
        "cp",
        "for file; do case $file in */files/*) "
        f'stat -c %a "${{file%/files/*}}" "$file" >>{seen} ;; esac; done\n'
        f'exec {shutil.which("cp")} "$@"',
    )
    install(File(f"{root}/.env", "hunter2", mode="644", secret=True))
    assert seen.read_text().split() == ["700", "600"]


# --- Directories that somebody else owns ---


@pytest.fixture
def home() -> Iterator[Path]:
    """Somewhere that other users can reach; pytest's directories are root's alone."""
    with TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture
def victim(home: Path) -> Path:
    """root's, and nothing that a site may touch."""
    directory = home / "etc"
    directory.mkdir(mode=0o755)
    (directory / "shadow").write_text("root's\n")
    return directory


@pytest.fixture
def storage(home: Path) -> Path:
    """The site's own directory, where it can put what it likes."""
    directory = home / "storage"
    directory.mkdir()
    shutil.chown(directory, "daemon", "daemon")
    return directory


def test_below_its_own_directory_a_user_writes_as_himself(
    storage: Path, install: Install, entries: Any
) -> None:
    nodes: list[Node] = [
        Directory(f"{storage}/logs", "daemon", "daemon", "750"),
        File(f"{storage}/logs/.env", "new\n", "daemon", "daemon", "640"),
        Link(f"{storage}/logs/link", ".env"),
    ]
    assert install(*nodes, user="daemon").returncode == 0
    assert differing(nodes, entries(*nodes)) == []


def test_a_link_in_a_directory_s_place_is_not_followed(
    victim: Path, storage: Path, install: Install
) -> None:
    (storage / "logs").symlink_to(victim)
    install(Directory(f"{storage}/logs", "daemon", "daemon", "750"), user="daemon")
    assert victim.stat().st_uid == 0
    assert stat.S_IMODE(victim.stat().st_mode) == 0o755


def test_a_link_in_a_directory_s_place_is_refused_before_anything_changes(
    root: Path, install: Install
) -> None:
    before = an_old_tree(root)
    (root / "link").symlink_to("conf")
    result = install(*a_tree(root), Directory(f"{root}/link"))
    assert result.returncode == 1
    assert result.stderr.startswith(f"{root}/link is a symbolic link, but a directory is declared")
    assert everything_below(root) == before | {"link": "-> conf"}


def test_a_link_above_a_directory_is_not_followed(
    victim: Path, storage: Path, install: Install
) -> None:
    (storage / "framework").symlink_to(victim)
    install(Directory(f"{storage}/framework/cache", "daemon", "daemon", "750"), user="daemon")
    assert sorted(path.name for path in victim.iterdir()) == ["shadow"]


def test_a_link_under_the_hidden_name_is_not_written_through(
    victim: Path, storage: Path, install: Install
) -> None:
    (storage / "..env.stagecraft").symlink_to(victim / "shadow")
    install(File(f"{storage}/.env", "x\n", "daemon", "daemon", "640"), user="daemon")
    assert (victim / "shadow").read_text() == "root's\n"
    assert (victim / "shadow").stat().st_gid == 0


def test_root_writes_through_no_link_either(victim: Path, storage: Path, install: Install) -> None:
    (storage / "..env.stagecraft").symlink_to(victim / "shadow")
    assert install(File(f"{storage}/.env", "x\n")).returncode == 0
    assert (victim / "shadow").read_text() == "root's\n"
    assert (storage / ".env").read_text() == "x\n"
