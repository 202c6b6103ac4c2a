"""What is no longer declared goes, what others or people own stays, and one bad site spoils no
other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from posixpath import dirname

import pytest
import yaml
from provisioned import Provisioned, bound

from stagecraft.services import Logs, PhpFpm, Reach, Redis, Services, unit_file

SHOP = "shop-staging"
CRONTAB = Path("/var/spool/cron/crontabs", SHOP)
SERVICES = Services(SHOP)
GONE = [
    *SERVICES.files,
    dirname(PhpFpm(SHOP).socket),
    Redis(SHOP).acl,
    Redis(SHOP).override,
    Logs(SHOP).configuration,
    Reach(SHOP).rules,
    unit_file(Reach(SHOP).unit),
    "/etc/nginx/sites-enabled/zz-shop-staging.conf",
    "/etc/php/8.4/fpm/shop-staging",
    "/etc/ssl/stagecraft/shop-staging",
    str(CRONTAB),
]
STAYS = [
    "/var/www/shop-staging/shared/.env",
    "/var/www/shop-staging/shared/storage/app/invoice.pdf",
    "/var/www/shop-staging/crontab",
    "/var/lib/redis-shop-staging",
    "/etc/stagecraft/database/shop_staging.cnf",
    "/etc/nginx/conf.d/stagecraft.conf",
    "/etc/nginx/sites-enabled/zz-askpro-staging.conf",
    "/etc/nginx/sites-enabled/zz-askpro-production.conf",
]


BEATS = f"/var/www/{SHOP}/shared/storage/app/beats"
FLEETING = f"""while (1) {{
    $child = fork;
    exit if $child;
    open F, ">>{BEATS}"; print F "."; close F;
    select undef, undef, undef, 0.002
}}"""
"""A process that no list shows: when it is asked for, another one has taken its place."""


def beats(host: Provisioned) -> int:
    return int(host.ssh(f"sleep 0.2; stat --format %s {BEATS}"))


def named(operations: list[str]) -> list[str]:
    """Without what they found."""
    return [operation.split(":")[0] for operation in operations]


def declare(host: Provisioned, change: dict[str, object], *, without: str = "") -> None:
    """The environment's file with the top-level keys of `change`, and without one site."""
    path = host.project.directory / "group_data/staging.yml"
    data = yaml.safe_load(path.read_text()) | change
    data["sites"].pop(without, None)
    path.write_text(yaml.safe_dump(data, sort_keys=False))


@pytest.fixture
def host(trixie: Provisioned) -> Iterator[Provisioned]:
    """As declared before and after."""
    with trixie.project.edited("staging", {}):
        yield trixie
    if trixie.project.apply("staging"):
        assert trixie.project.plan("staging") == []


def there(host: Provisioned, path: str) -> bool:
    return host.succeeds(f"[ -e {path} ] || [ -L {path} ]")


def test_a_removed_site_goes_after_the_plan_named_it_and_its_data_stays(host: Provisioned) -> None:
    host.ssh(f"echo paid >/var/www/{SHOP}/shared/storage/app/invoice.pdf")
    host.ssh(
        "mariadb shop_staging -e 'CREATE TABLE orders (id int); INSERT INTO orders VALUES (7)'"
    )
    host.ssh(f"systemd-run --quiet --unit=worker --uid={SHOP} -p Restart=always sleep infinity")
    host.ssh(f"mkdir -p {CRONTAB.parent}; echo '* * * * * artisan' >{CRONTAB}")
    declare(host, {}, without="shop")
    plan = host.project.plan("staging")
    ended = (
        f"End other processes of {SHOP}: sleep of worker.service, what no list shows, its crontab"
    )
    assert f"Removed sites | {ended}" in plan
    assert f"Removed sites | Stop php-fpm@{SHOP}.service" in plan
    assert f"Removed sites | Stop redis-server@{SHOP}.service" in plan
    assert f"Removed sites | Lock the database accounts of {SHOP}" in plan
    assert f"Removed sites | Lift the limits of {SHOP}" in plan
    for path in GONE[:-2]:
        assert any(f" {path}" in operation for operation in plan), path
    assert not any("askpro-staging" in operation for operation in plan)
    host.ssh(f"systemd-run --quiet --scope --uid={SHOP} perl -e '{FLEETING}' >/dev/null 2>&1")
    assert beats(host) != beats(host)
    assert named(host.project.apply("staging")) == named(plan)
    for path in GONE:
        assert not there(host, path), path
    for path in STAYS:
        assert there(host, path), path
    for unit in SERVICES.units:
        assert not host.succeeds(f"systemctl is-active {unit} || systemctl is-enabled {unit}")
    assert SHOP not in host.ssh("nft list tables")
    assert not host.succeeds(f"pgrep -U {SHOP}")
    assert beats(host) == beats(host)
    for user in ("shop_staging", "shop_staging_migrator"):
        login = f"mariadb --defaults-file=/etc/stagecraft/database/{user}.cnf -e 'DO 0' 2>&1"
        assert "this account is locked" in host.ssh(f"{login} || true")
    assert host.project.plan("staging") == []
    assert host.project.plan("production") == []
    with pytest.raises(OSError):
        host.web.get("https://shop.test/health")
    assert host.web.get("https://staging.askpro.test/health").status == 200


