"""Which checkout the nightly check may use, and which environments it takes by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stagecraft.errors import CommandLineError
from stagecraft.facts.writable import Writable, WritableFact
from stagecraft.project import lasting
from tasks.nightly import wanted, writable


def test_what_is_no_throwaway_is_checked(tmp_path: Path) -> None:
    (tmp_path / "group_data").mkdir()
    (tmp_path / "group_data/all.yml").write_text("servers: {one: {}, two: {throwaway: true}}\n")
    for name, server in (("staging", "one"), ("qa", "one"), ("local", "two")):
        (tmp_path / f"group_data/{name}.yml").write_text(f"server: {server}\n")
    assert lasting(tmp_path) == ["qa", "staging"]


def test_the_command_line_has_the_last_word() -> None:
    check = wanted({"checkout": "/opt/ops/", "environments": "a,b"})
    assert (check.checkout, check.environments) == ("/opt/ops", ("a", "b"))


def test_a_name_that_pyinfra_reads_as_a_number() -> None:
    assert wanted({"checkout": "/opt/ops", "environments": 5}).environments == ("5",)


@pytest.mark.parametrize(
    ("checkout", "words"),
    [
        ("/home/anna/ops", "cannot read a checkout in /home/anna/ops"),
        ("/root", "cannot read"),
        ("srv/ops", "cannot read"),
        ("/srv/a b", "characters that a systemd unit would misread"),
        ("/srv/%h", "characters"),
        ("/srv/a\nExecStart=/bin/sh", "characters"),
    ],
)
def test_a_checkout_that_the_service_could_not_use_is_refused(checkout: str, words: str) -> None:
    with pytest.raises(CommandLineError) as error:
        wanted({"checkout": checkout, "environments": "a"})
    assert words in str(error.value)


# --- Who could change what the check runs ---


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout that is root's, with what may be anybody's: throwaway servers in it."""
    checkout = tmp_path / "ops"
    (checkout / "tasks").mkdir(parents=True)
    (checkout / "tasks/nginx.py").write_text("")
    foreign = checkout / ".stagecraft/tests/servers/local/root/srv"
    foreign.mkdir(parents=True)
    foreign.chmod(0o777)
    return checkout


@pytest.fixture
def found(checkout: Path, read_here: Callable[..., list[Writable]]) -> Callable[[], Any]:
    """What is found of the checkout, without the directory of all temporary files."""

    def find() -> list[Writable]:
        writable = read_here(WritableFact, directory=str(checkout))
        return [path for path in writable if path.path != "/tmp"]

    return find


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@needs_root
def test_a_checkout_of_root_s_is_nobody_else_s(found: Callable[[], Any]) -> None:
    assert found() == []


@needs_root
@pytest.mark.parametrize("mode", ["775", "757"])
def test_a_directory_that_others_may_write_to(
    checkout: Path, found: Callable[[], Any], mode: str
) -> None:
    (checkout / "tasks").chmod(int(mode, 8))
    (path,) = found()
    assert path == Writable("within", f"{checkout}/tasks", "root", mode)
    said = writable([path], str(checkout))
    assert f"{checkout}/tasks is root's, mode {mode}: whoever can write there decides" in said
    subprocess.run(["sh", "-c", said.partition("As root: ")[2]], check=True)
    assert found() == []


@needs_root
def test_a_file_of_somebody_else_and_a_directory_above_it(
    checkout: Path, found: Callable[[], Any]
) -> None:
    os.chown(checkout / "tasks/nginx.py", 65534, 0)
    os.chown(checkout.parent, 65534, 0)
    said = writable(found(), str(checkout))
    assert f"{checkout.parent} is nobody's, mode 700 (and 1 more)" in said
    subprocess.run(["sh", "-c", said.partition("As root: ")[2]], check=True)
    assert found() == []


