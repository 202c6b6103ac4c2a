"""What nobody declared: what facts make of a server's answers, and what is said of them."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.exceptions import PyinfraError

from stagecraft.drift.findings import Coverage, Finding, Severity
from stagecraft.drift.judging.unmanaged import (
    accounts,
    databases,
    files,
    locations,
    network,
    packages,
    processes,
    records,
)
from stagecraft.drift.looking.server import Declared
from stagecraft.engines.mariadb import MARIADB
from stagecraft.facts.apt_sources import AptSourcesFact, list_name
from stagecraft.facts.as_found import AsFound, AsFoundFact, noted
from stagecraft.facts.grants import GrantsFact
from stagecraft.facts.listeners import ListenersFact, Socket
from stagecraft.facts.logins import LoginsFact
from stagecraft.facts.machine import Machine
from stagecraft.facts.package_files import PackageFilesFact
from stagecraft.facts.packages import Package, PackagesFact
from stagecraft.facts.packet_filters import FiltersFact, Table
from stagecraft.facts.php_modules import PhpModulesFact
from stagecraft.facts.processes import Processes, ProcessesFact
from stagecraft.facts.programs import Program, ProgramsFact
from stagecraft.facts.unpackaged import UnpackagedFile as File
from stagecraft.facts.unpackaged import UnpackagedFilesFact
from stagecraft.known_records import AS_FOUND, digest
from stagecraft.manifest import PathRecord, Records
from stagecraft.paths import MANIFESTS
from stagecraft.settings import Environment, Host, Server, Site
from stagecraft.settings.host import Firewall

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBkh8OvA2kGLyuPNCAcLMKd4sLFpkV1jgPVqjxyTtYWb"


@pytest.fixture
def declared(
    make_site: Callable[..., Site],
    make_environment: Callable[..., Environment],
    make_machine: Callable[..., Machine],
) -> Declared:
    """A bootstrapped server with staging and production."""
    server = Server(name="askpro-1", address="203.0.113.10", host=Host(admins={"anna": [KEY]}))
    environments = [
        make_environment(make_site(environment=name), server=server)
        for name in ("staging", "production")
    ]
    return Declared(environments[0], tuple(environments), {}, make_machine())


def of_files(*paths: str, site: str = "") -> Records:
    made = [PathRecord(site, "x", "file", path, "root", "root", "644", "-") for path in paths]
    return Records(made, text="".join(paths))


def recorded(declared: Declared, *paths: str, site: str = "") -> Declared:
    """With these files among what another repository's run has installed."""
    records = of_files(*paths, site=site)
    return replace(declared, records={"other": records}, known={"other": digest(records.text)})


def printed(*fields: str) -> list[str]:
    """As facts print names."""
    text = "".join(f"{field}\0" for field in fields)
    return [b64encode(text.encode("utf-8", "surrogateescape")).decode()]


def without_host(declared: Declared) -> Declared:
    server = declared.settings.model_copy(update={"host": None})
    environment = declared.environment.model_copy(update={"server": server})
    return replace(declared, environment=environment)


def told(findings: Any) -> list[tuple[str, str]]:
    return [(finding.kind, finding.thing) for finding in findings]


def findings(found: Any) -> list[Finding]:
    """Without the count of what is declared."""
    return [one for one in found if not isinstance(one, Coverage)]


