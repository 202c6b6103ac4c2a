"""A branch reaches a site, and the site comes back."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest
from provisioned import Provisioned, quote
from releasing import HOME, NAME, SITE, Releasing, releasing


@pytest.fixture(scope="module", params=["trixie", "bookworm"])
def host(request: pytest.FixtureRequest) -> Provisioned:
    host: Provisioned = request.getfixturevalue(request.param)
    return host


@pytest.fixture(scope="module")
def site(host: Provisioned, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Releasing]:
    with releasing(host, tmp_path_factory.mktemp("release"), {}) as site:
        yield site


def test_a_branch_reaches_the_site(site: Releasing) -> None:
    commit = site.app.branch("feature/customer-portal", {"public/robots.txt": "portal\n"})
    said = site.release("feature/customer-portal")
    assert site.serving == commit
    assert site.host.web.get(f"{SITE}/robots.txt", login=site.host.qa).text == "portal\n"
    assert said.splitlines()[0].startswith("Releasing feature/customer-portal (")
    entry = site.journal[-1]
    assert (entry["verb"], entry["outcome"], entry["commit"]) == ("release", "done", commit)
    assert entry["ref"] == "feature/customer-portal"


def test_a_release_is_root_s_alone(site: Releasing) -> None:
    site.release()
    release = f"{HOME}/releases/{site.releases[-1]}"
    found = f"find {release} \\( ! -user root -o ! -group {NAME} -o ! -type l -perm /022 \\)"
    assert not site.host.ssh(found)
    assert not site.host.ssh(f"ls {HOME}/builds")


def test_a_rollback_returns_to_the_release_before(site: Releasing) -> None:
    first = site.app.commit("First")
    site.release()
    second = site.app.commit("Second")
    site.release()
    assert site.serving == second
    done = site.run("rollback", "staging")
    assert done.code == 0, done.output
    assert site.serving == first
    assert site.journal[-1]["verb"] == "rollback"


SLOW_MIGRATION = (
    "<?php\nuse Illuminate\\Database\\Migrations\\Migration;\n"
    "return new class extends Migration { public function up() { sleep(2); } };\n"
)


def test_a_build_reaches_nothing_but_its_release(site: Releasing) -> None:
    """It is the site's user, and so could write to the storage, were it not for its sandbox."""
    reaching = [
        f"touch {HOME}/releases/left",
        f"touch {HOME}/current/left",
        "cat /etc/stagecraft/database/*.cnf",
        "ls /var/lib/stagecraft",
        "systemctl status",
    ]
    hidden = f"touch {HOME}/shared/storage/app/left /tmp/left /var/tmp/left;"
    log = " ".join(f"if {command}; then echo REA''CHED {command}; fi;" for command in reaching)
    with site.built_with(f"{hidden} {log} true"):
        said = site.release()
    assert "REACHED" not in said, said
    assert not site.host.ssh(f"find {HOME}/shared/storage /tmp /var/tmp -name left")


def test_nobody_else_reads_the_migrator_s_password(site: Releasing) -> None:
    """While it migrates, the site's user looks at all that a process of its own can see."""
    secret = site.host.secret("DB_MIGRATOR_PASSWORD")
    look = (
        f"for n in $(seq 200); do cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline"
        f" /var/lib/stagecraft/sites/{NAME}/*.env; systemctl show 'stagecraft-step-{NAME}*';"
        " sleep 0.02; done 2>/dev/null"
    )
    become = f"setpriv --reuid {NAME} --regid {NAME} --clear-groups"
    sudo = "" if site.host.server.user == "root" else "sudo"
    spy = subprocess.Popen(
        [*site.host.server.ssh_command(), "--", f"{sudo} {become} sh -c {quote(look)}"],
        stdout=subprocess.PIPE,
    )
    migration = "database/migrations/2026_02_01_000000_slow.php"
    site.app.branch("slow", {migration: SLOW_MIGRATION})
    site.release("slow")
    seen, _ = spy.communicate(timeout=120)
    assert NAME.encode() in seen
    assert secret.encode() not in seen


def test_what_somebody_changes_in_a_release_is_found(site: Releasing) -> None:
    site.release()
    release = site.host.ssh(f"readlink -f {HOME}/current")
    program = f"{HOME}/shared/storage/app/x.php"
    site.host.ssh(
        f"cd {release} && cp -p artisan public/index.php /root && echo '// x' >>public/index.php"
        f" && echo '<?php' >app/x.php && rm artisan && echo '<?php' >{program}"
    )
    found = site.run("drift", "staging").output
    for path in (f"{release}/{name}" for name in ("public/index.php", "app/x.php", "artisan")):
        assert f"unmanaged released file {path}" in found
    assert f"unmanaged program in the storage {program}" in found
    site.host.ssh(
        f"cd {release} && rm {program} app/x.php && cp -p /root/artisan . && rm /root/artisan"
        " && cp -p /root/index.php public && rm /root/index.php"
    )


def test_the_check_finds_nothing_after_releases(site: Releasing) -> None:
    site.release()
    done = site.run("drift", "staging", "--json")
    assert done.code in (0, 2), done.output
    found = [finding["id"] for finding in json.loads(done.stdout)["findings"]]
    # Of a machine that nobody has bootstrapped.
    assert [id for id in found if not id.endswith(" unit host0.service")] == []
