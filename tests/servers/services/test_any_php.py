"""Any PHP: Debian's WordPress in the shop's place, behind the same wall."""

from __future__ import annotations

from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

import pytest
from judges import issues_of_gixy
from provisioned import Provisioned, quote

SHOP, NAME = "https://shop.test", "shop-staging"
HOME = f"/var/www/{NAME}"
UPLOADS = f"{HOME}/shared/storage/public/wp-content/uploads"
AS_SITE = f"setpriv --reuid {NAME} --regid {NAME} --clear-groups"

CONFIGURATION = """<?php
preg_match_all('/^(DB_\\w+)="?([^"\\n]*)"?$/m', file_get_contents(__DIR__ . '/../.env'), $lines);
$env = array_combine($lines[1], $lines[2]);
define('DB_NAME', $env['DB_DATABASE']);
define('DB_USER', getenv('LOGIN') ?: $env['DB_USERNAME']);
define('DB_PASSWORD', getenv('PASSWORD') ?: $env['DB_PASSWORD']);
define('DB_HOST', 'localhost:' . $env['DB_SOCKET']);
define('DB_CHARSET', 'utf8mb4');
define('WP_HOME', 'https://shop.test');
define('WP_SITEURL', 'https://shop.test');
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true);
$table_prefix = 'wp_';
define('ABSPATH', __DIR__ . '/');
require ABSPATH . 'wp-settings.php';
"""

THEME = """<?php
bloginfo('name');
while (have_posts()) {
    the_post();
    the_title();
}
"""

INSTALL = """
define('WP_INSTALLING', true);
require 'wp-load.php';
require 'wp-admin/includes/upgrade.php';
wp_install('A shop', 'admin', 'admin@shop.test', true, '', 'a long password');
switch_theme('plain');
"""


@pytest.fixture(scope="module")
def wordpress(trixie: Provisioned) -> Iterator[Provisioned]:
    site = {"entry": "php-files", "no_php": ["wp-includes"], "shared": ["wp-content/uploads"]}
    try:
        with trixie.project.edited("staging", {"sites": {"shop": site}}):
            trixie.project.apply("staging")
            release(trixie)
            yield trixie
    finally:
        trixie.switch(trixie.site("shop"), "releases/placeholder")
        trixie.project.apply("staging")
        trixie.ssh(f"rm -rf {HOME}/releases/wordpress {HOME}/shared/storage/public")
        drop = "SELECT CONCAT('DROP TABLE ', table_schema, '.', table_name, ';')"
        tables = f"{drop} FROM information_schema.tables WHERE table_name LIKE 'wp\\_%'"
        trixie.ssh("mariadb -BN | mariadb", input=tables)


def release(host: Provisioned) -> None:
    """The package's files without its links into other packages, as a release of root's."""
    public = f"{HOME}/releases/wordpress/public"
    host.ssh(
        "cd /root && apt-get download -q wordpress && dpkg -x wordpress_*.deb wordpress"
        f" && mkdir -p {public} && cp -r wordpress/usr/share/wordpress/. {public}"
        f" && find {public} -type l -delete && rm -rf wordpress wordpress_*.deb"
        f" && mkdir -p {public}/wp-content/themes/plain"
        f" && ln -s ../../../../shared/storage/public/wp-content/uploads {public}/wp-content/"
        f" && ln -s ../../shared/.env {public}/../.env"
        f" && echo '/* Theme Name: plain */' > {public}/wp-content/themes/plain/style.css",
        timeout=300,
    )
    host.ssh(f"cat > {public}/wp-config.php", input=CONFIGURATION)
    host.ssh(f"cat > {public}/wp-content/themes/plain/index.php", input=THEME)
    host.ssh(f"chown -hR root:root {public}/.. && chmod -R a+rX,go-w {public}/..")
    site = host.site("shop")
    host.ssh(
        f"cd {public} && {AS_SITE} env LOGIN={site.database.migrator}"
        f" PASSWORD={quote(host.secret('DB_MIGRATOR_PASSWORD', 'shop'))}"
        f" php -r {quote(INSTALL)}"
    )
    host.switch(site, "releases/wordpress")


def test_it_serves_what_is_in_its_database(wordpress: Provisioned) -> None:
    assert wordpress.web.get(f"{SHOP}/").text == "A shopHello world!"
    assert wordpress.web.get(f"{SHOP}/?page_id=2").text == "A shopSample Page"
    assert wordpress.web.get(f"{SHOP}/?page_id=999").status == 404


