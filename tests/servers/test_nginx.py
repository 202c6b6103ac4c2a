"""What the vhosts answer, asked from outside."""

from __future__ import annotations

import http.client

import pytest
from provisioned import Provisioned
from web import Response

SITE = "https://staging.askpro.test"
SHOP = "https://shop.test"


def reached_app(response: Response) -> bool:
    """The placeholder release answers every path but /health with this."""
    return response.status == 404 and response.text == "Nothing is released here yet.\n"


def test_http_redirects_to_https_with_path_and_query(host: Provisioned) -> None:
    response = host.web.get("http://www.staging.askpro.test/portal/calls?page=2")
    assert response.status == 301
    assert response.headers["Location"] == "https://www.staging.askpro.test/portal/calls?page=2"


def test_acme_challenges_are_served_over_http_without_a_redirect_or_login(
    host: Provisioned,
) -> None:
    directory = "/var/lib/stagecraft/acme/.well-known/acme-challenge"
    host.ssh(f"umask 022; mkdir -p {directory}; echo token > {directory}/test")
    for scheme in ("http", "https"):
        response = host.web.get(f"{scheme}://staging.askpro.test/.well-known/acme-challenge/test")
        assert (response.status, response.text) == (200, "token\n")
    host.ssh(f"rm {directory}/test")


def test_health_talks_to_database_and_cache_and_needs_no_login(host: Provisioned) -> None:
    response = host.web.get(f"{SITE}/health")
    assert response.status == 200
    assert response.json == {
        "status": "ok",
        "environment": "staging",
        "database": "connected",
        "cache": "connected",
        "version": "placeholder",
    }


@pytest.mark.parametrize("path", ["/", "/portal", "/portal/calls", "/admin", "/css/none.css"])
def test_every_route_reaches_the_app_behind_basic_auth(host: Provisioned, path: str) -> None:
    assert host.web.get(SITE + path).status == 401
    assert host.web.get(SITE + path, login=("qa", "wrong")).status == 401
    assert reached_app(host.web.get(SITE + path, login=host.qa))


@pytest.mark.parametrize("path", ["/api", "/api/calls", "/api/retell/webhook?x=1"])
def test_the_api_needs_no_basic_auth(host: Provisioned, path: str) -> None:
    assert reached_app(host.web.get(SITE + path))


@pytest.mark.parametrize(
    "path",
    ["/admin", "/admin/", "/admin/users", "/admin/x.css", "//admin", "/%61dmin"],
)
def test_admin_is_closed_to_addresses_not_on_the_allow_list(host: Provisioned, path: str) -> None:
    assert host.web.get(SHOP + path).status == 403


@pytest.mark.parametrize(
    "path", ["/index.php", "/index.php/admin", "/index.php/admin?x", "/index.php/", "/x.php/admin"]
)
def test_no_path_through_a_php_file_gets_around_the_allow_list(
    host: Provisioned, path: str
) -> None:
    response = host.web.get(SHOP + path)
    assert response.status == 404
    assert not reached_app(response)


@pytest.mark.parametrize(
    "path",
    ["/admin/../x", "/admin/%2e%2e/x", "/portal/%2E./api/x", "/x/./admin", "/portal/..%2fapi/x"],
)
def test_dot_segments_are_refused(host: Provisioned, path: str) -> None:
    """nginx would decide by the path without them, and PHP route the one with them."""
    for site in (SITE, SHOP):
        assert host.web.get(site + path).status == 400


def test_dots_elsewhere_are_no_dot_segments(host: Provisioned) -> None:
    assert reached_app(host.web.get(f"{SHOP}/a..b/c.d?next=/../x"))


def test_admin_is_open_to_addresses_on_the_allow_list(trixie: Provisioned) -> None:
    us = trixie.ssh("echo ${SSH_CLIENT%% *}")
    shop = trixie.project.directory / "group_data/staging.yml"
    closed = shop.read_text()
    shop.write_text(closed.replace("198.51.100.0/24", us))
    try:
        assert trixie.project.apply("staging") == [
            "nginx | Write the vhost of shop-staging",
            "nginx | Run nginx: reload",
            "Manifest | Record what staging consists of",
        ]
        assert reached_app(trixie.web.get(f"{SHOP}/admin"))
        from_itself = "curl -sk -o /dev/null -w '%{http_code}' --resolve shop.test:443:127.0.0.1"
        trixie.ssh("apt-get install -q -y --no-install-recommends curl")
        assert trixie.ssh(f"{from_itself} https://shop.test/admin") == "403"
    finally:
        shop.write_text(closed)
        trixie.project.apply("staging")
    assert trixie.web.get(f"{SHOP}/admin").status == 403


@pytest.mark.parametrize("path", ["/.env", "/.git/config", "/x/.htaccess", "/.well-known.bak"])
def test_hidden_files_are_denied(host: Provisioned, path: str) -> None:
    public = f"{host.site('shop').home}/current/public"
    file = public + path
    host.ssh(f"mkdir -p $(dirname {file}); echo leak > {file}; chmod 644 {file}")
    response = host.web.get(SHOP + path)
    host.ssh(f"rm {file}")
    assert response.status == 404
    assert b"leak" not in response.body


