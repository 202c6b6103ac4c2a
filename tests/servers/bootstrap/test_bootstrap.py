"""A provider's bare server, and all the ways in which closing it could go wrong.

The tests of a server build on each other, as the runs of its operator would.
"""

from __future__ import annotations

import re
import shlex
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import paramiko
import pytest
from bare import (
    DEPLOY,
    FIRST_CONTACT,
    MOVED,
    ROOT,
    VERB,
    Bare,
    await_,
    link_local,
    nothing_armed,
    suite_of,
    undone,
)
from judges import ssh_audit
from project import Project
from tampering import Guarded
from watcher import Seen, Way, lets_in, own_sources, sources

from lab.lab import Lab
from stagecraft.drift.findings import Cause, Class, Finding
from stagecraft.operations.access import ARM, CONFIRM, REVERT, REVERT_AFTER


@pytest.fixture(scope="module", params=["trixie", "bookworm"])
def bare(request: pytest.FixtureRequest, lab: Lab) -> Iterator[Bare]:
    bare = Bare(lab.boot(f"bare-{request.param}", request.param), lab)
    bare.planned = bare.project("plan").plan("staging", *FIRST_CONTACT, verb=VERB)
    with own_sources(bare.server.address):
        yield bare


@pytest.fixture(scope="module")
def other_key(tmp_path_factory: pytest.TempPathFactory) -> str:
    key = tmp_path_factory.mktemp("keys") / "key"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "anna@old", "-f", str(key)]
    subprocess.run(command, check=True)
    return key.with_suffix(".pub").read_text().strip()


# --- First contact ---


@suite_of(13)
def test_an_expired_password_is_said_and_what_to_do(bare: Bare) -> None:
    bare.shell("chage -d 0 root")
    run = bare.project("expired").pyinfra("staging", "--dry", *FIRST_CONTACT, verb=VERB)
    bare.shell("chage -d 20000 root")
    assert run.code == 1
    assert "Your password has expired" in run.output
    assert "log in once with ssh and set a new one" in run.output
    assert "Traceback" not in run.output


@suite_of(12)
def test_a_password_is_enough_for_the_first_contact(bare: Bare) -> None:
    """And a plan leaves it the way in."""
    bare.shell("echo root:initial | chpasswd; mv /root/.ssh /root/.ssh.away")
    bare.shell("echo 'PermitRootLogin yes' > /etc/ssh/sshd_config.d/50-provider.conf")
    bare.shell("systemctl reload ssh")
    project = bare.project("password")
    arguments = ("--json", "--dry", "--ssh-password-prompt", *FIRST_CONTACT)
    run = project.start("staging", *arguments, verb=VERB)
    output, errors = run.communicate("initial\n", timeout=60)
    bare.shell("mv /root/.ssh.away /root/.ssh; rm /etc/ssh/sshd_config.d/50-provider.conf")
    bare.shell("systemctl reload ssh")
    assert run.returncode == 0, output + errors
    assert "initial" not in output + errors


# --- What goes wrong, and who still gets in ---


@suite_of(13)
def test_without_our_key_everything_stays_open(bare: Bare, other_key: str) -> None:
    project = bare.project("wrong-key", admins={"anna": [other_key]})
    with bare.watch(ROOT) as seen:
        run = project.pyinfra("staging", "-y", *FIRST_CONTACT, verb=VERB)
    assert run.code == 1
    assert f"None of your SSH keys is accepted for deploy; tried: {bare.key}." in run.output
    assert re.search(r"Accepted keys: SHA256:\S+ anna@old\.", run.output)
    assert "the old login works" in run.output
    assert "Traceback" not in run.output
    assert seen.logins > 5
    assert not seen.outages
    assert undone(bare)
    assert bare.shell("nft list tables") == ""


@suite_of(12)
def test_a_port_that_the_provider_closes_is_not_moved_to(bare: Bare) -> None:
    project = bare.project("closed-port", 822)
    with provider_firewall(bare.server.address, 822), bare.watch(ROOT) as seen:
        run = project.pyinfra("staging", "-y", *FIRST_CONTACT, verb=VERB)
    assert run.code == 1
    assert "login as deploy on port 822 failed: Could not connect" in run.output
    assert "Check whether a firewall" in run.output
    assert not seen.outages
    assert undone(bare)


