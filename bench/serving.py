"""What isolation costs: a site beside Debian's own vhost and pool, with the same files and TLS."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from bench.servers import Subject

ROUNDS, SECONDS = 9, 2

SITE, STOCK = "api.askpro.test", "stock.test"

FILES = {"a static file of 10 KB": "file.css", "PHP": "page"}

SET_UP = """
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get install -q -y --no-install-recommends wrk >/dev/null
php=$(ls /etc/php)
release=/var/www/askpro-staging/releases/bench
mkdir -p $release/public /var/www/html
cd $release/public
echo '<?php header("Content-Type: text/plain"); echo str_repeat("Hello. ", 100);' >index.php
head -c 10240 /dev/zero | tr '\\0' x >file.css
chmod -R a+rX $release
cp index.php file.css /var/www/html/
cd /var/www/askpro-staging && ln -s releases/bench next && mv -T next current
systemctl reload php-fpm@askpro-staging
echo "127.0.0.1 api.askpro.test stock.test" >>/etc/hosts
cat >/etc/nginx/sites-enabled/stock.conf <<VHOST
server {
    listen 443 ssl;
    server_name stock.test;
    ssl_certificate /etc/ssl/stagecraft/askpro-staging/fullchain.pem;
    ssl_certificate_key /etc/ssl/stagecraft/askpro-staging/privkey.pem;
    root /var/www/html;
    location / {
        try_files \\$uri \\$uri/ /index.php?\\$query_string;
    }
    location ~ \\.php\\$ {
        include snippets/fastcgi-php.conf;
        fastcgi_pass unix:/run/php/php$php-fpm.sock;
    }
}
VHOST
nginx -t -q
systemctl reload nginx
systemctl unmask --quiet php$php-fpm
systemctl start php$php-fpm
sleep 2
"""
"""Debian's `default` with its lines for PHP switched on, and with TLS."""

MEMORY = """
pss() { # of the units' processes, in MB
    for unit; do
        main=$(systemctl show -p MainPID --value $unit)
        for pid in $main $(pgrep -P $main); do
            awk '/^Pss:/ {print $2}' /proc/$pid/smaps_rollup
        done
    done | awk '{kb += $1} END {print kb / 1024}'
}
php=$(ls /etc/php)
systemctl restart php-fpm@askpro-staging redis-server@askpro-staging php$php-fpm
sleep 3
own=$(pss php-fpm@askpro-staging redis-server@askpro-staging)
before=$(pss php$php-fpm)
pool=/etc/php/$php/fpm/pool.d
sed 's/^\\[www\\]/[second]/; s|^listen = .*|listen = /run/php/second.sock|' \\
    $pool/www.conf >$pool/second.conf
systemctl restart php$php-fpm
sleep 3
echo $own $before $(pss php$php-fpm)
rm $pool/second.conf
"""


LOAD = """
worked() { # ms of CPU so far, of nginx and PHP and of their processes that have ended
    cat /proc/[0-9]*/stat 2>/dev/null |
        awk '/^[0-9]+ [(](nginx|php-fpm)/ {ticks += $14 + $15 + $16 + $17} END {print ticks * 10}'
}
worked
wrk -t2 -c20 -d$1s $2
worked
"""


@dataclass(frozen=True)
class Load:
    """Requests a second over 20 connections, and the microseconds of CPU that one of them took."""

    rate: float
    cpu: float


@dataclass(frozen=True)
class Serving:
    """Pairs of stock and ours, of each kind of file; megabytes (PSS) of an idle site's own FPM and
    Redis, and of one more pool in a shared master."""

    pairs: dict[str, list[tuple[Load, Load]]]
    own: float
    pool: float


def serving(subject: Subject) -> Serving:
    """Both in turns, so that what else the machine does falls on both."""
    subject.server.ssh("sh -s", input=SET_UP, timeout=300)
    pairs: dict[str, list[tuple[Load, Load]]] = {name: [] for name in FILES}
    for count in range(ROUNDS + 1):
        for name, path in FILES.items():
            print(f"  {count}/{ROUNDS} {name}", file=sys.stderr)
            pair = (load(subject, STOCK, path), load(subject, SITE, path))
            if count:
                pairs[name].append(pair)
    own, before, after = map(float, subject.server.ssh("sh -s", input=MEMORY).stdout.split())
    return Serving(pairs, own, after - before)


def load(subject: Subject, host: str, path: str) -> Load:
    url = f"https://{host}:443/{path}"
    said = subject.server.ssh(f"sh -s {SECONDS} {url}", input=LOAD).stdout
    if "Non-2xx" in said:
        sys.exit(f"{url} failed under load:\n{said}")
    before, *lines, after = said.splitlines()
    (count,) = [int(line.split()[0]) for line in lines if " requests in " in line]
    (rate,) = [line.split()[1] for line in lines if line.startswith("Requests/sec:")]
    return Load(float(rate), (int(after) - int(before)) * 1000 / count)