def test_php_files_are_neither_run_nor_shown(host: Provisioned) -> None:
    public = f"{host.site('shop').home}/current/public"
    host.ssh(f"echo '<?php echo 6*7;' > {public}/probe.php; chmod 644 {public}/probe.php")
    for path in ("/probe.php", "/probe.PHP", "/probe.php/x", "/probe.php?x"):
        response = host.web.get(SHOP + path)
        assert response.status == 404, path
        assert b"42" not in response.body and b"6*7" not in response.body
    host.ssh(f"rm {public}/probe.php")


def test_static_files_are_cached_and_keep_the_security_headers(host: Provisioned) -> None:
    shop = host.site("shop")
    file = f"{shop.home}/current/public/app.css"
    host.ssh(f"echo 'body {{}}' > {file}; chown {shop.name}: {file}")
    response = host.web.get(f"{SHOP}/app.css")
    assert response.status == 200
    assert response.headers["Cache-Control"] == "max-age=3600"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    host.ssh(f"rm {file}")


def test_a_missing_static_file_reaches_the_app(host: Provisioned) -> None:
    assert reached_app(host.web.get(f"{SHOP}/livewire/livewire.js"))


def test_a_symlink_out_of_the_site_is_not_followed(host: Provisioned) -> None:
    """nginx may read the target, and follows a link between files of one owner."""
    shop, askpro = host.site("shop"), host.site("askpro")
    public = f"{shop.home}/current/public"
    own, foreign = f"{public}/own.txt", f"{askpro.home}/current/public/foreign.txt"
    for path, owner in ((own, shop.name), (foreign, askpro.name)):
        host.ssh(f"echo content > {path}; chown {owner}: {path}")
        link = f"{public}/to-{path.rsplit('/', 1)[1]}"
        host.ssh(f"ln -s {path} {link}; chown -h {shop.name}: {link}")
    assert host.web.get(f"{SHOP}/to-own.txt").text == "content\n"
    assert reached_app(host.web.get(f"{SHOP}/to-foreign.txt"))
    assert host.web.get(f"{SITE}/foreign.txt", login=host.qa).text == "content\n"
    host.ssh(f"rm {own} {foreign} {public}/to-*.txt")


def test_security_headers(host: Provisioned) -> None:
    for url in (f"{SITE}/health", f"{SITE}/", f"{SHOP}/"):
        headers = host.web.get(url).headers
        assert headers["Strict-Transport-Security"] == "max-age=63072000"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "SAMEORIGIN"
        assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
        assert "camera=()" in headers["Permissions-Policy"]
        assert headers["Server"] == "nginx"
        assert "X-Powered-By" not in headers
        assert "X-XSS-Protection" not in headers


def test_staging_is_marked(host: Provisioned) -> None:
    headers = host.web.get(f"{SITE}/health").headers
    assert headers["X-Staging-Environment"] == "true"
    assert "noindex" in headers["X-Robots-Tag"]


def test_production_is_not_marked(trixie: Provisioned) -> None:
    headers = trixie.web.get("https://api.askpro.test/health").headers
    assert "X-Staging-Environment" not in headers
    assert "X-Robots-Tag" not in headers


def test_staging_and_production_answer_side_by_side(trixie: Provisioned) -> None:
    production = trixie.web.get("https://api.askpro.test/health").json
    staging = trixie.web.get(f"{SITE}/health").json
    assert (production["environment"], staging["environment"]) == ("production", "staging")


def test_a_body_above_the_upload_limit_is_refused(host: Provisioned) -> None:
    assert reached_app(host.web.request("POST", f"{SHOP}/upload", body=b"x" * 2**21))
    assert host.web.request("POST", f"{SHOP}/upload", body=b"x" * (2**21 + 1)).status == 413


def test_login_attempts_are_limited(host: Provisioned) -> None:
    statuses = [host.web.request("POST", f"{SHOP}/login", body=b"").status for _ in range(8)]
    assert statuses[0] == 404
    assert statuses[-1] == 429
    assert host.web.get(f"{SHOP}/login").status == 404


@pytest.mark.parametrize("name", ["unknown.test", "192.0.2.1", "staging.askpro.test.evil.test"])
def test_unknown_names_get_no_answer(host: Provisioned, name: str) -> None:
    with pytest.raises(http.client.RemoteDisconnected):
        host.web.get("http://shop.test/", headers={"Host": name})
    with pytest.raises((OSError, http.client.RemoteDisconnected)):
        host.web.handshake(name)


def test_each_site_has_logs_of_its_own_and_they_rotate(host: Provisioned) -> None:
    host.web.get(f"{SHOP}/logged-here")
    assert "/logged-here" in host.ssh("cat /var/log/nginx/shop-staging.access.log")
    assert "/logged-here" not in host.ssh("cat /var/log/nginx/askpro-staging.access.log")
    host.ssh("logrotate --force /etc/logrotate.conf")
    host.web.get(f"{SHOP}/after-rotation")
    assert "/after-rotation" in host.ssh("cat /var/log/nginx/shop-staging.access.log")
    assert host.succeeds("test -e /var/log/nginx/shop-staging.access.log.1")
