"""The matrix of isolation: what staging tries against production beside it, and what stops it.

The README shows it. Each attempt is made in one of the `WAYS` that somebody has who broke into
staging, and where it works for production itself, or for root, it is made as that one, too: so it
is known to be a real one.
"""

from __future__ import annotations

import json
import subprocess
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

from provisioned import Provisioned, quote
from web import under_load

from stagecraft.facts.processes import ProcessesFact

STAGING, PRODUCTION, ROOT = "askpro-staging", "askpro-production", "root"
HOME = f"/var/www/{PRODUCTION}"
SOCKET = f"/run/redis-{PRODUCTION}/redis-server.sock"
URLS = {STAGING: "https://staging.askpro.test", PRODUCTION: "https://api.askpro.test"}
LOCKS = ("lock", "taking", "revert.lock")
WHAT_ALL_SHARE = (
    "flock --nonblock /var/cache/debconf/config.dat true",
    "flock --nonblock /run/adduser true",
    "touch /run/lock/planted && rm /run/lock/planted",
    'php -r \'exit((int) !@fopen("/dev/ptmx", "r+"));\'',
    f"find /var/cache /var/lib /var/log -type f -readable ! -path '*{STAGING}/*' | grep .",
)
LOGINS = {STAGING: "askproai_staging", PRODUCTION: "askproai_user"}
PROCESSES = f"*/php-fpm@{PRODUCTION}.service/cgroup.procs"
PID = f"$(cd / && find /sys/fs/cgroup -path {PROCESSES} -exec cat {{}} + 2>/dev/null | head -n 1)"
"""As anybody may ask who reaches no systemd: PHP's sandbox hides that."""

BREAK_IN = """\
if (isset($_SERVER['HTTP_X_RUN'])) {
    echo json_encode(eval(base64_decode($_SERVER['HTTP_X_RUN'])));
    exit;
}
"""
"""Lets a site's PHP run whatever it is sent, and otherwise be what it was."""


@dataclass(frozen=True)
class Attempt:
    """`text` is what the way makes of it: a command, PHP, SQL, or the name of a function here.
    `works_for` is who succeeds: production's own, root alone, or nobody."""

    way: str
    text: str
    works_for: str = PRODUCTION

    def succeeds(self, host: Provisioned, who: str = STAGING) -> bool:
        return WAYS[self.way](host, who, self.text)


@dataclass(frozen=True)
class Row:
    what_stops_it: str
    attempts: tuple[Attempt, ...]


def shell(*commands: str, works_for: str = PRODUCTION) -> Iterator[Attempt]:
    """As the Unix user and again by PHP, in its sandbox."""
    for command in commands:
        yield Attempt("Unix user", command, works_for)
        yield Attempt("PHP", exit_code(command), works_for)


def sql(*statements: str, works_for: str = PRODUCTION) -> Iterator[Attempt]:
    for statement in statements:
        yield Attempt("database login", statement, works_for)
        yield Attempt("migrator login", statement, works_for)


def redis(*commands: str) -> Iterator[Attempt]:
    return (Attempt("Redis login", command) for command in commands)


OWN = 'explode(":", stream_socket_get_name(stream_socket_client("udp://192.0.2.1:9"), false))[0]'
"""PHP for the address by which the machine is known to others."""


def connections(*destinations: str) -> Iterator[Attempt]:
    """A connection to each of what PHP's `fsockopen` takes, which works for root."""
    return shell(
        *(f"php -r 'exit((int) !@fsockopen({to}, timeout: 3));'" for to in destinations),
        works_for=ROOT,
    )


def datagrams(*destinations: str) -> Iterator[Attempt]:
    client = 'stream_socket_client("udp://{}")'
    return shell(
        *(f"php -r 'exit((int) !@fwrite({client.format(to)}, \"x\"));'" for to in destinations),
        works_for=ROOT,
    )


def row(what_stops_it: str, *attempts: Attempt | Iterator[Attempt]) -> Row:
    each = ((one,) if isinstance(one, Attempt) else one for one in attempts)
    return Row(what_stops_it, tuple(chain.from_iterable(each)))