class TestFiles:
    @pytest.mark.parametrize(
        ("path", "kind", "thing", "severity"),
        [
            ("/etc/nginx/sites-enabled/shop", "vhost", "/etc/nginx/sites-enabled/shop", "high"),
            ("/etc/php/8.2/fpm/pool.d/a", "FPM pool", "/etc/php/8.2/fpm/pool.d/a", "high"),
            ("/etc/redis/redis-cache.conf", "Redis instance", "cache", "high"),
            ("/etc/cron.hourly/sync", "cron job", "/etc/cron.hourly/sync", "critical"),
            ("/var/spool/cron/crontabs/anna", "crontab", "anna", "high"),
            ("/var/spool/cron/atjobs/a0000101d2c3e4", "at job", "a0000101d2c3e4", "critical"),
            ("/etc/systemd/system/a.service", "unit", "a.service", "critical"),
            ("/run/systemd/transient/a.timer", "timer", "a.timer", "critical"),
            ("/etc/systemd/system/a.service.d/a.conf", "unit override", "a.service", "critical"),
            ("/root/.config/systemd/user/a.service", "unit",
             "/root/.config/systemd/user/a.service", "critical"),
            ("/etc/sudoers.d/ops", "sudo rules", "/etc/sudoers.d/ops", "critical"),
            ("/etc/ld.so.preload", "preloaded library", "/etc/ld.so.preload", "critical"),
            ("/etc/pam.d/evil", "PAM rules", "/etc/pam.d/evil", "critical"),
            ("/etc/apt/trusted.gpg", "apt key", "/etc/apt/trusted.gpg", "critical"),
            ("/usr/share/keyrings/a.gpg", "apt key", "/usr/share/keyrings/a.gpg", "low"),
            ("/etc/letsencrypt/renewal/old.test.conf", "certificate", "old.test", "low"),
            ("/usr/bin/evil", "program", "/usr/bin/evil", "high"),
            ("/etc/anything", "file", "/etc/anything", "low"),
        ],
    )  # fmt: skip
    def test_the_place_says_what_a_file_is(
        self, declared: Declared, path: str, kind: str, thing: str, severity: str
    ) -> None:
        [finding] = files.undeclared([File(path)], declared)
        assert (finding.kind, finding.thing, finding.severity) == (kind, thing, severity)
        assert path in finding.found

    @pytest.mark.parametrize(
        "file",
        [
            File("/etc/passwd-"),
            File("/etc/shadow-", mode="640"),
            File("/home/anna/.bash_history", owner="anna:anna", mode="600"),
            File("/usr/local/share/fonts", "directory", "2775", "root:staff"),
            File("/home/anna", "directory", "700", "anna:anna"),
            File("/var/lib/nginx/body", "directory", "700", "www-data:root"),
            File("/etc/ssh/ssh_host_ed25519_key.pub"),
            File("/etc/nginx/nginx.conf.dpkg-old"),
            File("/etc/php/8.4/fpm/conf.d/20-gd.ini", "link",
                  target="/etc/php/8.4/mods-available/gd.ini"),
            File("/etc/systemd/system/redis-server.service", "link", target="/dev/null"),
            File("/etc/systemd/system/nginx.service", "link", target="/dev/null"),
            File("/etc/nginx/sites-enabled/default", "link",
                  target="/etc/nginx/sites-available/default"),
            File("/etc/ssl/stagecraft/askpro-production", "link"),
            File("/var/lib/stagecraft/self-signed/askpro-staging", "link"),
            File("/var/lib/stagecraft/manifests/other"),
            File("/etc/systemd/system/sysinit.target.wants/stagecraft-revert.service", "link"),
            File("/etc/systemd/user/sockets.target.wants/ssh-agent.socket", "link",
                  target="/usr/lib/systemd/user/ssh-agent.socket"),
            File("/etc/systemd/system/dbus-org.freedesktop.timesync1.service", "link",
                  target="/lib/systemd/system/systemd-timesyncd.service"),
            File("/run/systemd/transient/stagecraft-action-askpro-staging.service"),
            File("/run/systemd/transient/stagecraft-boot-askpro-staging.socket"),
            File("/run/systemd/transient/session-7.scope"),
            File("/etc/letsencrypt/live/askpro-staging", "directory"),
            File("/etc/ssh/authorized_keys.d/mallory"),
        ],
        ids=lambda file: file.path,
    )  # fmt: skip
    def test_what_debian_or_a_run_makes_is_none(self, declared: Declared, file: File) -> None:
        assert told(files.undeclared([file], declared)) == []

    def test_a_file_that_has_to_be_there_is_never_removed(self, declared: Declared) -> None:
        open_for_all = File("/etc/passwd", mode="666")
        edited = File("/etc/fstab", sha256="2c26b46b")
        brought = AsFound(frozenset({"/etc/fstab"}), marks={"/etc/fstab": File("/etc/fstab").mark})
        found = replace(declared, as_found=brought)
        [first, second] = files.undeclared([edited, open_for_all], found)
        assert first.remedy.startswith("editor /etc/fstab  #")
        assert second.remedy == "chown root /etc/passwd && chmod go-w /etc/passwd"

    @pytest.mark.parametrize(
        "file",
        [
            File("/etc/passwd", mode="666"),
            File("/etc/passwd", owner="askpro-staging:root"),
            File("/etc/shadow", mode="644"),
            File("/etc/ssh/ssh_host_ed25519_key", mode="644"),
            File("/etc/localtime", "link", target="/var/www/x"),
            File("/root/.bash_history", "link", target="/dev/null"),
            File("/home/anna/.bash_history", owner="ben:ben", mode="600"),
            File("/usr/local/bin", "directory", "777", "root:root"),
            File("/etc/profile"),
            File("/etc/environment"),
        ],
        ids=lambda file: file.path,
    )
    def test_what_debian_makes_otherwise(self, declared: Declared, file: File) -> None:
        assert [thing for _, thing in told(files.undeclared([file], declared))] == [file.path]

    @pytest.mark.parametrize(
        "file",
        [
            File("/run/systemd/transient/stagecraft-action-mallory.service"),
            File("/etc/sudoers.d/x", "link", target="/usr/share/nginx/modules-available/x"),
            File("/usr/share/nginx/modules-available/x"),
            File("/etc/cron.d/x", "link", target="/etc/php/8.4/mods-available/x"),
            File("/etc/nginx/sites-enabled/other", "link", target="../sites-available/default"),
            File("/etc/systemd/system/dbus-org.freedesktop.x.service"),
            File("/etc/systemd/system/multi-user.target.wants/systemd-x.service"),
            File("/etc/systemd/user/default.target.wants/x.service", "link",
                  target="/opt/x.service"),
        ],
        ids=lambda file: file.path,
    )  # fmt: skip
    def test_what_only_looks_like_it_is_one(self, declared: Declared, file: File) -> None:
        assert len(told(files.undeclared([file], declared))) == 1

    def test_each_kind_is_reported_by_one_area(self) -> None:
        everywhere = (*locations.LOCATIONS, locations.UNPRINTABLE_NAME, locations.SETUID_FILE)
        unusual = (locations.MASKED, locations.OPEN_DIRECTORY)
        kinds = {location.kind for location in (*everywhere, *unusual)}
        by_area = [kind for of_area in locations.AREAS.values() for kind in of_area]
        assert sorted(by_area) == sorted(kinds - {"apt source"})  # apt knows more of these
        assert kinds >= locations.OF_THE_MACHINE | locations.FROM_IMAGES

    def test_sshds_own_file_is_never_removed(self, declared: Declared) -> None:
        [found] = files.undeclared([File("/etc/ssh/sshd_config")], declared)
        assert found.remedy == "install -m 644 /usr/share/openssh/sshd_config /etc/ssh/sshd_config"

    def test_another_environments_file_is_none(self, declared: Declared) -> None:
        file = File("/etc/nginx/sites-enabled/zz-shop-test.conf", "link")
        assert told(files.undeclared([file], declared)) != []
        assert told(files.undeclared([file], recorded(declared, file.path))) == []

    def test_the_link_that_enables_a_recorded_unit_is_none(self, declared: Declared) -> None:
        directory = "/etc/systemd/system/multi-user.target.wants"
        links = [
            File(f"{directory}/php-fpm@shop-test.service", "link"),
            File(f"{directory}/redis-server@shop-test.service", "link"),
        ]
        assert len(list(files.undeclared(links, declared))) == 2
        known = recorded(
            declared,
            "/etc/systemd/system/php-fpm@shop-test.service",
            "/etc/redis/redis-shop-test.conf",
        )
        assert told(files.undeclared(links, known)) == []

    def test_another_repositorys_certificate_is_none(self, declared: Declared) -> None:
        file = File("/etc/letsencrypt/renewal/shop-test.conf")
        known = recorded(declared, "/var/www/shop-test", site="shop-test")
        assert told(files.undeclared([file], known)) == []

    def test_one_thing_is_one_finding(self, declared: Declared) -> None:
        found = [
            File("/etc/nginx/sites-available/shop"),
            File("/etc/nginx/sites-enabled/shop", "link", target="../sites-available/shop"),
            File("/etc/systemd/system/sync.service"),
            File("/etc/systemd/system/sync.timer"),
            File("/etc/systemd/system/timers.target.wants/sync.timer", "link",
                  target="/etc/systemd/system/sync.timer"),
        ]  # fmt: skip
        assert told(files.undeclared(found, declared)) == [
            ("vhost", "/etc/nginx/sites-enabled/shop"),
            ("timer", "sync.timer"),
        ]

    def test_a_mask_of_what_no_run_starts(self, declared: Declared) -> None:
        mask = File("/etc/systemd/system/fstrim.timer", "link", target="/dev/null")
        [finding] = files.undeclared([mask], declared)
        assert (finding.kind, finding.remedy) == ("masked unit", "systemctl unmask fstrim.timer")

    def test_a_setuid_file_counts_wherever_it_is_and_whoever_recorded_it(
        self, declared: Declared
    ) -> None:
        file = File("/etc/nginx/stagecraft/x", mode="4755")
        [finding] = files.undeclared([file], recorded(declared, file.path))
        assert (finding.kind, finding.severity) == ("setuid program", Severity.CRITICAL)

    def test_what_the_image_brought(self, declared: Declared) -> None:
        paths = ["/etc/systemd/system/vendor.service", "/etc/vendor", "/etc/sudoers.d/90-cloud"]
        found = replace(declared, as_found=AsFound(files=frozenset(paths)))
        there = [File(path) for path in paths]
        assert told(files.undeclared(there, found)) == [("sudo rules", "/etc/sudoers.d/90-cloud")]

    def test_what_the_image_brought_with_other_content_since(self, declared: Declared) -> None:
        paths = ["/etc/profile.d/vendor.sh", "/etc/vendor"]
        then = [File(path, sha256="5e884898") for path in paths]
        brought = AsFound(frozenset(paths), marks={file.path: file.mark for file in then})
        there = [then[0], replace(then[1], sha256="2c26b46b")]
        found = replace(declared, as_found=brought)
        assert told(files.undeclared(there, found)) == [("file", "/etc/vendor")]

    def test_a_machine_that_somebody_else_looks_after(self, declared: Declared) -> None:
        found = [
            File("/etc/sudoers.d/ops"),
            File("/etc/anything"),
            File("/etc/nginx/conf.d/a.conf"),
            File("/etc/stagecraft/a"),
        ]
        assert told(files.undeclared(found, without_host(declared))) == [
            ("vhost", "/etc/nginx/conf.d/a.conf"),
            ("file", "/etc/stagecraft/a"),
        ]

    def test_paths_are_quoted_in_the_remedy(self, declared: Declared) -> None:
        [finding] = files.undeclared([File("/etc/cron.d/a; reboot")], declared)
        assert finding.remedy == "rm '/etc/cron.d/a; reboot'"

    def test_a_directory_that_somebody_brought_is_a_whole(self, declared: Declared) -> None:
        tools = [File(f"/usr/local/lib/tools/{name}", top="/usr/local/lib/tools") for name in "ab"]
        for finding in files.undeclared(tools, declared):
            assert finding.whole == "in /usr/local/lib/tools"
            assert finding.whole_remedy.startswith("mv /usr/local/lib/tools ")

    def test_a_directory_with_something_else_is_none(self, declared: Declared) -> None:
        server = recorded(declared, "/usr/local/lib/tools/b")
        tools = [File(f"/usr/local/lib/tools/{name}", top="/usr/local/lib/tools") for name in "ab"]
        assert [f.whole for f in files.undeclared(tools, server)] == [""]

    def test_lines_of_the_fact(self) -> None:
        one = ["l", "777", "root:root", "1795000000.5", "4", "/etc/b", "../a", ""]
        other = ["f", "644", "root:root", "1795000000.5", "9", "/etc/a", "", "/etc"]
        sums = ["sum", "", "", "", "", "/etc/a", "5e884898", ""]
        first, second = UnpackagedFilesFact().process(printed(*one, *other, *other, *sums))
        assert (first.path, first.kind, first.sha256) == ("/etc/a", "file", "5e884898")
        assert (second.target, second.sha256) == ("../a", "")
        assert (first.top, second.top) == ("/etc", "")

    @pytest.mark.parametrize(
        ("name", "shown"),
        [
            ("a\nb\t", r"a\nb\t"),
            ("\udcff\n", r"\xff\n"),
            ("\u202egnp", r"\u202egnp"),
            ("'a b'\\0\x1b[2J", r"'a b'\0\x1b[2J"),
        ],
    )
    def test_a_name_to_hide_behind(
        self, declared: Declared, tmp_path: Path, shell: Any, name: str, shown: str
    ) -> None:
        path = f"{tmp_path}/{name}"
        Path(path).touch()
        [file] = UnpackagedFilesFact().process(
            printed("f", "644", "root:root", "1.5", "0", path, "", "")
        )
        [finding] = files.undeclared([file], declared)
        assert (finding.severity, finding.kind) == ("critical", "unprintable name")
        assert finding.thing == f"{tmp_path}/{shown}"
        shell(finding.remedy)
        assert not list(tmp_path.iterdir())

    def test_what_was_found_at_first_explains_no_name_to_hide_behind(
        self, declared: Declared
    ) -> None:
        file = File("/etc/letsencrypt/archive/a/b\n")
        assert [f.kind for f in files.undeclared([file], declared)] == ["unprintable name"]

    def test_what_is_remembered_is_read_again(self) -> None:
        things = frozenset({noted("host", "::1", "a b"), noted("route", "default", "\n")})
        files = frozenset({"/etc/a b", "/c"})
        found = AsFound(files, frozenset({"vim"}), {"/etc/a b": "5e88"}, things)
        assert AsFoundFact().process(["found", *found.text.splitlines()]) == found
        assert AsFoundFact().process(["found"]) == AsFound()
        assert AsFoundFact().process(["found", "file", "", "w\tx\ty\tz", "\t"]) == AsFound()
        assert AsFoundFact().process([]) is None


