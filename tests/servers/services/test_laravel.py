"""A real Laravel in the place of the placeholder: 8.83 on Debian 12, 10.48 on Debian 13."""

from __future__ import annotations

import io
import re
import tarfile
from base64 import encodebytes
from collections.abc import Iterator, Mapping

import pytest
from project import REPOSITORY
from provisioned import Provisioned, quote

SITE = "https://staging.askpro.test"
NAME = "askpro-staging"
HOME = f"/var/www/{NAME}"


def artisan(host: Provisioned, command: str, **environment: str) -> tuple[bool, str]:
    """Runs artisan in the current release as the site's user; whether it worked, and its output."""
    variables = " ".join(f"{key}={quote(value)}" for key, value in environment.items())
    become = f"setpriv --reuid {NAME} --regid {NAME} --clear-groups"
    output = host.ssh(
        f"cd {HOME}/current && {become} env {variables} php artisan {command} 2>&1 || echo FAILED"
    )
    return not output.endswith("FAILED"), output


def commands(version: str) -> str:
    """The README's, as they stand there for release 1."""
    text = (REPOSITORY / "README.md").read_text()
    (block,) = re.findall(r"To release your app by hand.*?```sh\n(.*?)```", text, re.DOTALL)
    return str(block).replace("releases/1", f"releases/{version}")


def release(host: Provisioned, version: str, **links: str) -> tuple[bool, str]:
    """Follows the README with an archive of tests/app and these links in its public/; whether it
    worked, and what was said."""
    host.ssh("base64 -d > /root/app.tar.gz", input=application(links))
    said = host.ssh("sh -e 2>&1 || echo FAILED", input=commands(version))
    return not said.endswith("FAILED"), said


TYPE = r"""
foreach my $letter (split //, "touch /root/typed\n") {
    ioctl(STDIN, 0x5412, $letter);  # TIOCSTI
}
"""


def types(host: Provisioned, as_site: str) -> bool:
    """Whether a program that root starts like this, in a shell on a terminal, types a command of
    its own there."""
    host.ssh("cat > /run/type.pl", input=TYPE)
    typed = f"site={NAME}; {as_site}; $as_site perl /run/type.pl"
    lines = f"echo {quote(typed)}; sleep 2; echo exit; sleep 1"
    host.ssh(f"({lines}) | script --quiet --command 'sh -i' /dev/null")
    return host.succeeds("rm /root/typed")


def test_what_runs_as_the_site_types_nothing_into_root_s_terminal(host: Provisioned) -> None:
    """Linux before 6.2, and so Debian 12, lets every program; later ones have a setting."""
    (as_site,) = re.findall("^as_site=.*", commands("1"), re.MULTILINE)
    assert not types(host, as_site)
    allowed = host.ssh("cat /proc/sys/dev/tty/legacy_tiocsti || echo 1") == "1"
    assert types(host, as_site.replace("setsid --wait ", "")) == allowed


def switch_to(host: Provisioned, version: str) -> None:
    host.ssh(f"cd {HOME} && ln -sfn releases/{version} current.new && mv -fT current.new current")
    host.ssh(f"systemctl reload php-fpm@{NAME}.service")


