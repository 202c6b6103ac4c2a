"""Which files of `public/` nginx serves, and which names it never does."""

from __future__ import annotations

from provisioned import Provisioned

ENDINGS = (
    "bak conf dist fla inc ini log orig psd sh sql swo swp"  # h5bp's
    " BAK bak1 backup old old2 original save sav tmp temp copy rej cnf cfg env yml yaml toml neon"
    " lock properties pem key p12 pfx sqlite sqlite3 db db3 mdb rdb dump dmp patch diff twig"
    " log.1 log.12 log-20261125 log.gz log.2.gz log-20261125.gz sql.gz sql.bz2 sql.xz sql.zst"
    " sql.zip SQL.GZ sql.7z sql.1 sql.tar.gz sqlite.gz db.zip bak.gz yml.old env.local.bak"
    " php phtml phar php5 phps php.bak php.old php~ php_ php-old php.1 PHP.txt inc.php"
)
NAMES = (
    "index.html~ #index.html# .env .env.production .env.bak .git/HEAD .htpasswd .DS_Store .user.ini"
    " prod.env composer.json composer.lock composer.phar package.json package-lock.json yarn.lock"
    " pnpm-lock.yaml auth.json phpunit.xml phpunit.xml.dist docker-compose.yml Dockerfile Makefile"
    " Vagrantfile Procfile artisan web.config error_log id_rsa id_ed25519 Thumbs.db"
    " backup.zip backup.tar.gz site-backup-2026.tgz dump.tar dump.xz db_dump.7z"
)
FORBIDDEN = [*(f"x.{ending}" for ending in ENDINGS.split()), *NAMES.split()]
"""One of each that h5bp's server-configs-nginx (file_access.conf) forbids, and what else editors,
dumps, rotation and deployments leave."""

SERVED = (
    "app.css app.min.js app.js.map logo.svg robots.txt sitemap.xml manifest.json press-kit.zip"
    " guide.pdf release.tar.gz data.csv films.mp4 a.b.html environment.html database.html"
    " .well-known/security.txt"
)
"""What an ordinary site has, too, and names that look a little like the above."""


def test_what_was_left_lying_about_is_not_served(host: Provisioned) -> None:
    with host.released(host.site("shop"), index="<?php http_response_code(404);") as public:
        for directory in ("", "css/"):
            names = [directory + name for name in [*FORBIDDEN, *SERVED.split()]]
            make = 'while read -r name; do mkdir -p "${name%/*}"; echo content >"$name"; done'
            host.ssh(f"cd {public}; umask 022; {make}", input="".join(f"./{n}\n" for n in names))
            urls = {name: f"https://shop.test/{name.replace('#', '%23')}" for name in names}
            served = [name for name, url in urls.items() if host.web.get(url).body == b"content\n"]
            assert served == [directory + name for name in SERVED.split()]