ROWS = """\
installed
schema\tmysql\tutf8mb4\tx
schema\treports\tutf8mb4\tx
schema\taskpro_staging\tutf8mb4\tx
account\troot\tlocalhost\t0
account\troot\t%\t0
account\taskpro_staging\tlocalhost\t60
account\taskpro_staging\t10.0.0.1\t60
account\t\tlocalhost\t0
account\tanalysts\t\t0
account\tPUBLIC\t\t0
privilege\t'root'@'%'\t*\t*\tSUPER\t\tYES
privilege\t'askpro_staging'@'10.0.0.1'\t*\t*\tUSAGE\t\tNO
privilege\t'analysts'@''\tshop\t*\tSELECT\t\tNO
privilege\t'PUBLIC'@''\tshop\tcalls\tSELECT\tname\tNO
privilege\t'askpro_staging'@'localhost'\tshop\tpeek\tExecute,Grant\tFUNCTION\tNO
role\tanalysts
role\tPUBLIC
given\t'askpro_staging'@'localhost'\tanalysts"""


class TestDatabases:
    def test_each_account_schema_role_and_grant(self) -> None:
        grants = GrantsFact().process(ROWS.splitlines())
        assert grants.reachable
        known = {"askpro_staging"}
        holders = list(databases.foreign_holders(grants, {"root", *known}, MARIADB))
        assert [(f.thing, f.severity) for f in holders] == [
            ("root@%", "critical"),
            ("askpro_staging@10.0.0.1", "high"),
            ("@localhost", "high"),
            ("analysts", "high"),
        ]
        [routine] = databases.routines(grants, known, MARIADB)
        assert routine.thing == "askpro_staging@localhost shop.peek"
        assert "REVOKE EXECUTE,GRANT OPTION ON FUNCTION `shop`.`peek` FROM" in routine.remedy

    def test_databases_and_what_every_account_may(self, declared: Declared, answers: Any) -> None:
        answers[GrantsFact] = GrantsFact().process(ROWS.splitlines())
        found = findings(databases.databases(declared))
        assert [f.thing for f in found if f.kind == "database"] == ["reports"]
        [public] = [finding for finding in found if finding.thing == "PUBLIC"]
        assert public.found == "every account may SELECT on shop.calls (name)"

    def test_an_account_that_is_only_loaded(self) -> None:
        rows = [
            "account\tanna\tlocalhost\t0",
            "privilege\t'ghost'@'%'\t*\t*\tSUPER\t\tNO",
            "privilege\t'gone'@'localhost'\tshop\tpeek\tExecute\t\tNO",  # of a dropped account
        ]
        holders = databases.foreign_holders(GrantsFact().process(rows), {"anna"}, MARIADB)
        assert [(f.thing, f.found, f.remedy) for f in holders] == [
            (
                "ghost@%",
                "in memory alone, no longer in its table: may SUPER on *.*",
                "mariadb --execute='FLUSH PRIVILEGES'",
            )
        ]

    def test_nobody_can_look_into_one_that_is_down(self, declared: Declared, answers: Any) -> None:
        answers[GrantsFact] = GrantsFact().process(["installed"])
        with pytest.raises(PyinfraError, match="does not answer root"):
            list(databases.databases(declared))
        answers[GrantsFact] = GrantsFact().process([])
        assert list(databases.databases(declared)) == []

    def test_names_are_quoted_in_the_remedy(self, declared: Declared, answers: Any) -> None:
        rows = ["installed", "schema\tx`; y\tutf8mb4\tx", "account\to'b\t%\t0"]
        answers[GrantsFact] = GrantsFact().process(rows)
        schema, account = findings(databases.databases(declared))
        assert "DROP DATABASE `x``; y`" in schema.remedy
        assert "DROP USER" in account.remedy
        assert account.found == "may log in, and nothing else"

    def test_what_is_declared(self, declared: Declared, answers: Any) -> None:
        known = recorded(declared, "/etc/stagecraft/database/shop.cnf")
        users = ["askpro_staging", "askpro_production_migrator", "shop", "eve"]
        rows = ["schema\tmysql\tx\tx", *(f"account\t{user}\tlocalhost\t0" for user in users)]
        answers[GrantsFact] = GrantsFact().process(["installed", *rows])
        found = findings(databases.databases(known))
        assert told(found) == [("database account", "eve@localhost")]
        other = Records(databases={"shop"})
        known = replace(declared, records={"other": other}, known={"other": digest(other.text)})
        names = ["askpro_staging", "askpro_production", "shop", "reports"]
        rows = [f"schema\t{name}\tutf8mb4\tx" for name in names]
        answers[GrantsFact] = GrantsFact().process(["installed", *rows])
        assert told(findings(databases.databases(known))) == [("database", "reports")]