def in_the_first_format(line: str) -> str:
    match json.loads(line):
        case {"tree": tree, "kind": kind, "path": path, **rest}:
            standing = (rest[key] for key in ("user", "group", "mode", "value"))
            return "\t".join([tree, kind, path, *standing])
        case {"package": name}:
            return f"packages\tpackage\t{name}"
        case {"database": name}:
            return f"databases\tdatabase\t{name}"
        case {"state": name, "value": str(value)}:
            return f"declared\tstate\t{name}\t{value}"
    return ""


def test_what_the_first_format_says_is_believed_and_rewritten(host: Provisioned) -> None:
    path = "/var/lib/stagecraft/manifests/staging"
    before = host.ssh(f"cat {path}")
    old = "\n".join(filter(None, map(in_the_first_format, before.splitlines())))
    host.ssh(f"cat >{path} <<'END'\n{old}\nEND")
    record = "Manifest | Record what staging consists of"
    assert host.project.plan("staging") == [record]
    assert host.project.plan("production") == []
    assert host.project.apply("staging") == [record]
    assert host.ssh(f"cat {path}") == before
    host.ssh(f"cat >{path} <<'END'\n{old}\nEND")
    declare(host, {}, without="shop")
    assert f"Removed sites | Stop redis-server@{SHOP}.service" in host.project.plan("staging")


def test_a_site_that_is_declared_again_finds_its_data(host: Provisioned) -> None:
    assert host.web.get("https://shop.test/health").status == 200
    assert host.ssh("mariadb shop_staging -N -e 'SELECT id FROM orders'") == "7"
    assert host.ssh(f"cat /var/www/{SHOP}/shared/storage/app/invoice.pdf") == "paid"
    host.ssh(f"rm /var/www/{SHOP}/shared/storage/app/invoice.pdf")


def test_a_database_is_dropped_where_its_absence_is_declared(host: Provisioned) -> None:
    dropped = "Drop the database shop_staging, and accounts that are for it alone"
    declare(host, {"databases": {"shop_staging": {"present": False}}}, without="shop")
    assert dropped in host.project.plan("staging")
    assert dropped in host.project.apply("staging")
    assert host.ssh("mariadb -N -e \"SHOW DATABASES LIKE 'shop%'\"") == ""
    assert host.ssh("mariadb -N -e \"SELECT User FROM mysql.user WHERE User LIKE 'shop%'\"") == ""
    assert host.ssh("ls /etc/stagecraft/database").split() == [
        "askproai_staging.cnf",
        "askproai_staging_migrator.cnf",
        "askproai_user.cnf",
        "askproai_user_migrator.cnf",
    ]
    assert host.project.plan("staging") == []


def test_a_database_that_others_made_is_never_dropped(host: Provisioned) -> None:
    host.ssh("mariadb -e 'CREATE DATABASE crm'")
    declare(host, {"databases": {"crm": {"present": False}}})
    run = host.project.pyinfra("staging", "-y")
    host.ssh("mariadb -e 'DROP DATABASE crm'")
    assert run.code == 1
    assert "Stagecraft did not make the database crm" in run.output
    assert "Traceback" not in run.output