@contextmanager
def provider_firewall(address: str, port: int) -> Iterator[None]:
    """Packets to that port get lost on the way."""
    table = f"inet stagecraft_provider_{address.replace('.', '_')}"
    lost = f"ip daddr {address} tcp dport {port} drop"
    rules = f"chain out {{ type filter hook output priority 0; {lost}; }}"
    subprocess.run(["nft", f"table {table} {{ {rules}; }}"], check=True)
    try:
        yield
    finally:
        subprocess.run(["nft", f"delete table {table}"], check=True)


@suite_of(13)
def test_a_configuration_that_turns_us_away_is_taken_back(bare: Bare) -> None:
    project = bare.project("turned-away")
    project.spoil("tasks/sshd.py", "accounts=settings.logins", 'accounts=["anna"]')
    with bare.watch(ROOT, DEPLOY) as seen:
        run = project.pyinfra("staging", "-y", *FIRST_CONTACT, verb=VERB)
    assert run.code == 1
    assert "login as deploy on port 22 failed: Authentication error" in run.output
    assert_no_longer_than(seen, REVERT_AFTER)
    assert undone(bare)


@suite_of(12)
def test_rules_that_close_our_own_port_are_taken_back(bare: Bare) -> None:
    project = bare.project("own-firewall")
    project.spoil("templates/firewall/rules.nft.j2", '{{ ssh_ports | join(", ") }}', "829")
    with bare.watch(ROOT, DEPLOY) as seen:
        run = project.pyinfra("staging", "-y", *FIRST_CONTACT, verb=VERB)
    assert run.code == 1
    assert "login as deploy on port 22 failed: Could not connect" in run.output
    assert_no_longer_than(seen, REVERT_AFTER)
    assert undone(bare)


def test_what_a_killed_run_has_closed_the_server_opens_again(bare: Bare) -> None:
    """By its timer on Debian 13; on Debian 12 somebody resets the server before that."""
    project = bare.project("killed")
    project.spoil("tasks/sshd.py", "accounts=settings.logins", 'accounts=["anna"]')
    seconds = 15
    revert_after(project, seconds)
    bare.kill_when_closed(project)
    if bare.server.suite == "bookworm":
        bare.server.reboot()
    else:
        await_(lambda: nothing_armed(bare), seconds + 10)
    assert undone(bare)


def revert_after(project: Project, seconds: int) -> None:
    project.spoil(
        "stagecraft/operations/access.py",
        f"REVERT_AFTER = {REVERT_AFTER}\n",
        f"REVERT_AFTER = {seconds}\n",
    )


def test_a_run_that_sleeps_too_long_goes_no_further(bare: Bare) -> None:
    """On Debian 13 it falls asleep before it changes anything, on Debian 12 when root is out."""
    project = bare.project("asleep")
    revert_after(project, 5)
    run = project.start("staging", "-y", *FIRST_CONTACT, verb=VERB, stdin=subprocess.DEVNULL)
    asleep = (lambda: bare.closed) if bare.server.suite == "bookworm" else (lambda: bare.armed)
    await_(lambda: asleep() or run.poll() is not None, 200)
    run.send_signal(signal.SIGSTOP)
    await_(lambda: nothing_armed(bare), 20)
    run.send_signal(signal.SIGCONT)
    output = "".join(run.communicate(timeout=60))
    assert run.returncode == 1
    assert "the server has reverted sshd and the" in output
    assert "None of your SSH keys" not in output
    assert undone(bare)


def assert_no_longer_than(seen: Seen, seconds: float) -> None:
    assert max(seen.outages, default=0) < seconds


# --- What undoes a change ---

EARLIER = "/etc/ssh/sshd_config.d/98-watched.conf"
WATCHED = "/etc/ssh/sshd_config.d/99-watched.conf"
REVERTS = "systemctl start stagecraft-revert.service"


def script(text: str, *arguments: str) -> str:
    return shlex.join(["sh", "-c", text, "access", *arguments])


@pytest.fixture
def armed(bare: Bare) -> Iterator[None]:
    """A change of files that sshd reads, which nobody has confirmed yet."""
    files = f"for file in {EARLIER} {WATCHED}; do"
    bare.shell(f"{files} echo '# before' > $file; done")
    bare.shell(script(ARM, "120", REVERT, EARLIER, WATCHED))
    bare.shell(f"{files} echo '# after' > $file.new; mv $file.new $file; done")
    yield
    bare.shell(f"{REVERTS} 2>/dev/null; rm -f {EARLIER} {WATCHED}; systemctl reload ssh")
    assert nothing_armed(bare)