@needs_root
@pytest.mark.skipif(not shutil.which("setfacl"), reason="needs the package acl")
def test_an_acl_by_which_somebody_may_write(checkout: Path, found: Callable[[], Any]) -> None:
    for entry in ("user:nobody:rwx", "default:user:nobody:rwx"):
        subprocess.run(["setfacl", "--modify", entry, checkout / "tasks"], check=True)
    subprocess.run(["setfacl", "--modify", "user:nobody:r-x", checkout], check=True)
    paths = found()
    assert {path.path for path in paths} == {f"{checkout}/tasks"}
    commands = writable(paths, str(checkout)).partition("As root: ")[2]
    subprocess.run(["sh", "-c", commands], check=True)
    assert found() == []


@pytest.fixture
def annas(tmp_path: Path) -> Path:
    """A directory of somebody else's."""
    (tmp_path / "anna").mkdir()
    os.chown(tmp_path / "anna", 65534, 0)
    return tmp_path / "anna"


@needs_root
def test_a_link_that_leads_to_what_is_somebody_s(
    checkout: Path, annas: Path, found: Callable[[], Any]
) -> None:
    (annas / "python").write_text("")
    (checkout / ".venv/bin").mkdir(parents=True)
    link = checkout / ".venv/bin/python"
    link.symlink_to(annas / "python")
    (path,) = found()
    assert (path.where, path.path, path.link) == ("beyond", str(annas), str(link))
    said = writable([path], str(checkout))
    assert f"rm -r {checkout}/.venv && make -C {checkout} .venv/complete" in said


@needs_root
@pytest.mark.parametrize("name", ["shared.py", "a name\nin two lines.py"])
def test_a_link_that_leads_through_what_is_somebody_s(
    checkout: Path, annas: Path, found: Callable[[], Any], name: str
) -> None:
    (annas / "hop").symlink_to("/usr/bin/env")
    (checkout / name).symlink_to(f"../{annas.name}/hop")
    (path,) = found()
    assert (path.path, path.link) == (str(annas), str(checkout / name))
    said = writable([path], str(checkout))
    subprocess.run(["sh", "-c", said.partition("As root: ")[2]], check=True)
    assert found() == []


@needs_root
def test_a_link_to_a_directory_that_has_what_is_somebody_s(
    checkout: Path, tmp_path: Path, found: Callable[[], Any]
) -> None:
    (tmp_path / "shared/deep").mkdir(parents=True)
    os.chown(tmp_path / "shared/deep", 65534, 0)
    (checkout / "templates").symlink_to(tmp_path / "shared")
    (path,) = found()
    assert (path.where, path.path) == ("beyond", f"{tmp_path}/shared/deep")


IMPORTED = {
    "lib/python3.13/site-packages/ours.pth": "# a comment\nimport os\n{0}/modules\n",
    "lib/python3.13/site-packages/__editable___o_finder.py": "MAPPING = {{'o': '{0}/ours'}}\n",
    "pyvenv.cfg": "home = {0}/bin\ninclude-system-site-packages = false\n",
}


@needs_root
@pytest.mark.parametrize("file", IMPORTED)
def test_what_python_imports_from_where_somebody_may_write(
    checkout: Path, annas: Path, found: Callable[[], Any], file: str
) -> None:
    """Also what is not there yet."""
    path = checkout / ".venv" / file
    path.parent.mkdir(parents=True)
    path.write_text(IMPORTED[file].format(annas))
    (other,) = found()
    assert (other.where, other.path, other.link) == ("beyond", str(annas), str(path))
    assert "make -C" in writable([other], str(checkout))


@needs_root
def test_a_library_of_python_s_own_that_somebody_may_write_to(
    checkout: Path, tmp_path: Path, found: Callable[[], Any]
) -> None:
    library = tmp_path / "python/lib/python3.13"
    for directory in (tmp_path / "python/bin", library / "site-packages", checkout / ".venv"):
        directory.mkdir(parents=True)
    (library / "sitecustomize.py").write_text("")
    for path in (library / "sitecustomize.py", library / "site-packages"):
        path.chmod(0o777)
    settings = checkout / ".venv/pyvenv.cfg"
    settings.write_text(f"home = {tmp_path}/python/bin\n")
    assert [path.path for path in found()] == [f"{library}/sitecustomize.py"]
    settings.write_text(f"home = {tmp_path}/python/bin\ninclude-system-site-packages = true\n")
    assert len(found()) == 2