FORGED = "/etc/cron.d/backup"


def of_manifests(declared: Declared) -> list[Finding]:
    found = records.records(declared)
    return [finding for finding in found if finding.thing.startswith(f"{MANIFESTS}/")]


class TestRecords:
    """What somebody who is root on the server writes into them."""

    @pytest.fixture(autouse=True)
    def planned(self, monkeypatch: pytest.MonkeyPatch) -> None:
        paths = frozenset({"/etc/nginx/stagecraft/a"})
        monkeypatch.setattr("stagecraft.drift.looking.server.planned", lambda: paths)

    def test_the_plan_counts_and_not_what_earlier_runs_say(self, declared: Declared) -> None:
        forged = replace(declared, records={"staging": of_files(FORGED)})
        there = [File("/etc/nginx/stagecraft/a"), File(FORGED)]
        assert told(files.undeclared(there, forged)) == [("cron job", FORGED)]

    def test_a_neighbour_s_record_is_unconfirmed(self, declared: Declared) -> None:
        forged = replace(declared, records={"production": of_files(FORGED)})
        [finding] = files.undeclared([File(FORGED)], forged)
        assert finding.recorded_by == ("production",)

    def test_a_stranger_s_record_counts_only_as_it_is_known(self, declared: Declared) -> None:
        known = recorded(declared, FORGED)
        assert told(files.undeclared([File(FORGED)], known)) == []
        assert of_manifests(known) == []
        forged = replace(known, records={"other": of_files(FORGED, FORGED)})
        assert told(files.undeclared([File(FORGED)], forged)) == [("cron job", FORGED)]
        [finding] = of_manifests(forged)
        assert (finding.severity, finding.thing) == ("high", "/var/lib/stagecraft/manifests/other")

    def test_a_site_is_nobody_s_but_the_files(self, declared: Declared) -> None:
        mallory = of_files("/a", site="mallory")
        forged = replace(declared, records={"staging": mallory, "qa": mallory})
        assert "mallory" not in forged.site_names

    @pytest.mark.parametrize(
        ("known", "severity", "believed"),
        [("", "low", True), ("right", "", True), ("SHA256:0", "critical", False)],
    )
    def test_what_was_found_at_first(
        self, declared: Declared, known: str, severity: str, believed: bool
    ) -> None:
        found = AsFound(files=frozenset({"/etc/vendor"}))
        known = digest(found.text) if known == "right" else known
        server = replace(declared, as_found=found, known={AS_FOUND: known})
        assert [f.severity for f in records.records(server)] == [severity][: bool(severity)]
        assert (told(files.undeclared([File("/etc/vendor")], server)) == []) == believed

    def test_a_server_that_nobody_bootstrapped_has_none(self, declared: Declared) -> None:
        assert list(records.records(declared)) == []

    def test_one_that_is_gone_is_another_one(self, declared: Declared) -> None:
        gone = replace(declared, known={AS_FOUND: digest("file\t/etc/vendor\n")})
        assert [f.severity for f in records.records(gone)] == ["critical"]


