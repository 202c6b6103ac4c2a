"""An FPM instance for each site: its own, limited, sandboxed, sized by memory."""

from __future__ import annotations

import pytest
from provisioned import Provisioned

UNIT = "php-fpm@askpro-staging.service"

RELOAD = "systemctl reload php-fpm@shop-staging.service && sleep 1"
"""It returns before the new master has read its files: what changes them next must wait."""


def property_of(host: Provisioned, unit: str, name: str) -> str:
    return host.ssh(f"systemctl show --property={name} --value {unit}")


def ini(host: Provisioned, key: str) -> str:
    """The value as the instance's own ini files give it."""
    directory = host.ssh("echo /etc/php/*/fpm/askpro-staging")
    return host.ssh(f"sed -n 's/^{key} = //p' {directory}/90-stagecraft.ini")


def test_it_runs_as_the_sites_user_from_a_unit_of_its_own(host: Provisioned) -> None:
    assert host.ssh(f"systemctl is-active {UNIT}; systemctl is-enabled {UNIT}") == "active\nenabled"
    users = host.ssh("ps -o user:32= -C php-fpm8.2,php-fpm8.4 | sort -u").split()
    assert "askpro-staging" in users
    assert "root" not in users


def test_the_packages_default_instances_do_not_run(host: Provisioned) -> None:
    listening = host.ssh(
        "systemctl list-units --no-legend --plain 'php*-fpm.service' redis-server.service"
    )
    assert "running" not in listening
    assert not host.succeeds("ss -Hltn | grep -q ':6379 '")


def test_every_site_has_a_master_and_so_an_opcache_of_its_own(host: Provisioned) -> None:
    masters = {
        property_of(host, f"php-fpm@{name}.service", "MainPID")
        for name in ("askpro-staging", "shop-staging")
    }
    assert len(masters) == 2 and "0" not in masters


def test_the_socket_admits_the_site_and_nginx_alone(host: Provisioned) -> None:
    socket = "/run/php-fpm-askpro-staging/php-fpm.sock"
    acl = host.ssh(f"getfacl -cp {socket}").split()
    assert acl == [
        "user::rw-", "user:www-data:rw-", "group::---", "mask::rw-", "other::---",
    ]  # fmt: skip
    assert not host.succeeds(f"setpriv --reuid shop-staging --clear-groups test -w {socket}")
    assert host.succeeds(f"setpriv --reuid www-data --clear-groups test -w {socket}")


def test_limits_come_from_memory_and_settings(host: Provisioned) -> None:
    memory_kb = int(host.ssh("awk '/^MemTotal:/ {print $2}' /proc/meminfo"))
    rounded_mb = memory_kb // 1024 // 256 * 256
    share_mb = rounded_mb * 5 // 100
    assert int(property_of(host, UNIT, "MemoryMax")) == share_mb * 2**20
    configuration = host.ssh("cat /etc/php/*/fpm/askpro-staging/php-fpm.conf")
    processes = min(8, (share_mb - 128) // 48)
    assert f"pm.max_children = {processes}\n" in configuration + "\n"
    assert "request_terminate_timeout = 60s" in configuration


def test_upload_and_opcache_settings_reach_the_instance(host: Provisioned) -> None:
    assert ini(host, "post_max_size") == "6M"
    assert ini(host, "upload_max_filesize") == "6M"
    assert ini(host, "opcache.validate_timestamps") == "0"


@pytest.mark.parametrize(
    "module", ["bcmath", "curl", "gd", "intl", "mbstring", "pdo_mysql", "redis", "xml", "zip"]
)
def test_the_extensions_that_laravel_needs_are_loaded(host: Provisioned, module: str) -> None:
    assert module in host.ssh("php -m").lower().split()


def test_a_slow_request_is_logged_with_its_stack(host: Provisioned) -> None:
    """With the declared sandbox: reading a worker's stack needs ptrace."""
    shop = host.site("shop")
    index = f"{shop.home}/current/public/index.php"
    php = host.ssh("ls /etc/php")
    override = f"/etc/php/{php}/fpm/shop-staging/php-fpm.conf"
    host.ssh(f"cp -p {index} /root/index.php; cp -p {override} /root/php-fpm.conf")
    try:
        host.ssh(f"echo '<?php function snail() {{ sleep(3); }} snail();' > {index}")
        host.ssh(
            f"sed -i 's/^request_slowlog_timeout = .*/request_slowlog_timeout = 1s/' {override}"
        )
        host.ssh(RELOAD)
        assert host.web.get("https://shop.test/slow").status == 200
        assert "snail()" in host.ssh("cat /var/log/php-fpm-shop-staging/slow.log")
    finally:
        host.ssh(f"cp -p /root/index.php {index}; cp -p /root/php-fpm.conf {override}")
        host.ssh(RELOAD)


def test_a_reload_with_a_bad_pool_file_leaves_the_site_serving(host: Provisioned) -> None:
    php = host.ssh("ls /etc/php")
    pool = f"/etc/php/{php}/fpm/shop-staging/php-fpm.conf"
    host.ssh(f"cp -p {pool} /root/pool; echo 'pm = nonsense' >> {pool}")
    try:
        assert not host.succeeds("systemctl reload php-fpm@shop-staging.service")
        assert host.web.get("https://shop.test/health").status == 200
    finally:
        host.ssh(f"cp -p /root/pool {pool}; {RELOAD}")
