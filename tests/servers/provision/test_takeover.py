"""What an earlier version installed, the next run brings to today's state: what the site's user
owned of its sockets and releases becomes root's or Redis'."""

from __future__ import annotations

from provisioned import Provisioned
from web import under_load

SITE = "askpro-staging"
HEALTH = "https://staging.askpro.test/health"
AS_SITE = f"setpriv --reuid {SITE} --regid {SITE} --clear-groups"
SOCKETS = (f"/run/php-fpm-{SITE}/php-fpm.sock", f"/run/redis-{SITE}/redis-server.sock")

EARLIER = f"""
systemctl disable --quiet --now php-fpm@{SITE}.socket php-fpm@{SITE}.service
systemctl stop redis-server@{SITE}
cd /etc/systemd/system
rm -r php-fpm@{SITE}.socket /run/php-fpm-{SITE}
sed -i -e '/^Requires=/d' -e '/FPM_SOCKETS/d' \
    -e 's/^UMask=.*/RuntimeDirectory=php-fpm-{SITE}\\nRuntimeDirectoryMode=0711/' \
    php-fpm@{SITE}.service
sed -i 's/^listen = .*/&\\nlisten.mode = 0600\\nlisten.acl_users = www-data/' \
    /etc/php/*/fpm/{SITE}/php-fpm.conf
sed -i -e 's/^User=.*/User={SITE}/' -e 's/^RuntimeDirectoryMode=.*/RuntimeDirectoryMode=0700/' \
    redis-server@{SITE}.service.d/stagecraft.conf
sed -i 's/^unixsocketperm .*/unixsocketperm 700/' /etc/redis/redis-{SITE}.conf
chown -R {SITE}: /var/lib/redis-{SITE}
userdel redis-{SITE}
systemctl daemon-reload
systemctl enable --quiet --now php-fpm@{SITE}.service
systemctl start redis-server@{SITE}
"""


def can_replace(host: Provisioned, path: str) -> bool:
    """Whether the site's user can put something else there."""
    return host.succeeds(f"{AS_SITE} sh -c 'mv {path} {path}.away && mv {path}.away {path}'")


def redis(host: Provisioned, command: str) -> str:
    password = host.secret("REDIS_PASSWORD")
    return host.ssh(f"REDISCLI_AUTH='{password}' redis-cli -s {SOCKETS[1]} --user {SITE} {command}")


def test_an_earlier_version_s_sockets_are_taken_over(host: Provisioned) -> None:
    host.ssh(EARLIER)
    assert all(can_replace(host, socket) for socket in SOCKETS)
    assert redis(host, "RPUSH askpro_staging_queues:takeover job") == "1"
    plan = host.project.plan("staging")
    assert f"PHP-FPM | Run PHP-FPM of {SITE}: restart" in plan
    assert f"PHP-FPM | Listen for PHP-FPM of {SITE}: start" in plan
    with under_load(host.web, HEALTH) as statuses:
        host.project.apply("staging")
    assert not any(can_replace(host, socket) for socket in SOCKETS)
    assert redis(host, "LPOP askpro_staging_queues:takeover") == "job"
    assert host.project.plan("staging") == []
    assert host.web.get(HEALTH).status == 200
    # Only while PHP-FPM and Redis start anew.
    assert statuses.count(200) > 2 * (len(statuses) - statuses.count(200))


HOME = f"/var/www/{SITE}"

EARLIER_RELEASES = f"""
cd {HOME}
cp -a releases/placeholder releases/earlier
chown -hR {SITE}: releases
{AS_SITE} sh -ec '
    cd releases/earlier
    mkdir -p vendor/bin public/build public/default
    ln -s /etc/nginx public/out
    ln -s ../../.. public/build/home
    ln -s ../index.php public/build/within
    setfacl -R -m u:{SITE}:rwx -m d:u:{SITE}:rwx vendor
    touch vendor/bin/phpunit
    chmod -R a+w vendor
    mv ../placeholder/public ../placeholder/away
    ln -s / ../placeholder/public
    ln -s /tmp ../elsewhere
    ln -s {HOME}/releases/earlier ../../shared/storage/back
    ln -s ../shared/storage/back ../back
    mkdir -p ../.hidden/public'
install -d -g {SITE} -m 775 releases/shared releases/shared/public
ln -sfn releases/earlier current
"""

OUT = ("back", "elsewhere", "earlier/public/out", "earlier/public/build/home")


def test_an_earlier_version_s_releases_are_handed_over(host: Provisioned) -> None:
    host.ssh(EARLIER_RELEASES)
    before = host.ssh("stat -c '%n %U:%G %a' / /tmp /etc/nginx /etc/nginx/*")
    (handed_over,) = (name for name in host.project.plan("staging") if " over to root: " in name)
    for link in (*OUT, "placeholder/public"):
        assert f" {link}" in handed_over
    assert "within" not in handed_over
    with under_load(host.web, HEALTH) as statuses:
        host.project.apply("staging")
    assert set(statuses) == {200}
    assert not host.ssh(f"cd /; {AS_SITE} find {HOME}/releases -writable ! -type l")
    assert host.ssh(f"find {HOME}/releases/*/public -type l -printf '%f\n'") == "within"
    assert not any(host.succeeds(f"[ -L {HOME}/releases/{link} ]") for link in OUT)
    assert host.ssh("stat -c '%n %U:%G %a' / /tmp /etc/nginx /etc/nginx/*") == before
    assert host.project.plan("staging") == []