def application(links: Mapping[str, str]) -> str:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(REPOSITORY / "tests/app", arcname=".")
        for name, target in links.items():
            link = tarfile.TarInfo(f"./public/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
    return encodebytes(buffer.getvalue()).decode()


@pytest.fixture(scope="module", params=["trixie", "bookworm"])
def host(request: pytest.FixtureRequest) -> Iterator[Provisioned]:
    """The provisioned server with the application released and migrated."""
    host: Provisioned = request.getfixturevalue(request.param)
    host.ssh(
        "DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends"
        " php-laravel-framework",
        timeout=300,
    )
    for name in host.environments:
        host.project.apply(name)  # it has brought extensions of PHP
    worked, said = release(host, "1")
    assert worked, said
    yield host
    migrator = {
        "DB_USERNAME": "askproai_staging_migrator",
        "DB_PASSWORD": host.secret("DB_MIGRATOR_PASSWORD"),
    }
    worked, said = artisan(host, "migrate:reset --force", **migrator)
    switch_to(host, "placeholder")
    host.ssh(f"rm -r {HOME}/releases/[12]")
    assert worked, said


def test_the_site_has_no_other_name_for_a_file_of_a_release(host: Provisioned) -> None:
    """Nor has it one open: a copy has taken the file's place."""
    discover, linked = "$as_site php artisan package:discover\n", f"{HOME}/shared/storage/linked"
    link = f"$as_site ln bootstrap/cache/packages.php {linked}\n"
    host.ssh("sh -e", input=commands("3").replace(discover, discover + link))
    bootstrap = f"{HOME}/releases/3/bootstrap"
    try:
        assert host.ssh(f"ls {bootstrap}/cache/packages.php")
        assert not host.ssh(f"find {bootstrap} -samefile {linked}")
        assert not host.ssh(f"find {bootstrap} ! -user root -o ! -group {NAME} -o -perm /022")
    finally:
        switch_to(host, "1")
        host.ssh(f"rm -r {HOME}/releases/3 {linked}")


def redis(host: Provisioned, command: str, database: int = 0) -> str:
    password = host.secret("REDIS_PASSWORD")
    socket = f"/run/redis-{NAME}/redis-server.sock"
    return host.ssh(
        f"REDISCLI_AUTH={quote(password)} redis-cli -s {socket} --user {NAME}"
        f" -n {database} {command}"
    )


def keys(host: Provisioned) -> set[str]:
    found = [redis(host, "--scan", database).split() for database in (0, 1)]
    return {key for names in found for key in names}


def test_health_is_the_apps_own_now(host: Provisioned) -> None:
    response = host.web.get(f"{SITE}/health")
    assert response.status == 200
    assert response.json == {
        "status": "ok",
        "environment": "staging",
        "database": "connected",
        "cache": "connected",
        "version": "1",
    }


def test_routes_reach_the_app_through_the_vhost(host: Provisioned) -> None:
    ping = host.web.get(f"{SITE}/api/ping")
    assert ping.status == 200
    assert ping.json["scheme"] == "https"
    for path in ("/portal", "/portal/calls", "/admin"):
        assert host.web.get(SITE + path, login=host.qa).status == 200, path
    script = host.web.get(f"{SITE}/livewire/livewire.js", login=host.qa)
    assert script.status == 200


def test_php_runs_as_the_site_and_its_code_is_read_only_to_it(host: Provisioned) -> None:
    answer = host.web.get(f"{SITE}/whoami", login=host.qa).json
    assert answer["uid"] == int(host.ssh(f"id -u {NAME}"))
    assert answer["release_writable"] is False
    assert answer["storage_writable"] is True


def test_a_migration_is_refused_with_the_apps_login(host: Provisioned) -> None:
    worked, output = artisan(host, "migrate:reset --force")
    assert not worked
    assert "denied" in output


def test_the_cache_is_in_redis_under_the_prefix(host: Provisioned) -> None:
    response = host.web.get(f"{SITE}/cache/forty-two", login=host.qa)
    assert response.status == 200 and "forty-two" in response.text
    assert keys(host)
    assert all(key.startswith("askpro_staging_") for key in keys(host))


def test_the_session_is_in_redis_and_its_cookie_the_sites_own(host: Provisioned) -> None:
    first = host.web.get(f"{SITE}/session", login=host.qa)
    cookies = first.headers.get_all("Set-Cookie") or []
    session = next(cookie for cookie in cookies if cookie.startswith("askpro_staging_session="))
    assert "secure" in session.lower() and "httponly" in session.lower()
    cookie = session.split(";")[0]
    second = host.web.get(f"{SITE}/session", login=host.qa, headers={"Cookie": cookie})
    assert second.json["visits"] == first.json["visits"] + 1


def test_a_queued_job_passes_through_redis(host: Provisioned) -> None:
    assert host.web.get(f"{SITE}/queue/parcel", login=host.qa).status in (200, 202)
    assert redis(host, "LLEN askpro_staging_queues:default") == "1"
    assert host.web.get(f"{SITE}/queue-result/parcel", login=host.qa).status == 404
    worked, output = artisan(host, "queue:work --stop-when-empty")
    assert worked, output
    assert host.web.get(f"{SITE}/queue-result/parcel", login=host.qa).json["value"] == "parcel"


def test_clearing_the_cache_loses_no_job_and_no_session(host: Provisioned) -> None:
    host.web.get(f"{SITE}/queue/kept", login=host.qa)
    first = host.web.get(f"{SITE}/session", login=host.qa)
    worked, output = artisan(host, "cache:clear")
    assert worked, output
    assert redis(host, "LLEN askpro_staging_queues:default") == "1"
    cookies = first.headers.get_all("Set-Cookie") or []
    cookie = next(c.split(";")[0] for c in cookies if c.startswith("askpro_staging_session="))
    second = host.web.get(f"{SITE}/session", login=host.qa, headers={"Cookie": cookie})
    assert second.json["visits"] == first.json["visits"] + 1
    artisan(host, "queue:work --stop-when-empty")


def test_the_portal_is_404_while_its_flag_is_off(host: Provisioned) -> None:
    off = {"sites": {"askpro": {"features": {"customer_portal": False}}}}
    with host.project.edited("staging", off):
        assert host.project.plan("staging") == [
            f"App settings | Write {HOME}/shared/.env",
            "Manifest | Record what staging consists of",
        ]
        host.project.apply("staging")
    assert host.web.get(f"{SITE}/portal", login=host.qa).status == 404
    host.project.apply("staging")
    assert host.web.get(f"{SITE}/portal", login=host.qa).status == 200


def upload(host: Provisioned, size: int) -> int:
    """POSTs a file in a multipart body of exactly `size` bytes; the status."""
    head = (
        b'--boundary\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n"
    )
    tail = b"\r\n--boundary--\r\n"
    body = head + b"x" * (size - len(head) - len(tail)) + tail
    headers = {"Content-Type": "multipart/form-data; boundary=boundary"}
    response = host.web.request("POST", f"{SITE}/upload", body=body, headers=headers, login=host.qa)
    if response.status == 200:
        assert response.json["size"] == size - len(head) - len(tail)
    return response.status


def test_an_upload_just_below_the_limit_passes_and_just_above_is_refused(
    host: Provisioned,
) -> None:
    limit = 6 * 2**20
    assert upload(host, limit) == 200
    assert upload(host, limit + 1) == 413


def test_a_switched_release_is_served_at_once(host: Provisioned) -> None:
    assert release(host, "2")[0]
    assert host.web.get(f"{SITE}/health").json["version"] == "2"
    switch_to(host, "1")
    assert host.web.get(f"{SITE}/health").json["version"] == "1"


@pytest.mark.parametrize("target", ["/etc/nginx", "../../../shared", "../storage/app/public"])
def test_a_release_with_a_link_that_leads_out_is_not_switched_to(
    host: Provisioned, target: str
) -> None:
    worked, said = release(host, "3", within="../public/robots.txt", out=target)
    host.ssh(f"rm -r {HOME}/releases/3")
    assert not worked
    assert "these links lead out of the release: ./public/out\n" in said
    assert host.ssh(f"readlink {HOME}/current") == "releases/1"


def test_a_run_leaves_the_apps_release_alone(host: Provisioned) -> None:
    assert host.project.apply("staging") == []
    assert host.ssh(f"readlink {HOME}/current") == "releases/1"