@pytest.mark.usefixtures("armed")
@pytest.mark.parametrize("first", ["confirmed", "undone"])
def test_a_change_is_confirmed_or_undone_whoever_comes_first(bare: Bare, first: str) -> None:
    """Both wait for the lock, in this order."""
    commands = [f"{script(CONFIRM)} && echo confirmed", f"{REVERTS}; true"]
    one, other = commands if first == "confirmed" else reversed(commands)
    held = "(exec 9>/run/stagecraft/revert.lock; flock 9; sleep 1) & sleep 0.2"
    said = bare.shell(f"{held}; ({one}) 2>&1 & sleep 0.2; ({other}) 2>&1 & wait")
    stands = bare.file(WATCHED[1:])
    assert stands == ("# after\n" if "confirmed" in said.splitlines() else "# before\n")
    assert ("has reverted sshd and the" in said) == (stands == "# before\n")
    assert nothing_armed(bare)


@pytest.mark.usefixtures("armed")
def test_a_dead_sshd_is_started(bare: Bare) -> None:
    bare.shell("systemctl stop ssh")
    bare.shell(REVERTS)
    assert bare.lets_in(ROOT)
    assert bare.file(WATCHED[1:]) == "# before\n"


@pytest.mark.usefixtures("armed")
def test_what_cannot_be_put_back_is_kept_until_the_next_boot(bare: Bare) -> None:
    bare.shell(f"mount --bind {WATCHED} {WATCHED}")  # nothing can be renamed over it
    for _ in range(2):
        assert "failed" in bare.shell(f"{REVERTS} 2>&1; true")
        assert bare.armed
    assert bare.file(EARLIER[1:]) == "# before\n"
    assert "has reverted sshd and the" in bare.shell(f"{script(CONFIRM)} 2>&1 || true")
    bare.server.reboot()
    assert bare.file(WATCHED[1:]) == "# before\n"
    assert nothing_armed(bare)


@suite_of(13)
@pytest.mark.usefixtures("armed")
def test_what_a_full_disk_prevents_is_done_when_it_has_room_again(bare: Bare) -> None:
    directory = Path(WATCHED).parent
    bare.shell(f"cp -a {directory} /root/kept && mount -t tmpfs -o size=16k none {directory}")
    bare.shell(f"cp -a /root/kept/. {directory}; cat /dev/zero > {directory}/full || true")
    assert "failed" in bare.shell(f"{REVERTS} 2>&1; true")
    assert bare.shell(f"cat {WATCHED}") == "# after"
    bare.shell(f"rm {directory}/full; {REVERTS}")
    assert bare.shell(f"cat {WATCHED}") == "# before"
    bare.shell(f"umount {directory}; rm -r /root/kept")


# --- What goes right ---


def test_the_run_after_a_killed_one_finishes_and_nothing_undoes_it(bare: Bare) -> None:
    project = bare.project("project", 822)
    with bare.watch(ROOT, DEPLOY, MOVED) as seen:
        bare.kill_when_closed(project)
        run = project.pyinfra("staging", "-y", verb=VERB)
    assert run.code == 0, run.output
    assert not seen.outages
    assert nothing_armed(bare)
    assert bare.lets_in(MOVED)
    assert not bare.lets_in(ROOT)


def test_the_plan_of_a_bare_server_was_complete_and_the_next_is_empty(bare: Bare) -> None:
    project = bare.project("converged", 822)
    assert project.plan("staging", verb=VERB) == []
    names = {name.split(" | ")[1].split(":")[0] for name in bare.planned}
    assert {"Install the machine's packages", "Add the account anna"} <= names
    assert any(name.startswith("Allow SSH on port 22 only for anna, deploy,") for name in names)


def test_the_check_knows_what_bootstrap_has_installed(bare: Bare) -> None:
    """What deploy.py has yet to do is all that differs; nothing of ours is to be taken away."""
    findings = yet_to_do(bare, bare.project("checked", 822))
    assert {finding.cause for finding in findings} == {Cause.FILES}