def one(findings: Any) -> Finding:
    [finding] = findings
    assert isinstance(finding, Finding)
    return finding


PHP_FPM = "php-fpm@askpro-staging.service"


Listening = Callable[..., list[Finding]]


class TestPorts:
    @pytest.fixture
    def listening(self, answers: Any) -> Listening:
        def of(sockets: list[Socket], declared: Declared, *programs: Program) -> list[Finding]:
            answers[ListenersFact], answers[ProgramsFact] = sockets, list(programs)
            return findings(network.ports(declared))

        return of

    @pytest.mark.parametrize(
        "socket",
        [
            Socket("tcp", "0.0.0.0:22", "sshd", "ssh.service"),
            Socket("tcp", "[::]:443", "nginx", "nginx.service"),
            Socket("tcp", "127.0.0.1:3306", "mariadbd", "mariadb.service"),
            Socket("udp", "127.0.0.1:323", "chronyd", "chrony.service"),
            Socket("udp", "0.0.0.0:68", "dhclient", "networking.service"),
            Socket("udp", "0.0.0.0:546", "dhclient", "ifup@eth0.service"),
            Socket("tcp", "0.0.0.0:5355", "systemd-resolve", "systemd-resolved.service"),
            Socket("udp", "0.0.0.0:41234", "php", "worker.service"),
        ],
        ids=lambda socket: socket.address,
    )
    def test_explained(self, declared: Declared, listening: Listening, socket: Socket) -> None:
        assert told(listening([socket], declared)) == []

    @pytest.mark.parametrize(
        ("socket", "thing", "severity"),
        [
            (Socket("tcp", "0.0.0.0:3306", "mariadbd", "mariadb.service"), "3306/tcp", "high"),
            (Socket("tcp", "*:2222", "sshd", "ssh.service"), "2222/tcp", "high"),
            (Socket("tcp", "[::1]:9000", "php"), "9000/tcp", "low"),
            (Socket("tcp", "127.0.0.53%lo:99", "x"), "99/tcp", "low"),
            (Socket("udp", "0.0.0.0:51820"), "51820/udp", "high"),
            (Socket("tcp", "*:80", "docker-proxy", "docker.service"), "80/tcp", "critical"),
            # Names that a process has given itself.
            (Socket("tcp", "0.0.0.0:8080", "docker-proxy"), "8080/tcp", "high"),
            (Socket("tcp", "*:5355", "systemd-resolve", PHP_FPM), "5355/tcp", "high"),
        ],
        ids=lambda value: value.address if isinstance(value, Socket) else value,
    )
    def test_unexplained(
        self,
        declared: Declared,
        listening: Listening,
        socket: Socket,
        thing: str,
        severity: str,
    ) -> None:
        finding = one(listening([socket], declared))
        assert (finding.thing, finding.severity) == (thing, severity)

    def test_a_database_server_of_ours_has_no_port(
        self, declared: Declared, listening: Listening
    ) -> None:
        port = Socket("tcp", "127.0.0.1:3306", "mariadbd", "mariadb.service")
        ours = recorded(declared, "/etc/mysql/mariadb.conf.d/90-stagecraft.cnf")
        finding = one(listening([port], ours))
        assert (finding.thing, finding.severity) == ("3306/tcp", "low")
        assert "skip.networking" in finding.remedy

    def test_no_remedy_stops_what_the_sites_need(
        self, declared: Declared, listening: Listening
    ) -> None:
        mariadb = Socket("tcp", "0.0.0.0:3306", "mariadbd", "mariadb.service")
        assert "bind.address" in one(listening([mariadb], declared)).remedy
        exim = Socket("tcp", "0.0.0.0:25", "exim4", "exim4.service")
        remedy = one(listening([exim], declared)).remedy
        assert remedy == "systemctl disable --now exim4.service"

    def test_all_addresses_of_a_port_are_one_finding(
        self, declared: Declared, listening: Listening
    ) -> None:
        both = [Socket("tcp", "0.0.0.0:25", "exim4"), Socket("tcp", "[::]:25", "exim4")]
        assert "0.0.0.0:25, [::]:25" in one(listening(both, declared)).found

    def test_what_root_has_left_behind_is_critical(
        self, declared: Declared, listening: Listening
    ) -> None:
        port = Socket("tcp", "127.0.0.1:9000", "perl", pid=7)
        left = Program("", "", "", "root", "/usr/bin/perl", "perl", pids=(7,))
        assert one(listening([port], declared, left)).severity == "critical"

    def test_many_ports_of_a_unit_are_one_finding(
        self, declared: Declared, listening: Listening
    ) -> None:
        many = [Socket("tcp", f"0.0.0.0:{port}", "php", PHP_FPM) for port in range(32768, 50000)]
        other = Socket("tcp", "0.0.0.0:25", "exim4")
        first, second = listening([*many, other], declared)
        assert (first.thing, second.thing) == (f"{PHP_FPM}/tcp", "25/tcp")
        assert "0.0.0.0:32783 and 17216 more" in first.found

    def test_without_a_firewall_everybody_gets_there(
        self, declared: Declared, listening: Listening
    ) -> None:
        socket = Socket("tcp", "0.0.0.0:25", "exim4")
        finding = one(listening([socket], without_host(declared)))
        assert finding.severity == Severity.CRITICAL

    def test_a_declared_opening(self, declared: Declared, listening: Listening) -> None:
        firewall = Firewall.model_validate({"open": {"mail": {"port": 25}}})
        host = Host(admins={"anna": [KEY]}, firewall=firewall)
        server = declared.settings.model_copy(update={"host": host})
        environment = declared.environment.model_copy(update={"server": server})
        socket = Socket("tcp", "0.0.0.0:25", "exim4")
        assert told(listening([socket], replace(declared, environment=environment))) == []

    def test_a_directory_that_somebody_brought_is_a_whole(self, declared: Declared) -> None:
        tools = [File(f"/usr/local/lib/tools/{name}", top="/usr/local/lib/tools") for name in "ab"]
        for finding in files.undeclared(tools, declared):
            assert finding.whole == "in /usr/local/lib/tools"
            assert finding.whole_remedy.startswith("mv /usr/local/lib/tools ")

    def test_a_directory_with_something_else_is_none(self, declared: Declared) -> None:
        server = recorded(declared, "/usr/local/lib/tools/b")
        tools = [File(f"/usr/local/lib/tools/{name}", top="/usr/local/lib/tools") for name in "ab"]
        assert [f.whole for f in files.undeclared(tools, server)] == [""]

    def test_lines_of_the_fact(self) -> None:
        output = printed(
            *("tcp", "[::]:80", "nginx", "nginx.service", "7"),
            *("udp", "0.0.0.0:51820", "", "", ""),
            *("tcp", "*:*", "x", "", "8"),
        )
        assert ListenersFact().process(output) == [
            Socket("tcp", "[::]:80", "nginx", "nginx.service", 7),
            Socket("udp", "0.0.0.0:51820"),
        ]