HOLD = f"""
cd {HOME}
cp -a releases/placeholder releases/held
chown -hR {SITE}: releases/held
{AS_SITE} ln releases/held/public/index.php shared/storage/index.php
{AS_SITE} sh -c '
    exec >> releases/held/public/index.php
    touch /tmp/held
    until [ -e /tmp/handed-over ]; do sleep 0.1; done
    echo written
    mv /tmp/held /tmp/written' 2> /dev/null &
until [ -e /tmp/held ]; do sleep 0.1; done
stat -c %Y releases/held/public/index.php
"""

AS_IT_WAS = f"""
touch /tmp/handed-over
until [ -e /tmp/written ]; do sleep 0.1; done
rm /tmp/written /tmp/handed-over
cd {HOME}
tail -n 1 shared/storage/index.php
cmp releases/held/public/index.php releases/placeholder/public/index.php
stat -c %Y releases/held/public/index.php
ls -A
rm -r releases/held shared/storage/index.php
"""


def test_what_the_site_has_open_for_writing_is_no_release_s(host: Provisioned) -> None:
    """Nor what it has another name for."""
    modified = host.ssh(HOLD)
    (handed_over,) = host.project.apply("staging")
    assert " over to root: held" in handed_over
    assert host.ssh(AS_IT_WAS).split() == ["written", modified, "current", "releases", "shared"]


LEASE = f"""
cd {HOME}
cp -a releases/placeholder releases/leased
chown -hR {SITE}: releases/leased
# F_SETLEASE and F_WRLCK, which perl has no names for.
{AS_SITE} perl -e '
    $SIG{{IO}} = "IGNORE";
    open my $file, "<", shift;
    fcntl($file, 1024, 1) or die $!;
    sleep' releases/leased/public/index.php > /dev/null 2>&1 &
until grep -q 'LEASE *ACTIVE *WRITE' /proc/locks; do sleep 0.1; done
"""


def test_a_lease_on_a_file_of_a_release_ends_the_run_with_what_to_do(host: Provisioned) -> None:
    """The kernel would have root wait 45 seconds for each file."""
    host.ssh(LEASE)
    try:
        run = host.project.pyinfra("staging", "-y")
    finally:
        host.ssh(f"pkill -KILL -u {SITE} perl")
    assert run.code == 1
    assert f"pkill -KILL -u {SITE}" in run.output
    assert " over to root: leased" in "".join(host.project.apply("staging"))
    host.ssh(f"rm -r {HOME}/releases/leased")


def test_a_killed_run_s_releases_are_handed_over_by_the_next(host: Provisioned) -> None:
    """It marks what it is at."""
    host.ssh(f"chmod +t {HOME}/releases/earlier")
    assert any(" over to root: earlier" in name for name in host.project.plan("staging"))
    host.project.apply("staging")
    assert host.project.plan("staging") == []
    host.ssh(f"cd {HOME} && ln -sfn releases/placeholder current && rm -r releases/earlier")
    host.ssh(f"cd {HOME}/releases; rm -r placeholder/away .hidden shared ../shared/storage/back")
    host.ssh(f"systemctl reload php-fpm@{SITE}")


def test_no_link_in_the_place_of_releases_is_followed(host: Provisioned) -> None:
    """It leads to what another site's user owns."""
    others = f"find {HOME.replace('askpro', 'shop')}/shared -printf '%p %u:%g %m\\n'"
    before = host.ssh(others)
    host.ssh(f"cd {HOME}; setfacl -m g::rwx .; {AS_SITE} mv releases away")
    try:
        host.ssh(f"{AS_SITE} ln -s /var/www/shop-staging/shared {HOME}/releases")
        run = host.project.pyinfra("staging", "-y")
    finally:
        host.ssh(f"cd {HOME}; rm releases; mv away releases")
    assert run.code == 1
    assert f"{HOME}/releases is not a directory" in run.output
    assert host.ssh(others) == before
    host.project.apply("staging")
    assert host.project.plan("staging") == []


EARLIER_SERVER = r"""
sed -i 's/^skip-networking$/bind-address = 127.0.0.1\nskip-name-resolve/' \
    /etc/mysql/mariadb.conf.d/90-stagecraft.cnf
systemctl restart mariadb
mariadb -e "CREATE ROLE readers; CREATE USER reports@'127.0.0.1'"
"""


def test_an_earlier_version_s_database_port_goes_when_nobody_needs_it(trixie: Provisioned) -> None:
    trixie.ssh(EARLIER_SERVER)
    refused = trixie.project.pyinfra("staging", "--dry")
    trixie.ssh("mariadb -e \"DROP USER reports@'127.0.0.1'\"")
    assert refused.code == 1
    assert "the database account reports@127.0.0.1 can log in by TCP" in refused.output
    assert "readers" not in refused.output
    assert "Database server | Run mariadb: restart, which interrupts production and staging" in (
        trixie.project.apply("staging")
    )
    trixie.ssh("mariadb -e 'DROP ROLE readers'")
    assert trixie.ssh("ss -Hltn 'sport = :3306'") == ""
    assert trixie.web.get(HEALTH).status == 200
    assert trixie.project.plan("staging") == []
