"""A real Laravel in the place of the placeholder: 8.83 on Debian 12, 10.48 on Debian 13."""

from __future__ import annotations

import io
import tarfile
from base64 import encodebytes
from collections.abc import Iterator

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


def install_release(host: Provisioned, version: str) -> None:
    """As tests/app/README.md says: unpacked, linked, owned, warmed up, and then switched to."""
    release = f"{HOME}/releases/{version}"
    become = f"setpriv --reuid {NAME} --regid {NAME} --clear-groups"
    host.ssh(f"rm -rf {release}; install -d {release}")
    host.ssh(f"base64 -d | tar -xz -C {release}", input=application())
    host.ssh(
        f"ln -s ../../shared/.env {release}/.env && ln -s ../../shared/storage {release}/storage"
        f" && chown -R {NAME}:{NAME} {release} && chmod -R o= {release}"
        f" && setfacl -m u:www-data:x {release} && setfacl -R -m u:www-data:rX {release}/public"
        f" && cd {release} && {become} php artisan package:discover"
    )
    switch_to(host, version)


def switch_to(host: Provisioned, version: str) -> None:
    host.ssh(f"cd {HOME} && ln -sfn releases/{version} current.new && mv -fT current.new current")
    host.ssh(f"systemctl reload php-fpm@{NAME}.service")


def application() -> str:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(REPOSITORY / "tests/app", arcname=".")
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
    install_release(host, "v1")
    worked, output = artisan(
        host,
        "migrate --force",
        DB_USERNAME="askproai_staging_migrator",
        DB_PASSWORD=host.secret("DB_MIGRATOR_PASSWORD"),
    )
    assert worked, output
    yield host
    switch_to(host, "placeholder")
    artisan(
        host, "migrate:reset --force", DB_USERNAME="askproai_staging_migrator",
        DB_PASSWORD=host.secret("DB_MIGRATOR_PASSWORD"),
    )  # fmt: skip


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
        "version": "v1",
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
    settings = host.project.directory / "group_data/staging.yml"
    before = settings.read_text()
    settings.write_text(before.replace("customer_portal: true", "customer_portal: false"))
    assert host.project.plan("staging") == [
        f"App home | Write {HOME}",
        "Manifest | Record what staging consists of",
    ]
    host.project.apply("staging")
    assert host.web.get(f"{SITE}/portal", login=host.qa).status == 404
    settings.write_text(before)
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
    install_release(host, "v2")
    assert host.web.get(f"{SITE}/health").json["version"] == "v2"
    switch_to(host, "v1")
    assert host.web.get(f"{SITE}/health").json["version"] == "v1"


def test_a_run_leaves_the_apps_release_alone(host: Provisioned) -> None:
    assert host.project.apply("staging") == []
    assert host.ssh(f"readlink {HOME}/current") == "releases/v1"
