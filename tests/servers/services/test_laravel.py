"""A real Laravel in the place of the placeholder: 8.83 on Debian 12, 10.48 on Debian 13."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gateway import ANNA, APPOINTMENTS, BERT, STAFF, Gateway, cookie
from provisioned import Provisioned, quote
from releasing import HOME, NAME, SITE, Releasing, releasing


def artisan(host: Provisioned, command: str, **environment: str) -> tuple[bool, str]:
    """Runs artisan in the current release as the site's user; whether it worked, and its output."""
    variables = " ".join(f"{key}={quote(value)}" for key, value in environment.items())
    become = f"setpriv --reuid {NAME} --regid {NAME} --clear-groups"
    output = host.ssh(
        f"cd {HOME}/current && {become} env {variables} php artisan {command} 2>&1 || echo FAILED"
    )
    return not output.endswith("FAILED"), output


@pytest.fixture(scope="module", params=["trixie", "bookworm"])
def host(request: pytest.FixtureRequest) -> Provisioned:
    host: Provisioned = request.getfixturevalue(request.param)
    return host


@pytest.fixture(scope="module", autouse=True)
def site(host: Provisioned, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Releasing]:
    """The application is released, without workers: the tests look into the queue."""
    without = {"workers": {}, "scheduler": False}
    with releasing(host, tmp_path_factory.mktemp("laravel"), without) as site:
        site.release()
        yield site


@pytest.fixture(scope="module")
def gateway(site: Releasing) -> Gateway:
    return Gateway(site.host)


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


def test_health_is_the_apps_own_now(site: Releasing, host: Provisioned) -> None:
    response = host.web.get(f"{SITE}/health")
    assert response.status == 200
    assert response.json == {
        "status": "ok",
        "environment": "staging",
        "database": "connected",
        "cache": "connected",
        "version": site.releases[-1],
        "commit": site.journal[-1]["commit"],
    }


def test_routes_reach_the_app_through_the_vhost(host: Provisioned) -> None:
    ping = host.web.get(f"{SITE}/api/ping")
    assert ping.status == 200
    assert ping.json["scheme"] == "https"
    assert host.web.get(f"{SITE}/", login=host.qa).status == 200
    script = host.web.get(f"{SITE}/livewire/livewire.js", login=host.qa)
    assert script.status == 200


def test_php_runs_as_the_site_and_its_code_is_read_only_to_it(host: Provisioned) -> None:
    answer = host.web.get(f"{SITE}/whoami", login=host.qa).json
    assert answer["uid"] == int(host.ssh(f"id -u {NAME}"))
    assert answer["release_writable"] is False
    assert answer["storage_writable"] is True


def test_a_migration_is_refused_with_the_apps_login(host: Provisioned) -> None:
    worked, output = artisan(host, "migrate:reset --force", COLUMNS="300")
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
    second = host.web.get(f"{SITE}/session", login=host.qa, headers=cookie(first))
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
    second = host.web.get(f"{SITE}/session", login=host.qa, headers=cookie(first))
    assert second.json["visits"] == first.json["visits"] + 1
    artisan(host, "queue:work --stop-when-empty")


@pytest.mark.parametrize("user", [ANNA, BERT])
def test_a_company_sees_its_own_appointments_alone(gateway: Gateway, user: str) -> None:
    (other,) = APPOINTMENTS.keys() - {user}
    own = gateway.api("/appointments", user).json
    assert [appointment["customer"] for appointment in own] == [APPOINTMENTS[user]]
    theirs = gateway.api("/appointments", other).json[0]["id"]
    assert gateway.api(f"/appointments/{own[0]['id']}", user).status == 200
    assert gateway.api(f"/appointments/{theirs}", user).status == 404
    page = gateway.get("/portal", user)
    assert page.status == 200
    assert APPOINTMENTS[user] in page.text and APPOINTMENTS[other] not in page.text


def test_the_api_answers_strangers_nothing(gateway: Gateway) -> None:
    for stranger in (None, "nobody@salon.test", STAFF):
        answer = gateway.api("/appointments", stranger)
        assert (answer.status, answer.json) == (401, {"message": "Unauthenticated."})


def test_the_administration_is_open_to_the_staff_alone(gateway: Gateway) -> None:
    guest = gateway.get("/admin")
    assert (guest.status, guest.headers["Location"]) == (302, f"{SITE}/admin/login")
    assert gateway.get("/admin", ANNA).status == 403
    assert gateway.get("/admin", STAFF).status == 200


def test_the_portal_is_open_to_companies_alone(gateway: Gateway) -> None:
    for path in ("/portal", "/portal/calls"):
        guest = gateway.get(path)
        assert (guest.status, guest.headers["Location"]) == (302, f"{SITE}/admin/login")
        assert gateway.get(path, STAFF).status == 403
        assert gateway.get(path, BERT).status == 200


def test_the_portal_is_404_while_its_flag_is_off(host: Provisioned, gateway: Gateway) -> None:
    off = {"sites": {"askpro": {"features": {"customer_portal": False}}}}
    with host.project.edited("staging", off):
        assert host.project.plan("staging") == [
            f"App settings | Write {HOME}/shared/.env",
            f"Releases | Build the configuration of {NAME} from .env",
            "Manifest | Record what staging consists of",
        ]
        host.project.apply("staging")
    for path in ("/portal", "/portal/calls"):
        assert gateway.get(path).status == 404, "a guest is not told that there is something"
        assert gateway.get(path, ANNA).status == 404
    assert gateway.get("/admin", STAFF).status == 200
    assert gateway.api("/appointments", ANNA).status == 200
    host.project.apply("staging")
    assert gateway.get("/portal", ANNA).status == 200


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


def test_a_run_leaves_the_apps_release_alone(site: Releasing, host: Provisioned) -> None:
    assert host.project.apply("staging") == []
    assert host.ssh(f"readlink {HOME}/current") == f"releases/{site.releases[-1]}"