def yet_to_do(bare: Bare, project: Project) -> list[Finding]:
    """What the check finds, where that is nothing but what a run of deploy.py would change."""
    report = Guarded(bare.server, project, bare.lab).check("staging")
    assert [finding.id for finding in report.findings if finding.class_ != Class.MANAGED] == []
    assert report.findings
    return report.findings


def test_the_port_moves_back_and_nobody_notices(bare: Bare) -> None:
    project = bare.project("moved-back")
    with bare.watch(DEPLOY, MOVED) as seen:
        changed = project.apply("staging", "--ssh-port", "822", verb=VERB)
    assert not seen.outages
    assert len(changed) == 4, changed  # fail2ban's jail and the manifest name the port, too
    assert bare.lets_in(DEPLOY)
    assert not bare.lets_in(MOVED)


def test_a_change_that_was_undone_leaves_nothing_to_do(bare: Bare) -> None:
    project = bare.project("undone", 822)
    with provider_firewall(bare.server.address, 822):
        run = project.pyinfra("staging", "-y", "--ssh-port", "22", verb=VERB)
    assert "the old login works" in run.output
    bare.declare(project)
    assert project.plan("staging", verb=VERB) == []


def test_an_account_and_a_key_taken_out_go_after_the_plan_named_them(
    bare: Bare, other_key: str
) -> None:
    project = bare.project("team")
    ours = f"{bare.key}.pub"
    bare.declare(project, admins={"anna": [ours, other_key], "bob": [ours]})
    project.apply("staging", verb=VERB)
    assert bare.lets_in(Way("bob"))
    assert "anna@old" in bare.file("etc/ssh/authorized_keys.d/anna")
    bare.shell("install -d /home/shared && install -d -o www-data /home/shared/data")
    await_(lambda: bare.shell("pgrep -u bob || true") == "", 10)
    bare.shell("usermod --move-home --home /home/shared/bob bob && usermod --home /home/shared bob")
    bare.declare(project, admins={"anna": [ours]})
    planned = " ".join(project.plan("staging", verb=VERB))
    assert "remove anna's key anna@old, bob's key" in planned
    assert "Remove the account bob" in planned
    project.apply("staging", verb=VERB)
    assert not bare.lets_in(Way("bob"))
    assert bare.shell("! id bob 2>&1; stat -c '%U %a' /home/shared/bob").endswith("root 700")
    assert bare.shell("stat -c '%U %a' /home/shared /home/shared/data") == "root 755\nwww-data 755"
    assert "anna@old" not in bare.file("etc/ssh/authorized_keys.d/deploy")
    assert project.plan("staging", verb=VERB) == []


def test_a_locale_that_debian_does_not_have_is_refused(bare: Bare) -> None:
    project = bare.project("locale", locale="xx_XX.UTF-8")
    run = project.pyinfra("staging", "-y", verb=VERB)
    assert run.code == 1
    assert "Debian has no locale xx_XX.UTF-8" in run.output
    assert "xx_XX" not in bare.file("etc/locale.gen") + bare.file("etc/locale.conf")


def test_what_somebody_loosens_is_seen_and_closed_again(bare: Bare) -> None:
    project = bare.project("loosened")
    bare.shell("nft insert rule inet stagecraft input accept")
    bare.shell("nft add table inet foreign")
    assert [name.split(" | ")[0] for name in project.plan("staging", verb=VERB)] == ["Access"]
    project.apply("staging", verb=VERB)
    assert project.plan("staging", verb=VERB) == []
    assert "table inet foreign" in bare.shell("nft list tables")


def test_what_another_file_of_sshd_s_loosens_is_named(bare: Bare) -> None:
    bare.shell("echo 'PermitRootLogin yes' > /etc/ssh/sshd_config.d/00-a.conf")
    run = bare.project("overruled").pyinfra("staging", "-y", verb=VERB)
    assert run.code == 1
    assert "another file overrides ours" in run.output
    assert "permitrootlogin no" in run.output
    assert nothing_armed(bare)
    bare.shell("rm /etc/ssh/sshd_config.d/00-a.conf; systemctl reload ssh")