Running = Callable[..., list[Finding]]

FILE = "/etc/systemd/system/php-fpm@askpro-staging.service"


def program(kept_by: str, path: str, user: str = "askpro-staging", **details: Any) -> Program:
    found = Program(kept_by, PHP_FPM, FILE, user, path, pids=(7, 8), count=2)
    return replace(found, **details)


class TestProcesses:
    @pytest.fixture
    def running(self, answers: Any) -> Running:
        def of(declared: Declared, *programs: Program) -> list[Finding]:
            answers.update(
                {
                    ListenersFact: [Socket("tcp", "0.0.0.0:25", "exim4", pid=7)],
                    ProgramsFact: list(programs),
                    ProcessesFact: Processes(foreign={"a.service": frozenset({"/opt/a"})}),
                    UnpackagedFilesFact: [File("/etc/systemd/system/mine@.service")],
                }
            )
            return list(processes.processes(declared))

        return of

    @pytest.mark.parametrize(
        "explained",
        [
            program("init", "/usr/lib/systemd/systemd", "root", source="systemd"),
            program("unit", "/usr/bin/php8.4 (deleted)", source="php8.4"),
            program("unit", "/var/www/askpro-staging/releases/7/node_modules/x"),
            program("login", "/usr/bin/bash", "root", origin="anna", source="bash"),
            program("manager", "/usr/lib/systemd/systemd", "anna", source="systemd"),
            program("host", "", ""),
            program("", "/usr/sbin/exim4", "root", pids=(7,)),
            program("", "/usr/bin/perl", "www-data", unit=""),
            program("unit", "/opt/mine", unit="mine@1.service"),
            program("unit", "/opt/a", unit="a.service"),
        ],
        ids=lambda explained: f"{explained.kept_by} {explained.path}",
    )
    def test_explained(self, declared: Declared, running: Running, explained: Program) -> None:
        assert running(declared, explained) == []

    @pytest.mark.parametrize(
        ("left", "severity"),
        [
            (program("", "/usr/bin/perl", "root", source="perl"), "critical"),
            (program("", "/usr/bin/perl", source="perl"), "high"),
            (program("unit", "/memfd:x (deleted)"), "high"),
            (program("unit", "/var/www/askpro-staging/shared/storage/x"), "high"),
            (program("unit", "/var/www/askpro-staging/releases/7/x", "www-data"), "high"),
            (program("unit", "/usr/bin/x", "root", origin="/run/systemd/generator/x.service",
                     source="x"), "critical"),
            (program("login", "/usr/bin/bash", "bob", origin="bob", source="bash"), "high"),
            (program("login", "/home/anna/x", "anna", origin="anna"), "low"),
            (program("login", "/tmp/x", "anna", origin="anna"), "high"),
            (program("container", "", ""), "high"),
        ],
    )  # fmt: skip
    def test_unexplained(
        self, declared: Declared, running: Running, left: Program, severity: str
    ) -> None:
        finding = one(running(declared, left))
        assert finding.severity == severity
        assert finding.remedy in ("kill -KILL 7 8", "kill -KILL 8")

    def test_those_of_a_site_are_its_environment_s(
        self, declared: Declared, running: Running
    ) -> None:
        left = program("", "/usr/bin/perl", source="perl")
        assert one(running(declared, left)).environment == "staging"

    def test_a_user_has_not_more_than_some(self, declared: Declared, running: Running) -> None:
        many = [program("", f"/tmp/{n}") for n in range(99)]
        root = program("", "/tmp/x", "root")
        assert len(running(declared, *many, root)) == processes.MANY + 1


def ruleset(*objects: dict[str, Any]) -> list[str]:
    return [json.dumps({"nftables": list(objects)})]


Undeclared = Callable[[list[Table]], list[tuple[str, str]]]


class TestFirewall:
    @pytest.fixture
    def undeclared(self, declared: Declared, answers: Any) -> Undeclared:
        """Beside those of staging and production."""
        host = Host(admins={"anna": [KEY]}, firewall=Firewall())
        server = declared.settings.model_copy(update={"host": host})
        environment = declared.environment.model_copy(update={"server": server})

        def of(tables: list[Table]) -> list[tuple[str, str]]:
            answers[FiltersFact] = tables
            found = network.firewall_tables(replace(declared, environment=environment))
            return told(findings(found))

        return of

    def test_tables_and_what_is_in_them(self) -> None:
        lines = ruleset(
            {"table": {"family": "ip", "name": "filter"}},
            {"chain": {"family": "ip", "table": "filter", "name": "INPUT", "policy": "drop"}},
            {"rule": {"family": "ip", "table": "filter", "chain": "INPUT", "expr": []}},
            {"table": {"family": "ip6", "name": "filter"}},
            {"chain": {"family": "ip6", "table": "filter", "name": "INPUT", "policy": "accept"}},
        )
        old = ["legacy\tnat\tunknown\t", "legacy6\tfilter\t0\tINPUT FORWARD "]
        assert FiltersFact().process([*lines, *old]) == [
            Table("ip", "filter", 1, ("INPUT",)),
            Table("ip6", "filter"),
            Table("legacy", "nat", 1),
            Table("legacy6", "filter", 0, ("INPUT", "FORWARD")),
        ]

    def test_an_old_table_is_opened_before_it_is_emptied(self) -> None:
        table = Table("legacy6", "filter", 2, ("INPUT",))
        assert network.removed(table) == (
            "ip6tables-legacy --table filter --policy INPUT ACCEPT"
            " && ip6tables-legacy --table filter --flush"
            " && ip6tables-legacy --table filter --delete-chain"
        )

    def test_fail2bans(self, undeclared: Undeclared) -> None:
        jump = {"jump": {"target": "f2b-sshd"}}
        lines = ruleset(
            {"table": {"family": "ip", "name": "filter"}},
            {"rule": {"family": "ip", "table": "filter", "chain": "INPUT", "expr": [jump]}},
            {"rule": {"family": "ip", "table": "filter", "chain": "f2b-sshd", "expr": []}},
            {"table": {"family": "inet", "name": "f2b-table"}},
        )
        assert undeclared(FiltersFact().process(lines)) == []

    def test_only_who_keeps_out_is_fail2bans(self, undeclared: Undeclared) -> None:
        redirect = {"redirect": {"port": 22}}
        of_its_name = {"family": "inet", "table": "f2b-table", "chain": "f2b-chain"}
        lines = ruleset(
            {"table": {"family": "inet", "name": "f2b-table"}},
            {"rule": {**of_its_name, "expr": [{"match": {}}, redirect]}},
        )
        assert len(undeclared(FiltersFact().process(lines))) == 1

    def test_ours_and_idle_ones_are_no_finding(self, undeclared: Undeclared) -> None:
        tables = [
            Table("inet", "stagecraft", 20, ("input",)),
            Table("inet", "stagecraft-askpro-staging", 8),
            Table("ip", "filter"),
        ]
        assert undeclared(tables) == []
        foreign = [
            Table("inet", "stagecraft-gone-staging", 8),  # of a site that nobody declares
            Table("ip", "stagecraft-askpro-staging", 1),
            Table("ip", "nat", 1),
            Table("legacy", "nat", 1),
        ]
        assert undeclared(foreign) == [
            ("firewall table", "inet stagecraft-gone-staging"),
            ("firewall table", "ip stagecraft-askpro-staging"),
            ("firewall table", "ip nat"),
            ("firewall table", "legacy nat"),
        ]