def exit_code(command: str) -> str:
    """PHP that runs a command and says whether it succeeded."""
    line = f"timeout 10 sh -c {quote(command)} 2>&1"
    return f"exec({quote_php(line)}, $output, $code); return $code === 0;"


def quote_php(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


# --- Ways -----------------------------------------------------------------------------------------


def as_user(host: Provisioned, who: str, command: str) -> bool:
    become = f"setpriv --reuid {who} --regid {who} --clear-groups --no-new-privs"
    if who == ROOT:
        become = ""
    return host.succeeds(f"{become} timeout 10 sh -c {quote(command)}")


def by_php(host: Provisioned, who: str, code: str) -> bool:
    return bool(run_php(host, who, code))


def start_by_php(host: Provisioned, who: str, command: str) -> None:
    by_php(host, who, exit_code(f"setsid sh -c {quote(command)} > /dev/null 2>&1 &"))


def run_php(host: Provisioned, who: str, code: str) -> Any:
    """What the code returns in that site's PHP."""
    header = {"X-Run": b64encode(code.encode()).decode()}
    response = host.web.get(f"{URLS[who]}/api/run", headers=header)
    assert response.status == 200, response.text
    return response.json


def by_database(host: Provisioned, who: str, statement: str) -> bool:
    """Whether it gives anything."""
    return bool(query(host, statement, LOGINS.get(who, "")))


def by_migrator(host: Provisioned, who: str, statement: str) -> bool:
    return bool(query(host, statement, f"{LOGINS[who]}_migrator" if who != ROOT else ""))


def query(host: Provisioned, statement: str, login: str = "") -> str:
    """What a login is given, root without one; a refusal is nothing."""
    options = f"--defaults-file=/etc/stagecraft/database/{login}.cnf" if login else ""
    return host.ssh(f"mariadb {options} -BN 2>/dev/null || true", input=statement)


def by_redis(host: Provisioned, who: str, command: str) -> bool:
    """At production's instance, whose socket staging cannot even reach: root carries the login
    there, so that the login is all that decides."""
    answer = redis_cli(host, who, command, SOCKET)
    refused = [line for line in answer.splitlines() if line.startswith(("NOAUTH", "NOPERM"))]
    return not refused and "WRONGPASS" not in answer


def redis_cli(host: Provisioned, who: str, command: str, socket: str = "") -> str:
    password = host.secret("REDIS_PASSWORD", environment=who.removeprefix("askpro-"))
    socket = socket or f"/run/redis-{who}/redis-server.sock"
    cli = f"REDISCLI_AUTH={quote(password)} timeout 2 redis-cli -s {socket}"
    return host.ssh(f"{cli} --user {who} {command} 2>&1 || true")


def live(host: Provisioned, who: str, function: str) -> bool:
    return LIVE[function](host, who)


WAYS: dict[str, Callable[[Provisioned, str, str], bool]] = {
    "Unix user": as_user,
    "PHP": by_php,
    "database login": by_database,
    "migrator login": by_migrator,
    "Redis login": by_redis,
    "live": live,
}


# --- What is tried while both serve ---------------------------------------------------------------


def healthy(host: Provisioned, who: str = PRODUCTION) -> bool:
    return host.web.get(f"{URLS[who]}/health").status == 200


def empty_its_opcache(host: Provisioned, who: str) -> bool:
    index = f"{HOME}/current/public/index.php"
    times = "return opcache_get_status(false)['opcache_statistics']['manual_restarts'];"
    cached = f"return opcache_is_script_cached(realpath('{index}'));"
    before = run_php(host, PRODUCTION, times)
    run_php(host, who, f"return [opcache_invalidate('{index}', true), opcache_reset()];")
    run_php(host, who, "return 'a reset takes place before the next request';")
    emptied: bool = run_php(host, PRODUCTION, times) != before
    return emptied or not run_php(host, PRODUCTION, cached)


HOARD = """
foreach (glob('/etc/stagecraft/database/*staging*.cnf') as $file) {
    preg_match_all('/^(\\w+) = "(.*)"$/m', file_get_contents($file), $lines);
    $login = array_combine($lines[1], $lines[2]);
    $held[$login['user']] = 0;
    for ($n = 0; $n < 80; $n++) {
        try {
            $all[] = new PDO('mysql:host=localhost', $login['user'], $login['password']);
            $held[$login['user']]++;
        } catch (PDOException $refusal) {
            $refusals[] = $refusal->getCode();
        }
    }
}
echo json_encode([$held, array_values(array_unique($refusals ?? []))]), "\\n";
fgets(STDIN);
"""


def use_up_the_connections(host: Provisioned, who: str) -> bool:
    """With all logins of staging's sites at once, each far beyond its limit."""
    command = host.server.ssh_command()
    hoarder = subprocess.Popen(
        [*command, "--", f"timeout 60 php -r {quote(HOARD)}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert hoarder.stdout
    held, refusals = json.loads(hoarder.stdout.readline())
    served = healthy(host) and bool(query(host, "SELECT 1", LOGINS[PRODUCTION]))
    hoarder.communicate("over\n", timeout=30)
    assert held == {
        "askproai_staging": 60,
        "askproai_staging_migrator": 10,
        "shop_staging": 60,
        "shop_staging_migrator": 10,
    }
    assert set(refusals) <= {1203, 1226} and refusals  # too many connections of this account
    return not served


FILL = """\
local text = string.rep("x", 65536)
for n = 1, 1100 do redis.call("set", KEYS[1] .. n, text) end
"""


def fill_redis(host: Provisioned, who: str) -> bool:
    """With entries that have no lifetime, as jobs have none: nothing can be evicted for them."""
    redis_cli(host, STAGING, "RPUSH askpro_staging_queues:default job")
    redis_cli(host, STAGING, f"EVAL {quote(FILL)} 1 askpro_staging_fill")
    refused = redis_cli(host, STAGING, "RPUSH askpro_staging_queues:default another")
    jobs = redis_cli(host, STAGING, "LLEN askpro_staging_queues:default")
    written = redis_cli(host, PRODUCTION, "SETEX askpro_cache_beside 60 full")
    served = healthy(host)
    redis_cli(host, STAGING, "FLUSHDB")
    assert "OOM" in refused
    assert jobs == "1"
    return not (served and written == "OK")


SWELL = """
$redis = 'unix:///run/redis-askpro-staging/redis-server.sock';
for ($n = 0; $n < 4; $n++) {
    $all[] = $client = stream_socket_client($redis);
    fwrite($client, 'AUTH askpro-staging ' . trim(fgets(STDIN)) . "\\r\\n");
    fwrite($client, "*2\\r\\n$3\\r\\nGET\\r\\n$400000000\\r\\n");
    for ($megabyte = 0; $megabyte < 100; $megabyte++) {
        if (!@fwrite($client, str_repeat('x', 1 << 20))) break;
    }
}
echo preg_replace('/.*VmRSS:\\s*(\\d+) kB.*/s', '$1', file_get_contents("/proc/$argv[1]/status"));
"""


def swell_redis(host: Provisioned, who: str) -> bool:
    """With commands that never end: what clients have sent does not count as data."""
    pid = host.ssh(f"systemctl show -p MainPID --value redis-server@{STAGING}")
    passwords = f"{host.secret('REDIS_PASSWORD')}\n" * 4
    size_kb = int(host.ssh(f"timeout 60 php -r {quote(SWELL)} {pid}", input=passwords))
    return size_kb > 2 * 64 * 1024


SPY = """<?php
echo posix_getpwuid(posix_geteuid())['name'], ' ',
    file_get_contents('/var/www/askpro-production/shared/.env');
"""


def become_it(host: Provisioned, who: str) -> bool:
    """By links in the place of the socket that nginx asks and of the directory that it serves: what
    nginx asks is production's PHP then, for a program of staging's."""
    spy, public = "/srv/spy", f"/var/www/{STAGING}/releases/placeholder/public"
    host.ssh(f"mkdir -p {spy} && cat > {spy}/index.php && chmod -R a+rX {spy}", input=SPY)
    own, other = (f"/run/php-fpm-{name}/php-fpm.sock" for name in (STAGING, PRODUCTION))
    links = {own: other, public: spy}
    try:
        for place, target in links.items():
            as_user(host, who, f"mv {place} {place}.away && ln -s {target} {place}")
        answer = host.web.get(f"{URLS[STAGING]}/api/spy").text
    finally:
        for place in links:
            host.ssh(f"[ ! -e {place}.away ] || {{ rm -f {place}; mv {place}.away {place}; }}")
        host.ssh(f"rm -r {spy}")
    return answer.startswith(f"{PRODUCTION} ") and "APP_KEY=" in answer


def serve_it_through_a_link(host: Provisioned, who: str) -> bool:
    """From where staging's app may store what everybody shall see; a file of its own is served."""
    stored, asset = f"/var/www/{STAGING}/shared/storage/app/public", "current/public/asset.txt"
    host.ssh(f"echo production > {HOME}/{asset}")
    planted = f"echo own > own.txt; ln -s {HOME}/{asset} asset.txt; ln -s {HOME}/current/public all"
    as_user(host, STAGING, f"cd {stored}; {planted}")
    served = host.web.get(f"{URLS[PRODUCTION]}/asset.txt").text
    own, *answers = (
        host.web.get(f"{URLS[STAGING]}/storage/{path}", login=host.qa).text
        for path in ("own.txt", "asset.txt", "all/asset.txt")
    )
    as_user(host, STAGING, f"mv {stored} {stored}.away && ln -s {HOME}/current/public {stored}")
    answers.append(host.web.get(f"{URLS[STAGING]}/storage/asset.txt", login=host.qa).text)
    host.ssh(f"[ ! -L {stored} ] || {{ rm {stored}; mv {stored}.away {stored}; }}")
    host.ssh(f"cd {stored} && rm own.txt asset.txt all; rm {HOME}/{asset}")
    assert (served, own) == ("production\n", "own\n")
    return "production\n" in answers


def cost_it_a_request(host: Provisioned, who: str) -> bool:
    """FLUSHDB, which is Laravel's cache:clear, and reloads, while production is under load."""
    password = host.secret("REDIS_PASSWORD")
    socket = f"/run/redis-{STAGING}/redis-server.sock"
    flush = f"REDISCLI_AUTH={quote(password)} redis-cli -s {socket} --user {STAGING} FLUSHDB"
    disturb = f"for n in $(seq 8); do {flush}; systemctl reload php-fpm@{STAGING}; sleep 0.3; done"
    with under_load(host.web, f"{URLS[PRODUCTION]}/health") as statuses:
        flushed = host.ssh(disturb, timeout=60)
    assert flushed.split() == ["OK"] * 8
    assert len(statuses) > 50
    return any(status not in range(200, 300) for status in statuses)


WRITE_ON = """
$journal = readlink('/proc/' . posix_getppid() . '/fd/2');
foreach (range(3, 9) as $fd) {
    if (@readlink("/proc/self/fd/$fd") === $journal) break;
}
exec('for p in 3 4 5 7; do seq -f "<$p>flood %g" 5000; done >&' . $fd, result_code: $failed);
return !$failed;
"""
"""Into what PHP-FPM has inherited from systemd, and PHP's children from PHP-FPM; each priority has
a limit of its own."""


GUESS = """
for ($n = 0; $n < 10000; $n++) {
    try { @new PDO("mysql:host=localhost", "flood", ""); } catch (PDOException) {}
}
"""
"""Logins to the database that it refuses."""


def fill_the_journal(host: Provisioned, who: str) -> bool:
    """By what the site has services say. journald admits a few times the limit, by the
    space that is left."""
    assert run_php(host, STAGING, WRITE_ON)
    script = 'for n = 1, 5000 do redis.log(redis.LOG_WARNING, "flood") end'
    assert redis_cli(host, STAGING, f"EVAL {quote(script)} 0") == ""
    assert as_user(host, STAGING, f"php -r {quote(GUESS)}")
    said = "journalctl --sync; journalctl -q -u {} | grep -c flood || true"
    limits = {f"php-fpm@{STAGING}": 500, f"redis-server@{STAGING}": 500, "mariadb": 5000}
    return any(int(host.ssh(said.format(unit))) > limit for unit, limit in limits.items())


LISTEN_BY_OTHERS_NAMES = """
chdir('/var/www/askpro-staging/shared/storage');
@mkdir("x\nu 0 0 0 /run/mysqld", recursive: true);
$server = stream_socket_server("unix://x\nu 0 0 0 /run/mysqld/mysqld.sock");
exec("mount -t tmpfs tmpfs /run/mysqld");
$socket = stream_socket_server("unix:///run/mysqld/mysqld.sock");
while (!($port = @stream_socket_server("tcp://127.0.0.1:3306"))) usleep(1000);
sleep(120);
"""
"""What `ss` prints of it has lines for a database server that is not ours: by its path, once in a
name of two lines and once in a mount namespace of its own; and by its port, once that is free."""


@contextmanager
def listening_by_others_names(host: Provisioned) -> Iterator[None]:
    become = f"setpriv --reuid {STAGING} --regid {STAGING} --clear-groups unshare -rm"
    listen = f"{become} php -r {quote(LISTEN_BY_OTHERS_NAMES)}"
    host.ssh(f"systemd-run --quiet --unit=listener {listen}; sleep 1")
    try:
        assert host.ssh("ss -Hlx | grep -c /run/mysqld/mysqld.sock") == "3"
        assert host.ssh("ss -Hltn | grep -c 127.0.0.1:3306") == "1"
        yield
    finally:
        host.ssh(f"systemctl stop listener; rm -r /var/www/{STAGING}/shared/storage/x*")


def keep_it_from_its_next_run(host: Provisioned, who: str) -> bool:
    with listening_by_others_names(host):
        return host.project.pyinfra("production", "--dry").code != 0


LOOK_OUT = """
until (-e "end") { -r and `touch out` for glob "/proc/[0-9]*/root/var/cache/debconf/config.dat" }
"""
"""Perl that looks for a process of its user's that sees more of the machine."""


def leave_the_sandbox(host: Provisioned, who: str) -> bool:
    """By the root directory of what a run, the check or a timer starts as its user."""
    place = f"/var/www/{who}/shared/storage/looking"
    start_by_php(host, who, f"mkdir {place} && cd {place} && perl -e {quote(LOOK_OUT)}")
    host.project.plan("staging")
    host.ssh(f"systemctl start logrotate@{who}; touch {place}/end")
    left = host.succeeds(f"test -e {place}/out")
    host.ssh(f"until ! pgrep -u {who} perl; do sleep 0.1; done; rm -r {place}")
    return left


def take_the_database_s_place(host: Provisioned, who: str) -> bool:
    """While it restarts, as it does for an upgrade."""
    with listening_by_others_names(host):
        host.ssh("systemctl restart mariadb || true")
        served = healthy(host)
    host.ssh("systemctl is-active mariadb || systemctl restart mariadb")
    return not served


def have_no_limits(host: Provisioned, who: str) -> bool:
    """As declared; where the kernel enforces them is a test of its own."""
    limits = {name: unit_limits(host, name) for name in (f"php-fpm@{who}", f"redis-server@{who}")}
    neighbour = unit_limits(host, f"php-fpm@{PRODUCTION}")
    return any(
        "infinity" in (unit["MemoryMax"], unit["TasksMax"])
        or int(unit["CPUWeight"]) >= int(neighbour["CPUWeight"])
        for unit in limits.values()
    )


def use_up_names_in_memory(host: Provisioned, who: str) -> bool:
    """Of files: each file system in memory has a number of them, for everybody."""
    count = "stat --file-system --format '%T %d' /tmp /dev/shm | sed -n 's/^tmpfs //p'"
    each = "for path in /tmp /dev/shm; do cd $path && seq -f planted-%g 2000 | xargs {}; done"
    before = host.ssh(count).split()
    assert by_php(host, who, exit_code(each.format("touch")))
    after = host.ssh(count).split()
    by_php(host, who, exit_code(each.format("rm")))
    return any(int(now) < int(was) - 1000 for was, now in zip(before, after, strict=True))


MAP = r"""
use POSIX ();
my $mmap = {x86_64 => 9, aarch64 => 222}->{(POSIX::uname())[4]};
my $directory = shift;
for (1..10) { $directory .= "/" . "x" x 250; mkdir $directory; }
chdir $directory;
open my $file, "+>", "mapped" or die $!;
truncate $file, 4096;
for (1..3) { last if !fork; }
# To be read and executed, by this process alone.
1 while syscall($mmap, 0, 4096, 5, 2, fileno $file, 0) != -1;
sleep 120;
"""
"""Four processes with as many mappings as the kernel permits, of a file with a long name."""


GONE = """
cp /usr/bin/sleep /opt/gone
systemd-run --quiet --unit=gone /opt/gone 300
pid=$(systemctl show -p MainPID --value gone)
until [ "$(readlink /proc/$pid/exe)" = /opt/gone ]; do sleep 0.1; done
rm /opt/gone
"""
"""A service whose program is deleted, which the check has to find all the same."""


def swell_the_check(host: Provisioned, who: str) -> bool:
    """It reads what all processes have mapped, with a limit to what it holds of that in memory."""
    planted = f"/var/www/{who}/shared/storage/mapped"
    host.ssh(GONE)
    host.ssh("cat > /srv/map.pl", input=MAP)
    start_by_php(host, who, f"mkdir {planted} && perl /srv/map.pl {planted}")
    host.ssh(f"until [ $(pgrep -c -u {who} perl) = 4 ]; do sleep 0.1; done; sleep 3")
    assert int(host.ssh(f"cat /proc/$(pgrep -n -u {who} perl)/maps | wc -l")) > 60000
    check = f"(ulimit -v 300000; timeout 60 sh -c {quote(ProcessesFact().command())})"
    try:
        return not host.succeeds(f"{check} | base64 -d | grep -qazx /opt/gone")
    finally:
        host.ssh(f"pkill -KILL -u {who} perl; systemctl stop gone; rm -r {planted} /srv/map.pl")


def unit_limits(host: Provisioned, unit: str) -> dict[str, str]:
    """What systemd was told of the unit."""
    shown = host.ssh(f"systemctl show -p MemoryMax,TasksMax,CPUWeight,ControlGroup {unit}")
    return dict(line.split("=", 1) for line in shown.splitlines())


LIVE: dict[str, Callable[[Provisioned, str], bool]] = {
    "empty its opcache": empty_its_opcache,
    "use up the connections": use_up_the_connections,
    "fill its own Redis": fill_redis,
    "swell its own Redis": swell_redis,
    "become it": become_it,
    "fill the journal": fill_the_journal,
    "link to its files": serve_it_through_a_link,
    "cache:clear and reload": cost_it_a_request,
    "listen by others' names": keep_it_from_its_next_run,
    "leave the sandbox": leave_the_sandbox,
    "take the database's place": take_the_database_s_place,
    "have no limits": have_no_limits,
    "use up names in memory": use_up_names_in_memory,
    "swell the nightly check": swell_the_check,
}


# --- The matrix -----------------------------------------------------------------------------------

MATRIX = {
    "read production's `.env`, code, storage, sessions or logs; write to its storage": row(
        "a separate Unix user for each site and environment",
        shell(
            f"cat {HOME}/shared/.env",
            f"cat {HOME}/current/public/index.php",
            f"ls {HOME}",
            f"ls {HOME}/shared/storage/framework/sessions",
            f"ls {HOME}/shared/storage/logs",
            f"ls /var/log/php-fpm-{PRODUCTION}",
            f"touch {HOME}/shared/storage/logs/planted",
        ),
        shell(
            f"ls /var/cache/stagecraft/{PRODUCTION}/tmp",
            f"journalctl -q -u php-fpm@{PRODUCTION} | grep .",
            works_for=ROOT,
        ),
    ),
    "connect to its PHP or its Redis": row(
        "sockets that only nginx, or the site's own group, can open",
        shell(f"redis-cli -s {SOCKET} PING"),
        shell(
            f"php -r 'exit((int) !@fsockopen(\"unix:///run/php-fpm-{PRODUCTION}/php-fpm.sock\"));'",
            f"ls /var/lib/redis-{PRODUCTION}",
            works_for=ROOT,
        ),
    ),
    "become it through a link that nginx or root would follow": row(
        "root owns releases; systemd creates the sockets in directories closed to the site",
        shell(
            *(
                f"mv {place} {place}.away && mv {place}.away {place}"
                for place in (
                    f"/run/php-fpm-{STAGING}/php-fpm.sock",
                    f"/run/redis-{STAGING}/redis-server.sock",
                    f"/var/lib/redis-{STAGING}/appendonlydir",
                    f"/var/www/{STAGING}/current",
                    f"/var/www/{STAGING}/releases",
                    f"/var/www/{STAGING}/releases/placeholder",
                    f"/var/www/{STAGING}/releases/placeholder/public",
                    f"/var/www/{STAGING}/releases/placeholder/public/index.php",
                    f"/var/www/{STAGING}/shared/storage",
                )
            ),
            works_for=ROOT,
        ),
        Attempt("live", "become it", works_for=ROOT),
    ),
    "read its processes' environment or memory, signal them, see what they run": row(
        "separate Unix users; PHP's sandbox hides other processes",
        shell(f"cat /proc/{PID}/environ", f"cat /proc/{PID}/maps", f"kill -0 {PID}"),
        Attempt("PHP", exit_code(f"test -e /proc/{PID}/status")),
    ),
    "connect to a neighbour's port or sshd by TCP, or to a cloud's metadata": row(
        "nftables rules for the user, and again for the unit; `reach:` opens what an app needs",
        connections(
            '"127.0.0.1", 22',
            '"127.0.0.1", 6400',
            '"127.0.0.1", 443',
            '"0.0.0.0", 6400',
            '"[::1]", 6400',
            '"[::ffff:127.0.0.1]", 6400',
            f"{OWN}, 6400",
            f"{OWN}, 22",
            '"[2001:db8::7]", 6400',
            '"169.254.169.254", 6400',
            '"[fd00:ec2::254]", 6400',
        ),
        Attempt("PHP", 'return (bool) @fsockopen("unix:///run/ssh-unix-local/socket");', ROOT),
        datagrams("127.0.0.1:6401", "[::1]:6401", "224.0.0.251:5353"),
    ),
    "see or empty its opcache": row(
        "a separate FPM master, and so a separate opcache",
        Attempt(
            "PHP",
            f"return (bool) preg_grep('~^{HOME}/~',"
            " array_keys(opcache_get_status(true)['scripts'] ?? []));",
        ),
        Attempt("live", "empty its opcache"),
    ),
    "read a certificate's key, a database login, a Redis password's hash, nginx's logs": row(
        "only root may",
        shell(
            f"cat /etc/ssl/stagecraft/{PRODUCTION}/privkey.pem",
            "cat /etc/stagecraft/database/askproai_user.cnf",
            "cat /etc/stagecraft/database/askproai_staging_migrator.cnf",
            f"cat /etc/redis/redis-{PRODUCTION}.acl",
            f"cat /var/log/nginx/{PRODUCTION}.access.log",
            works_for=ROOT,
        ),
    ),
    "query its database, or list it": row(
        "separate accounts; `_` in a GRANT is escaped",
        sql(
            "SHOW DATABASES LIKE 'askproai\\_db'",
            "SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'askproai_db'",
            "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'askproai_db'",
            "SELECT * FROM askproai_db.isolation",
            "INSERT INTO askproai_db.isolation VALUES (1); SELECT ROW_COUNT()",
        ),
        sql(
            "SELECT 1 FROM mysql.user LIMIT 1",
            "CREATE DATABASE planted; DROP DATABASE planted; SELECT 1",
            "CREATE USER planted@localhost; DROP USER planted@localhost; SELECT 1",
            "SET GLOBAL max_connections = @@max_connections; SELECT 1",
            works_for=ROOT,
        ),
        sql(
            "SELECT 1 FROM (SELECT LOAD_FILE('/etc/passwd') AS text) AS t WHERE text IS NOT NULL",
            works_for="nobody",
        ),
    ),
    "use up the database's connections with its logins": row(
        "a limit per account, far below the server's",
        Attempt("live", "use up the connections", works_for="nobody"),
    ),
    "read, count, flush or subscribe to its Redis keys": row(
        "a separate instance with its own login",
        redis(
            "GET askpro_cache_x",
            "DBSIZE",
            "SCAN 0",
            "FLUSHDB",
            "PUBLISH askpro_cache_x y",
            "SUBSCRIBE askpro_cache_x",
        ),
    ),
    "fill Redis, so that its entries are evicted or its jobs refused": row(
        "a separate instance with a memory cap; jobs are refused, never evicted",
        Attempt("live", "fill its own Redis", works_for="nobody"),
        Attempt("live", "swell its own Redis", works_for="nobody"),
    ),
    "push its entries, or root's, out of the journal": row(
        "PHP cannot reach journald, systemd or D-Bus; each unit has a rate limit",
        *(
            Attempt("PHP", f'return (bool) @stream_socket_client("{socket}");', "nobody")
            for socket in (
                "udg:///run/systemd/journal/socket",
                "udg:///run/systemd/journal/dev-log",
                "udg:///dev/log",
                "unix:///run/systemd/journal/stdout",
                "udg:///run/systemd/notify",
                "unix:///run/systemd/io.systemd.Credentials",
                "unix:///run/systemd/io.systemd.Hostname",
                "unix:///run/systemd/userdb/io.systemd.DynamicUser",
                "unix:///run/dbus/system_bus_socket",
            )
        ),
        Attempt("live", "fill the journal", works_for="nobody"),
    ),
    "have nginx serve its files through a link": row(
        "nginx follows no links where the site can create them",
        Attempt("live", "link to its files", works_for="nobody"),
    ),
    "reload nginx, restart its services, become its user": row(
        "only root may",
        shell(
            "systemctl reload nginx",
            f"systemctl restart php-fpm@{PRODUCTION}",
            f"systemctl restart redis-server@{PRODUCTION}",
            f"setpriv --reuid {PRODUCTION} true",
            works_for=ROOT,
        ),
    ),
    "cost it a request with `cache:clear` or a reload of PHP": row(
        "a separate Redis and a separate FPM master",
        Attempt("live", "cache:clear and reload", works_for="nobody"),
    ),
    "block its next run": row(
        "names of its processes and sockets are never trusted; PHP sees none of root's locks",
        Attempt("live", "listen by others' names", works_for="nobody"),
        shell(
            *(f"flock --nonblock /run/stagecraft/{lock} true" for lock in LOCKS),
            works_for=ROOT,
        ),
        *(Attempt("PHP", exit_code(command), ROOT) for command in WHAT_ALL_SHARE),
        Attempt("live", "leave the sandbox", works_for="nobody"),
    ),
    "take the database's place while it restarts": row(
        "it has no port, and only it can write to its socket's directory",
        Attempt("live", "take the database's place", works_for="nobody"),
    ),
    "use up its memory or CPU": row(
        "limits per unit; staging has a lower CPU weight",
        Attempt("live", "have no limits", works_for="nobody"),
        Attempt("live", "use up names in memory", works_for="nobody"),
        Attempt("live", "swell the nightly check", works_for="nobody"),
    ),
    "change its own `.env` or its own code": row(
        "only root may",
        shell(
            f"touch /var/www/{STAGING}/shared/.env",
            f"cd /var/www/{STAGING}/releases && mkdir planted && rmdir planted",
            f"touch /var/www/{STAGING}/releases/placeholder/public/index.php",
            works_for=ROOT,
        ),
    ),
}


def cases() -> Iterator[tuple[str, Attempt]]:
    for name, entry in MATRIX.items():
        for attempt in entry.attempts:
            yield name, attempt


def markdown() -> list[str]:
    """The matrix as the README has it."""
    lines = [f"| {name} | {entry.what_stops_it} |" for name, entry in MATRIX.items()]
    return ["| staging tries to | what stops it |", "|---|---|", *lines]


def verdicts(results: list[tuple[str, str, bool]]) -> Iterator[str]:
    """What came of each row's attempts, by way; rows that were not tried are left out."""
    tried = {row for row, _, _ in results}
    for name in (name for name in MATRIX if name in tried):
        yield name
        for way in WAYS:
            refused = [held for *place, held in results if place == [name, way]]
            if refused:
                yield f"    {way + ':':16} {sum(refused)} of {len(refused)} refused"