def test_from_outside_ssh_http_and_https_and_nothing_else(bare: Bare) -> None:
    listener = "python3 -m http.server --bind :: {} >/dev/null 2>&1"
    ports = (80, 443, 3306, 8080)
    bare.server.reboot()
    for port in ports:
        bare.shell(f"systemd-run --quiet --unit=listener-{port} sh -c '{listener.format(port)}'")
    addresses = [bare.server.address, link_local(bare)]
    await_(lambda: all(answers(addresses[0], port) for port in (80, 443)), 10)
    for address in addresses:
        assert [port for port in (22, *ports, 25, 111) if answers(address, port)] == [22, 80, 443]
    bare.shell("systemctl stop 'listener-*'")


def test_sshd_listens_on_tcp_alone(bare: Bare) -> None:
    """systemd from 256 on would listen for every process of the machine, too."""
    assert bare.shell("ss -Hlx | grep -F ssh || true") == ""
    bare.shell("systemctl daemon-reload; systemctl start sockets.target")
    assert bare.shell("ss -Hlx | grep -F ssh || true") == ""


def answers(address: str, port: int, source: str = "") -> bool:
    own = (source, 0) if source else None
    try:
        with socket.create_connection((address, port), timeout=0.5, source_address=own):
            return True
    except OSError:
        return False


def test_who_connects_too_often_waits_and_nobody_else(bare: Bare) -> None:
    source = f"{sources(bare.server.address)}.253"
    connected = [answers(bare.server.address, 22, source) for _ in range(40)]
    assert connected[0]
    assert not all(connected)
    assert bare.lets_in(DEPLOY)


def test_who_guesses_is_shut_out(bare: Bare) -> None:
    source = f"{sources(bare.server.address)}.254"
    for _ in range(7):
        guess(bare.server.address, source)
    await_(lambda: source in bare.shell("fail2ban-client status sshd"), 20)
    await_(lambda: source in bare.shell("nft list table inet f2b-table"), 10)
    assert bare.lets_in(DEPLOY)


def test_who_got_in_is_not_shut_out(bare: Bare) -> None:
    """An agent's other keys are refused before the right one has its turn, at every login; and who
    takes a new server for a bootstrapped one is refused before fail2ban starts. That somebody got
    in, sshd alone says: what an account writes is not believed."""
    address, key = bare.server.address, paramiko.Ed25519Key.from_private_key_file(str(bare.key))
    operator, stranger = (f"{sources(address)}.{n}" for n in (251, 252))
    ignored = f"grep -c 'Ignore {operator}' /var/log/fail2ban.log || true"
    bare.shell("systemctl stop fail2ban && rm -f /var/lib/fail2ban/*")
    for source in (stranger, operator):
        for _ in range(7):
            guess(address, source)
    assert lets_in(address, key, DEPLOY, operator)
    claim(bare, operator, f"Accepted publickey for root from {stranger} port 1 ssh2")
    bare.shell("systemctl start fail2ban")
    await_(lambda: stranger in bare.shell("fail2ban-client status sshd || true"), 20)
    for _ in range(7):
        guess(address, operator)
    await_(lambda: bare.shell(ignored) == "14", 20)
    assert operator not in bare.shell("fail2ban-client status sshd")
    assert lets_in(address, key, DEPLOY, operator)


def claim(bare: Bare, source: str, text: str) -> None:
    """Has an account write to the journal from sshd's unit, by a process that stays until its unit
    was noted."""
    ssh = ["ssh", "-i", str(bare.key), "-b", source, "-o", "StrictHostKeyChecking=no"]
    ssh += ["-o", "UserKnownHostsFile=/dev/null", f"{DEPLOY.user}@{bare.server.address}"]
    subprocess.run([*ssh, f"(echo '{text}'; sleep 1) | logger"], check=True, timeout=20)
    assert text in bare.shell("journalctl --quiet --output=cat _SYSTEMD_UNIT=ssh.service")


def guess(address: str, source: str) -> None:
    with suppress(OSError, EOFError, paramiko.SSHException):
        plain = socket.create_connection((address, 22), 2, source_address=(source, 0))
        with plain, paramiko.Transport(plain) as transport:
            transport.start_client(timeout=3)
            transport.auth_password("admin", "guess")


# --- With a site on it ---


def test_what_a_killed_deploy_has_made_is_ours(bare: Bare) -> None:
    project = bare.project("interrupted")
    for operation in ("Redis | Write", "nginx | Write shared configuration"):
        project.kill_after(operation, "staging")
        assert yet_to_do(bare, project)