ACCOUNTS = [
    "account\troot:x:0:0:root:/root:/bin/bash",
    "account\tsync:x:4:65534:sync:/bin:/bin/sync",
    "account\twww-data:x:33:33::/var/www:/usr/sbin/nologin",
    "account\tanna:x:1000:1000::/home/anna:/bin/bash",
    "account\told:x:1002:1002::/home/old:/bin/bash",
    "group\tstagecraft:x:996:anna,old",
    "group\tsudo:x:27:",
]


class TestAccounts:
    @pytest.fixture
    def found(self, declared: Declared, answers: Any) -> Callable[..., list[Finding]]:
        def of(*lines: str) -> list[Finding]:
            answers[LoginsFact] = LoginsFact().process([*ACCOUNTS, *lines])
            return findings(accounts.accounts(declared))

        return of

    @pytest.mark.parametrize(
        ("name", "foreign"), [("askpro-staging", []), ("shop-staging", ["shop-staging"])]
    )
    def test_a_site_s_own_is_its_plan_s_affair(
        self, found: Callable[..., list[Finding]], name: str, foreign: list[str]
    ) -> None:
        line = f"account\t{name}:x:999:999::/var/www/{name}:/bin/bash"
        assert [finding.thing for finding in found(line)] == foreign

    @pytest.mark.parametrize(
        ("name", "uid", "home", "foreign"),
        [
            ("ci_staging", 998, "/var/lib/stagecraft/ci", []),
            ("ci_staging", 0, "/var/lib/stagecraft/ci", ["ci_staging"]),
            ("ci_mallory", 998, "/home/mallory", ["ci_mallory"]),
            ("askpro-staging", 0, "/var/www/askpro-staging", ["askpro-staging"]),
        ],
    )
    def test_ci_s_are_their_plan_s_affair_unless_they_are_root(
        self,
        found: Callable[..., list[Finding]],
        name: str,
        uid: int,
        home: str,
        foreign: list[str],
    ) -> None:
        line = f"account\t{name}:x:{uid}:998::{home}:/bin/sh"
        assert [finding.thing for finding in found(line)] == foreign

    def test_who_is_declared_debians_or_about_to_be_removed(
        self, found: Callable[..., list[Finding]]
    ) -> None:
        lines = [f"key\troot\t{KEY} anna", "password\tset\troot"]
        assert found(*lines) == []

    @pytest.mark.parametrize(
        ("lines", "thing", "severity"),
        [
            (["account\tx:x:1003:1003::/home/x:/bin/sh"], "x", "high"),
            (["account\tx:x:0:0::/:/usr/sbin/nologin"], "x", "critical"),
            (["account\tx:x:1003:1003::/home/x:/bin/sh", "group\tdocker:x:9:x",
              "password\tset\tx", f"key\tx\t{KEY}x x"], "x", "critical"),
            (["account\tbackup:x:34:34::/:/bin/sh"], "backup", "high"),
            (["group\tadm:x:4:www-data"], "www-data in adm", "high"),
            (["group\tdisk:x:6:anna"], "anna in disk", "critical"),
            (["group\taskpro-production:x:990:askpro-staging"],
             "askpro-staging in askpro-production", "critical"),
            (["password\tset\twww-data"], "www-data", "high"),
            (["password\tempty\troot"], "root", "critical"),
        ],
    )  # fmt: skip
    def test_one_finding_for_one_change(
        self, found: Callable[..., list[Finding]], lines: list[str], thing: str, severity: str
    ) -> None:
        finding = one(found(*lines))
        assert (finding.thing, finding.severity) == (thing, severity)

    def test_a_key_is_called_by_its_fingerprint(self, found: Callable[..., list[Finding]]) -> None:
        other = KEY.replace("tYWb", "tYWc")
        finding = one(found(f'key\troot\tcommand="x" {other} mallory@laptop'))
        assert finding.thing.startswith("root SHA256:")
        assert "mallory@laptop" in finding.found

    def test_a_file_of_keys_that_is_a_link_to_secrets(
        self, found: Callable[..., list[Finding]]
    ) -> None:
        assert found("key\troot\troot:$y$j9T$abc:20000::") == []


