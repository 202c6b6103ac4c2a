"""What the vhosts answer, asked from outside."""

from __future__ import annotations

import http.client

import pytest
from provisioned import Provisioned, quote
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
        assert host.web.get(site + path, login=host.qa).status == 400
    assert host.web.get(SITE + path).status in (400, 401)


def test_a_file_is_found_and_guarded_by_its_path_without_dot_segments(host: Provisioned) -> None:
    directories = [f"{host.site(key).home}/current/public" for key in ("askpro", "shop")]
    for public in directories:
        host.ssh(f"cd {public} && mkdir admin && echo content | tee app.css admin/app.css")
    assert host.web.get(f"{SHOP}/admin/../app.css").text == "content\n"
    for path in ("/x/../admin/app.css", "/css/..%2fadmin/app.css", "/./admin/app.css"):
        assert host.web.get(SHOP + path).status == 403, path
    for path in ("/api/../app.css", "/health/%2e%2e/app.css"):
        assert host.web.get(SITE + path).status == 401, path
        assert host.web.get(SITE + path, login=host.qa).text == "content\n"
    for public in directories:
        host.ssh(f"cd {public} && rm -r app.css admin")


def test_dots_elsewhere_are_no_dot_segments(host: Provisioned) -> None:
    assert reached_app(host.web.get(f"{SHOP}/a..b/c.d?next=/../x"))


def test_admin_is_open_to_addresses_on_the_allow_list(trixie: Provisioned) -> None:
    us = trixie.ssh("echo ${SSH_CLIENT%% *}")
    shop = {"protect": {"admin_allow": [us]}}
    try:
        with trixie.project.edited("staging", {"sites": {"shop": shop}}):
            assert trixie.project.apply("staging") == [
                "nginx | Write the vhost of shop-staging",
                "nginx | Run nginx: reload",
                "Manifest | Record what staging consists of",
            ]
            assert reached_app(trixie.web.get(f"{SHOP}/admin"))
            from_itself = (
                "curl -sk -o /dev/null -w '%{http_code}' --resolve shop.test:443:127.0.0.1"
            )
            trixie.ssh("apt-get install -q -y --no-install-recommends curl")
            assert trixie.ssh(f"{from_itself} https://shop.test/admin") == "403"
    finally:
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
    host.ssh(f"echo 'body {{}}' > {file}")
    response = host.web.get(f"{SHOP}/app.css")
    assert response.status == 200
    assert response.headers["Cache-Control"] == "max-age=3600"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    host.ssh(f"rm {file}")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_missing_static_file_reaches_the_app(host: Provisioned, method: str) -> None:
    body = b"x" * 20000 if method in ("POST", "PUT") else None
    for path in ("/livewire/livewire.js?id=1", "/files/none.4ed993c7.png", "/x.pdf"):
        assert reached_app(host.web.request(method, SHOP + path, body=body)), path


def test_what_the_app_is_told_of_a_request_for_a_missing_file(host: Provisioned) -> None:
    show = "<?php echo json_encode([$_SERVER, $_POST]);"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    with host.released(host.site("shop"), index=show):
        answer = host.web.request("POST", f"{SHOP}/a/b.js?c=d", body=b"e=f", headers=form)
    server, post = answer.json
    names = ("REQUEST_METHOD", "REQUEST_URI", "QUERY_STRING", "SCRIPT_NAME")
    assert [server[name] for name in names] == ["POST", "/a/b.js?c=d", "c=d", "/index.php"]
    assert post == {"e": "f"}
    assert "Expires" not in answer.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_file_is_read_and_nothing_else(host: Provisioned, method: str) -> None:
    public = f"{host.site('shop').home}/current/public"
    host.ssh(f"touch {public}/app.css {public}/a.b.css")
    for path in ("/app.css", "/a.b.css"):
        assert host.web.request(method, SHOP + path).status == 405
    host.ssh(f"rm {public}/app.css {public}/a.b.css")


def test_what_the_app_stores_for_everybody_is_served_and_no_link_to_it(host: Provisioned) -> None:
    """nginx may read all of them."""
    shop = host.site("shop")
    become = f"setpriv --reuid {shop.name} --regid {shop.name} --clear-groups"
    stored = f"cd {shop.home}/shared/storage/app/public && umask 027"
    made = "mkdir a && echo content > 'a/b c.png' && ln -s 'b c.png' a/link.png && ln -s a d"
    host.ssh(f"{become} sh -ec {quote(f'{stored} && {made}')}")
    found = host.web.get(f"{SHOP}/storage/a/b%20c.png")
    assert (found.text, found.headers["Content-Type"]) == ("content\n", "image/png")
    assert found.headers["X-Content-Type-Options"] == "nosniff"
    for path in ("a/link.png", "d/b%20c.png", "none.png", "a", ""):
        assert reached_app(host.web.get(f"{SHOP}/storage/{path}")), path
    host.ssh(f"{stored} && rm -r a d")


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
    log = "/var/log/nginx/shop-staging.access.log"
    host.web.get(f"{SHOP}/logged-here")
    host.ssh(written(log, "/logged-here"))
    assert "/logged-here" not in host.ssh("cat /var/log/nginx/askpro-staging.access.log")
    host.ssh("logrotate --force /etc/logrotate.conf")
    host.web.get(f"{SHOP}/after-rotation")
    host.ssh(written(log, "/after-rotation"))
    assert host.succeeds("test -e /var/log/nginx/shop-staging.access.log.1")


def written(log: str, text: str) -> str:
    """A command that waits until the text is in the log, where nginx writes once a second."""
    return f"timeout 5 sh -c 'until grep -qF {text} {log}; do sleep 0.1; done'"