def test_deploy_keeps_what_bootstrap_set(bare: Bare) -> None:
    project = bare.project("site")
    project.apply("staging")
    assert project.plan("staging") == []
    assert project.plan("staging", verb=VERB) == []
    bare.shell("rm /etc/sysctl.d/60-stagecraft.conf")
    assert project.plan("staging") == ["Kernel | Write kernel settings"]
    project.apply("staging")


SECURITY_ARCHIVE = """
set -e
. /etc/os-release
package=$(dpkg --search "$(readlink -f /usr/lib/*/libcrypto.so.3)" | head -n 1 | cut -d: -f1)
mkdir /srv/security
cd /srv/security
chmod 777 .
apt-get download -qq "$package"
dpkg-deb --raw-extract "$package"_*.deb next
sed -i 's/^Version: .*/&+security1/' next/DEBIAN/control
dpkg-deb --build -Znone next next.deb
{
    cat next/DEBIAN/control
    echo "Filename: ./next.deb"
    echo "Size: $(stat -c %s next.deb)"
    echo "SHA256: $(sha256sum next.deb | cut -d' ' -f1)"
} > Packages
{
    printf 'Origin: Debian\nLabel: Debian-Security\nCodename: %s-security\n' "$VERSION_CODENAME"
    printf 'Date: %s\nSHA256:\n' "$(LC_ALL=C date -u '+%a, %d %b %Y %H:%M:%S UTC')"
    echo " $(sha256sum Packages | cut -d' ' -f1) $(stat -c %s Packages) Packages"
} > Release
source=/etc/apt/sources.list.d/security.list
echo 'deb [trusted=yes] file:/srv/security ./' > $source
apt-get update -o Dir::Etc::sourcelist=$source -o Dir::Etc::sourceparts=- \
    -o APT::Get::List-Cleanup=0
"""
"""Passes for Debian's own archive: a fix in a library that nginx, PHP and Redis have loaded."""


def test_a_security_upgrade_comes_by_itself_and_restarts_our_instances(bare: Bare) -> None:
    units = "php-fpm@askpro-staging redis-server@askpro-staging nginx"
    running = f"systemctl show --property=MainPID --value {units}"
    before = bare.shell(running).split()
    bare.shell(SECURITY_ARCHIVE)
    bare.shell("systemctl start --no-block apt-daily-upgrade.service")  # systemd itself restarts

    def restarted() -> bool:
        after = bare.shell(f"{running}; true").split()
        return len(after) == 3 and not {"0", *before} & set(after)

    await_(restarted, 120)
    assert "+security1" in bare.shell("dpkg-query --show 'libssl3*'")
    await_(lambda: bare.shell(f"systemctl is-active {units}; true").split() == ["active"] * 3, 10)
    upgrade = "systemctl show --property=ActiveState --value apt-daily-upgrade"
    await_(lambda: bare.shell(upgrade) == "inactive", 60)
    bare.server.harvest()


SKIP_WHAT_A_CONTAINER_CANNOT_SET = r"""
sed -n 's/^config-data=sysctl;\([^;]*\);.*/\1/p' /etc/lynis/default.prf | while read -r key; do
    [ -w "/proc/sys/$(echo "$key" | tr . /)" ] || echo "skip-test=KRNL-6000:$key"
done > /etc/lynis/custom.prf
"""


@suite_of(13)
def test_lynis_gives_75_points(bare: Bare) -> None:
    """But for the kernel settings that are this machine's; of those the file is all there is."""
    bare.shell("apt-get install --quiet --yes --no-install-recommends lynis </dev/null")
    bare.shell(SKIP_WHAT_A_CONTAINER_CANNOT_SET)
    report = bare.shell("lynis audit system --quick --no-colors")
    index = re.search(r"Hardening index : (\d+)", report)
    assert index
    assert int(index[1]) >= 75, bare.shell("grep ^suggestion /var/log/lynis-report.dat")


def test_ssh_audit_s_hardening_policy_passes(bare: Bare) -> None:
    """The last of all: Debian 13's sshd holds its manners against our address for a while."""
    verdict = ssh_audit(bare.server)
    assert verdict.returncode == 0, verdict.stdout