class TestPackages:
    def test_a_directory_that_somebody_brought_is_a_whole(self, declared: Declared) -> None:
        tools = [File(f"/usr/local/lib/tools/{name}", top="/usr/local/lib/tools") for name in "ab"]
        for finding in files.undeclared(tools, declared):
            assert finding.whole == "in /usr/local/lib/tools"
            assert finding.whole_remedy.startswith("mv /usr/local/lib/tools ")

    def test_a_directory_with_something_else_is_none(self, declared: Declared) -> None:
        server = recorded(declared, "/usr/local/lib/tools/b")
        tools = [File(f"/usr/local/lib/tools/{name}", top="/usr/local/lib/tools") for name in "ab"]
        assert [f.whole for f in files.undeclared(tools, server)] == [""]

    def test_lines_of_the_fact(self) -> None:
        lines = [
            "package\tinstall\tinstalled\trequired\tbash",
            "package\thold\tinstalled\toptional\tnginx",
            "package\tdeinstall\tconfig-files\toptional\tgone",
            "package\tinstall\tinstalled\toptional\tlibgd3",
            "automatic\tlibgd3",
        ]
        assert PackagesFact().process(lines) == {
            "bash": Package(manual=True, essential=True),
            "nginx": Package(manual=True, held=True),
            "libgd3": Package(),
        }

    def test_what_somebody_installed(self, declared: Declared, answers: Any) -> None:
        names = ("nginx", "mariadb-server", "vim", "htop")
        answers[PackagesFact] = {name: Package(manual=True) for name in names}
        server = replace(declared, as_found=AsFound(packages=frozenset({"vim"})))
        coverage, *found = packages.packages(server)
        assert told(found) == [("package", "htop")]
        assert coverage == Coverage(declared=3, total=4)

    def test_what_somebody_holds(self, declared: Declared, answers: Any) -> None:
        answers[PackagesFact] = {"nginx": Package(held=True)}
        assert told(findings(packages.packages(declared))) == [("package hold", "nginx")]

    def test_packages_files(self, declared: Declared, answers: Any) -> None:
        lines = [
            "changed\t/usr/bin/wall\t\tbsdutils",
            "missing\t/usr/share/man/man1/wall.1.gz\t\tbsdutils",
            "missing\t/usr/bin/su\t\tutil-linux",
            "changed\t/etc/managed\t\t",
            "changed\t/etc/redis/redis.conf\t\tredis-server",
            "missing\t/etc/sudoers\t\tsudo",
            "changed\t/etc/ssh/moduli\t\topenssh-client",
        ]
        answers[PackageFilesFact] = PackageFilesFact().process(lines)
        found = list(packages.package_files(recorded(declared, "/etc/managed")))
        assert found[0].whole_remedy == found[0].remedy == "apt-get install --reinstall bsdutils"
        assert [f.whole for f in found[1:]] == ["of the package util-linux", "", ""]
        assert [(f.thing, f.found, f.severity) for f in found] == [
            ("/usr/bin/wall", "changed", "critical"),
            ("/usr/bin/su", "missing", "high"),
            ("/etc/redis/redis.conf", "changed", "low"),
            ("/etc/sudoers", "missing", "high"),
        ]


SOURCES = """\
origin\tmirror.test_linux_dists_trixie\tDebian
origin\tmirror.test_linux_dists_sid\tDebian
line\t/etc/apt/sources.list\t# deb https://old.test/ x main
line\t/etc/apt/sources.list\tdeb https://mirror.test/linux trixie main
line\t/etc/apt/sources.list\tdeb-src https://mirror.test/linux sid main
line\t/etc/apt/sources.list.d/a.sources\tTypes: deb
line\t/etc/apt/sources.list.d/a.sources\tURIs: https://bob:hunter2@mirror.test/linux/
line\t/etc/apt/sources.list.d/a.sources\tSuites: trixie
line\t/etc/apt/sources.list.d/a.sources\t sid
line\t/etc/apt/sources.list.d/a.sources\tSigned-By: /etc/apt/keyrings/a.asc
line\t/etc/apt/sources.list.d/a.sources\t
line\t/etc/apt/sources.list.d/a.sources\tTypes: deb
line\t/etc/apt/sources.list.d/a.sources\tEnabled: no
line\t/etc/apt/sources.list.d/a.sources\tURIs: https://off.test/
line\t/etc/apt/sources.list.d/a.sources\tSuites: trixie
line\t/etc/apt/sources.list.d/b.list\tdeb [arch=amd64 trusted=yes] https://b.test/linux trixie x"""


class TestArchives:
    @pytest.fixture
    def archives(self, answers: Any) -> Callable[..., list[Finding]]:
        def of(lines: list[str], declared: Declared, *keys: str) -> list[Finding]:
            answers[AptSourcesFact] = AptSourcesFact().process(lines)
            answers[UnpackagedFilesFact] = [File(path) for path in keys]
            return findings(packages.archives(declared))

        return of

    def test_what_is_not_this_debians_own(
        self, declared: Declared, archives: Callable[..., list[Finding]]
    ) -> None:
        sources = AptSourcesFact().process(SOURCES.splitlines())
        assert [source.suite for source in sources.sources] == ["trixie", "trixie", "sid", "trixie"]
        # The key of an archive is no finding beside it.
        keys = ["/etc/apt/keyrings/a.asc", "/etc/apt/keyrings/b.asc"]
        found = archives(SOURCES.splitlines(), declared, *keys)
        assert [(f.thing, f.severity) for f in found] == [
            ("https://mirror.test/linux/ sid", "high"),
            ("https://b.test/linux trixie", "critical"),
            ("/etc/apt/keyrings/b.asc", "low"),
        ]
        assert "hunter2" not in "".join(map(str, found))

    def test_a_declared_one(
        self, declared: Declared, archives: Callable[..., list[Finding]]
    ) -> None:
        known = recorded(
            declared, "/etc/apt/sources.list.d/a.sources", "/etc/apt/sources.list.d/b.list"
        )
        assert archives(SOURCES.splitlines(), known) == []

    def test_nothing_is_known_before_the_first_update(
        self, declared: Declared, archives: Callable[..., list[Finding]]
    ) -> None:
        line = "line\t/etc/apt/sources.list\tdeb https://m.test/linux trixie x"
        assert archives([line], declared) == []

    def test_how_apt_names_its_lists(self) -> None:
        assert list_name("https://m.test/a_b/", "trixie/updates") == (
            "m.test_a%5fb_dists_trixie_updates"
        )
        assert list_name("https://m.test/repo", "./") == "m.test_repo_."


class TestPhpModules:
    def test_all_that_packages_registered_is_enabled_for_all(self) -> None:
        state = "/var/lib/php/modules/8.4"
        found = PhpModulesFact().process(
            printed(
                "/etc/php/8.4/cli/conf.d",
                "/etc/php/8.4/fpm/conf.d",
                "/etc/php/8.4/fpm/conf.d/20-ffi.ini",
                "/etc/php/8.4/fpm/conf.d/20-xdebug.ini",
                f"{state}/registry/ffi",
                f"{state}/registry/gone",
                f"{state}/cli/disabled_by_maint/gone",
                f"{state}/fpm/disabled_by_maint/gone",
            )
        )
        assert {" ".join(module) for module in found.enabled ^ found.by_packages} == {
            "8.4 cli ffi",
            "8.4 fpm xdebug",
        }