def test_a_renamed_database_can_be_dropped_and_its_accounts_go_on(host: Provisioned) -> None:
    path = host.project.directory / "group_data/staging.yml"
    data = yaml.safe_load(path.read_text())
    data["sites"]["shop"]["database"] = {"name": "shop_new", "user": "shop_staging"}
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    host.project.apply("staging")
    data["databases"] = {"shop_staging": {"present": False}}
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    host.project.apply("staging")
    assert host.ssh("mariadb -N -e \"SHOW DATABASES LIKE 'shop%'\"") == "shop_new"
    assert host.project.plan("staging") == []
    data["sites"]["shop"]["database"] = {"name": "shop_staging", "user": "shop_staging"}
    data["databases"] = {"shop_new": {"present": False}}
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    host.project.apply("staging")
    assert host.web.get("https://shop.test/health").status == 200


def test_a_renamed_alias_is_served_and_the_old_one_is_not(host: Provisioned) -> None:
    path = host.project.directory / "group_data/staging.yml"
    path.write_text(path.read_text().replace("www.staging.askpro.test", "demo.askpro.test"))
    host.project.apply("staging")
    assert host.web.get("https://demo.askpro.test/health").status == 200
    with pytest.raises(OSError):
        host.web.get("https://www.staging.askpro.test/health")


def test_what_nginx_cannot_take_up_is_put_back(host: Provisioned) -> None:
    """A port that is taken is seen at the reload alone, `nginx -t` accepts it."""
    vhosts = "sha256sum /etc/nginx/sites-available/*"
    before = host.ssh(vhosts)
    path = host.project.directory / "group_data/staging.yml"
    path.write_text(path.read_text().replace("upload_limit: 2M", "upload_limit: 3M"))
    host.ssh(
        "systemd-run --quiet --unit=taken python3 -m http.server 8081 || "
        "systemd-run --quiet --unit=taken php8.4 -S 0.0.0.0:8081"
    )
    host.ssh(bound(8081))
    host.ssh("echo 'server { listen 8081; }' >/etc/nginx/conf.d/foreign.conf")
    run = host.project.pyinfra("staging", "-y")
    host.ssh("rm /etc/nginx/conf.d/foreign.conf; systemctl stop taken")
    assert run.code == 1
    assert "nginx.service does not work with its new files" in run.output
    assert "the old ones are restored" in run.output
    assert "bind() to 0.0.0.0:8081 failed" in run.output
    assert host.ssh(vhosts) == before
    assert host.web.get("https://shop.test/health").status == 200


def test_the_plan_names_whom_the_restart_of_a_shared_service_interrupts(host: Provisioned) -> None:
    machine = {"database": {"memory": "6%"}}
    with host.project.edited("all", {"servers": {host.server.name: machine}}):
        plan = host.project.plan("staging")
    assert "Database server | Run mariadb: restart, which interrupts production and staging" in plan


def test_one_bad_site_leaves_the_others_applied(host: Provisioned) -> None:
    """Another's directory stands where a file of shop's instance is to be."""
    taken = f"/etc/php/8.4/fpm/{SHOP}/php-fpm.conf"
    host.ssh(f"rm {taken} && mkdir {taken}")
    path = host.project.directory / "group_data/staging.yml"
    data = yaml.safe_load(path.read_text())
    for site in data["sites"].values():
        site["upload_limit"] = "4M"
    data["sites"] = dict(sorted(data["sites"].items(), reverse=True))
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    run = host.project.pyinfra("staging", "-y")
    host.ssh(f"rmdir {taken}")
    assert run.code == 1
    assert f"{taken} is a directory, but a file is declared" in run.output
    assert f"failed, see above: PHP-FPM | Write /etc/php/8.4/fpm/{SHOP}" in run.output
    limit = "grep -h upload_max_filesize /etc/php/8.4/fpm/{}/90-stagecraft.ini"
    assert "4M" in host.ssh(limit.format("askpro-staging"))
    assert "2M" in host.ssh(limit.format(SHOP))
    for domain in ("staging.askpro.test", "shop.test"):
        assert host.web.get(f"https://{domain}/health").status == 200