def test_its_php_files_are_called_by_name_and_its_directories_have_an_index(
    wordpress: Provisioned,
) -> None:
    assert 'id="loginform"' in wordpress.web.get(f"{SHOP}/wp-login.php").text
    redirect = wordpress.web.get(f"{SHOP}/wp-admin")
    assert (redirect.status, redirect.headers["Location"]) == (301, f"{SHOP}/wp-admin/")
    unknown = wordpress.web.get(f"{SHOP}/wp-admin/")
    assert unknown.headers["Location"].startswith(f"{SHOP}/wp-login.php")


def test_one_logs_in(wordpress: Provisioned) -> None:
    login = {"log": "admin", "pwd": "a long password", "testcookie": "1"}
    response = wordpress.web.request(
        "POST",
        f"{SHOP}/wp-login.php",
        body=urlencode(login).encode(),
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": "wordpress_test_cookie=WP%20Cookie%20check",
        },
    )
    assert response.status == 302, response.text
    cookies = SimpleCookie("; ".join(response.headers.get_all("Set-Cookie") or []))
    session = "; ".join(f"{key}={morsel.coded_value}" for key, morsel in cookies.items())
    board = wordpress.web.get(f"{SHOP}/wp-admin/", headers={"Cookie": session})
    assert "wp-admin-bar" in board.text


def test_what_it_stores_is_served_and_no_php_of_it_runs(wordpress: Provisioned) -> None:
    below = f"{HOME}/current/public/wp-content/uploads"
    names = ["photo.jpg", "x.php", "x.PHP", "x.php5", "x.phtml", "x.php.jpg", "index.php"]
    for name in names:
        wordpress.ssh(f"{AS_SITE} tee {below}/{name}", input="<?php echo 6*7;\n")
    wordpress.ssh(f"{AS_SITE} ln -s /etc/passwd {below}/passwd.txt")
    wordpress.ssh(f"{AS_SITE} ln -s photo.jpg {below}/linked.jpg")
    assert wordpress.web.get(f"{SHOP}/wp-content/uploads/photo.jpg").body == b"<?php echo 6*7;\n"
    paths = [*names[1:], "x.php/", "x.php/y.jpg", "", "linked.jpg", "passwd.txt", "%78.php"]
    for path in paths:
        response = wordpress.web.get(f"{SHOP}/wp-content/uploads/{path}")
        assert response.status == 404 or ".php" not in path.lower(), path
        for leak in (b"42", b"6*7", b"root:"):
            assert leak not in response.body, path
    wordpress.ssh(f"rm {UPLOADS}/*")


@pytest.mark.parametrize(
    "path",
    [
        "/index.php/x",
        "/wp-login.php/x",
        "/wp-login.php/x.css",
        "/wp-login.php.bak",
        "/wp-LOGIN.PHP",
        "/none.php",
        "/wp-includes/version.php",
        "/wp-includes/x/../version.PHP",
        "/.env",
        "/wp-content/plugins/akismet/.htaccess",
    ],
)
def test_the_wall_is_the_same(wordpress: Provisioned, path: str) -> None:
    response = wordpress.web.get(SHOP + path)
    assert response.status in (400, 403, 404)
    assert b"loginform" not in response.body and b"<?php" not in response.body


def test_where_no_php_runs_the_rest_is_served(wordpress: Provisioned) -> None:
    assert wordpress.web.get(f"{SHOP}/wp-includes/css/buttons.css").status == 200
    secrets = wordpress.web.get(f"{SHOP}/wp-config.php")
    assert secrets.body == b""


def test_health_is_ours(wordpress: Provisioned) -> None:
    health = wordpress.web.get(f"{SHOP}/health")
    assert (health.status, health.json["database"]) == (200, "connected")


def test_the_site_beside_it_is_as_it_was(wordpress: Provisioned) -> None:
    assert wordpress.web.get("https://staging.askpro.test/health").status == 200
    assert wordpress.web.get("https://api.askpro.test/index.php").status == 404


def test_a_release_with_a_link_to_what_it_shares_is_as_declared(wordpress: Provisioned) -> None:
    assert wordpress.project.plan("staging") == []


def test_gixy_finds_nothing_in_its_vhost(wordpress: Provisioned, tmp_path: Path) -> None:
    assert issues_of_gixy(wordpress, tmp_path) == []
