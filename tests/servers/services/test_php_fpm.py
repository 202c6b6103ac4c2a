"""An FPM instance for each site: its own, limited, sandboxed, sized by memory."""

from __future__ import annotations

from posixpath import dirname

import pytest
from provisioned import Provisioned
from web import under_load

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


def test_an_extension_of_one_site_is_loaded_by_all_that_read_it(host: Provisioned) -> None:
    """Debian enables it for every instance of the version."""
    with host.project.edited("staging", {"sites": {"shop": {"php_extensions": ["gmp"]}}}):
        planned = host.project.plan("staging")
        assert host.project.apply("staging") == planned
        assert host.project.plan("staging") == []
    assert planned[0] == "Packages | Install Debian packages"
    sites = ("askpro-staging", "shop-staging")
    assert {f"PHP-FPM | Run PHP-FPM of {site}: reload" for site in sites} <= {*planned}
    with host.released(host.site("shop"), index="<?php echo gmp_strval(gmp_add(1, 1));"):
        assert host.web.get("https://shop.test/").body == b"2"
    for name in host.environments:
        host.project.apply(name)
        assert host.project.plan(name) == []


def test_php_takes_no_port_of_a_neighbour_that_restarts(host: Provisioned) -> None:
    """Declared: the kernel of these containers does not enforce it."""
    assert property_of(host, UNIT, "SocketBindDeny") == "1-65535"


def test_the_socket_is_root_s_and_admits_nginx_alone(host: Provisioned) -> None:
    socket = "/run/php-fpm-askpro-staging/php-fpm.sock"
    assert host.ssh(f"stat -c '%U:%G %a' {socket} {dirname(socket)}").splitlines() == [
        "root:www-data 660",
        "root:root 755",
    ]
    for user in ("askpro-staging", "shop-staging", "www-data"):
        become = f"setpriv --reuid {user} --regid {user} --clear-groups"
        assert host.succeeds(f"{become} test -w {socket}") == (user == "www-data")


def test_no_request_fails_while_php_fpm_reloads_and_restarts(host: Provisioned) -> None:
    """The socket stays, and requests wait in it."""
    with under_load(host.web, "https://staging.askpro.test/health") as statuses:
        for verb in ("reload", "restart", "reload", "restart"):
            host.ssh(f"systemctl {verb} {UNIT}; sleep 1")
    assert len(statuses) > 20
    assert set(statuses) == {200}


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


def test_a_user_ini_among_the_files_runs_nothing(host: Provisioned) -> None:
    """Whoever can put one into `public/` would have code run before every request."""
    home = host.site("shop").home
    planted, settings = f"{home}/shared/storage/planted.php", f"{home}/current/public/.user.ini"
    become = "setpriv --reuid shop-staging --regid shop-staging --clear-groups"
    host.ssh(f"{become} tee {planted}", input="<?php header('X-Planted: yes');")
    host.ssh(f"install --owner shop-staging /dev/stdin {settings}", input=prepend(planted))
    try:
        host.ssh(RELOAD)
        assert "x-planted" not in host.web.get("https://shop.test/health").headers
    finally:
        host.ssh(f"rm {planted} {settings}; {RELOAD}")


def prepend(path: str) -> str:
    return f"auto_prepend_file = {path}\n"


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
        # As its rotation does: PHP-FPM opens it for every entry.
        host.ssh(
            "mv /var/log/php-fpm-shop-staging/slow.log /var/log/php-fpm-shop-staging/slow.log.1"
        )
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


LEFT_BEHIND = """<?php
exec("(trap '' QUIT; exec sleep 300) > /dev/null 2>&1 &");
echo 'started';
"""


def test_a_restart_does_not_wait_for_what_php_has_started(host: Provisioned) -> None:
    with host.released(host.site("shop"), index=LEFT_BEHIND):
        assert host.web.get("https://shop.test/").body == b"started"
        host.ssh("timeout 30 systemctl restart php-fpm@shop-staging")
    assert not host.succeeds("pgrep -u shop-staging sleep")
    assert host.web.get("https://shop.test/health").status == 200
