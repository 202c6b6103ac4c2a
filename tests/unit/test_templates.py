"""Every template, as the tasks fill it in: complete, marked, parsed by what will read it, and
without a secret where none belongs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import crossplane
import crossplane.analyzer
import crossplane.parser
import pytest

from stagecraft import render
from stagecraft.errors import BrokenTemplate
from stagecraft.operations.nodes import Directory, File, Link
from stagecraft.settings import Environment, Host, Server, Site
from stagecraft.settings.host import Firewall, Opening
from stagecraft.settings.models import AptSource, Issuer
from stagecraft.settings.read import ISSUERS

INCLUDED = {"templates/php-fpm/sandbox.j2"}
"""Parts of other templates."""

TEMPLATES = sorted(
    {
        str(path.relative_to(render.TEMPLATES.parent))
        for path in render.TEMPLATES.rglob("*")
        if path.is_file()
    }
    - INCLUDED
)

UNMARKED = {"templates/redis/users.acl.j2"}
"""Redis takes no comment in an ACL file: `should start with user keyword`."""

VARIANTS = [
    # Debian, basic auth, networks for /admin, aliases: every pair of choices meets in one of them.
    ("12", [], [], []),
    ("13", ["qa"], ["203.0.113.7/32"], []),
    ("12", ["qa", "ops"], [], ["www.askpro.test"]),
    ("13", [], ["203.0.113.0/24", "2001:db8::7/128"], ["www.askpro.test", "old.askpro.test"]),
    ("12", [], ["203.0.113.0/24"], []),
    ("13", ["qa"], [], []),
]

KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nmQINBF\n-----END PGP PUBLIC KEY BLOCK-----\n"


PUBLIC_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINOUrrG3oO/3ezlUmxJSkmDY8g2vE5gyQxdxCrMI9nVL anna@laptop"
)


def variant(choice: tuple[str, list[str], list[str], list[str]]) -> str:
    version, users, networks, aliases = choice
    parts = {"auth": users, "allow": networks, "aliases": aliases}
    return "-".join([f"debian{version}", *(name for name, given in parts.items() if given)])


@pytest.fixture(params=VARIANTS, ids=variant)
def choice(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def machine(choice: Any, make_machine: Any) -> Any:
    return make_machine(choice[0])


@pytest.fixture
def protect(choice: Any) -> dict[str, list[str]]:
    return {"basic_auth": choice[1], "admin_allow": choice[2]}


@pytest.fixture
def aliases(choice: Any) -> list[str]:
    names: list[str] = choice[3]
    return names


SURY = AptSource(
    uris=["https://archive.example/php/"],
    suites=["trixie"],
    key=KEY,
    pin=500,
    check_valid_until=False,
)

SERVER = Server(
    name="askpro-1",
    address="203.0.113.10",
    ssh_user="deploy",
    apt_sources={"sury": SURY},
    host=Host(
        admins={"anna": [PUBLIC_KEY]},
        ci={"staging": [PUBLIC_KEY]},
        firewall=Firewall(
            open={
                "metrics": Opening(port=9100, sources=["10.0.0.0/8", "2001:db8::/32"]),
                "wireguard": Opening(port=51820, protocol="udp"),
            }
        ),
    ),
)


@pytest.fixture
def environment(
    make_site: Any, make_environment: Any, protect: Any, aliases: Any, tmp_path: Path
) -> Environment:
    """Two sites, one with everything; a private CA and an archive: no template is unused."""
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    issuer = Issuer(directory="https://acme.test/directory", ca_bundle=str(tmp_path / "ca.pem"))
    full = make_site(
        domain="askpro.test",
        aliases=aliases,
        protect=protect,
        tls={"issuer": "company", "email": "ops@askpro.test"},
        env={"APP_NAME": "Ask Pro {{ not jinja }}", "APP_DEBUG": True},
        features={"customer_portal": True},
        secrets=["RETELL_API_KEY"],
        app={"source": "../askpro"},
    )
    plain = make_site(
        "shop",
        mark_staging=False,
        entry="php-files",
        no_php=["wp-includes"],
        shared=["wp-content/uploads"],
    )
    environment: Environment = make_environment(
        full, plain, server=SERVER, issuers=ISSUERS | {"company": issuer}
    )
    return environment


@pytest.fixture(scope="module")
def already() -> dict[str, Any]:
    return {}


@pytest.fixture
def written(
    write: Any, environment: Environment, machine: Any, choice: Any, already: dict[str, Any]
) -> Any:
    """What the tasks write; once for each variant, since nobody changes it."""
    key = variant(choice)
    if key not in already:
        already[key] = write(environment, machine)
    return already[key]


# --- All of them ---


def rendered(written: Any, template: str) -> list[File]:
    files = [file for file in [*written.files, *written.passing] if file.origin == template]
    assert files, f"no task writes {template}"
    return files


def test_no_task_renders_a_template_that_is_not_there(written: Any) -> None:
    files = [*written.files, *written.passing]
    assert {file.origin for file in files} - {""} == set(TEMPLATES)


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_is_complete(written: Any, template: str) -> None:
    for file in rendered(written, template):
        text = file.content.replace("{{ not jinja }}", "")
        assert not re.search(r"\{\{|\}\}|\{%|%\}|\{#", text), file.path
        assert not re.search(r"\b(None|True|False|Undefined)\b| object at 0x", text), file.path
        assert text.endswith("\n"), file.path
        assert "\r" not in text
        assert "\t" not in text


@pytest.mark.parametrize("template", sorted(set(TEMPLATES) - UNMARKED))
def test_a_file_says_first_of_all_where_it_comes_from(written: Any, template: str) -> None:
    for file in rendered(written, template):
        first, second, *_ = file.content.splitlines()
        line = second if re.match(r"#!|<\?php$", first) else first
        assert re.fullmatch(
            rf"(#|;|//) Managed by Stagecraft \({re.escape(template)}\);"
            r" changes made here are overwritten\.",
            line,
        ), file.path


@pytest.mark.parametrize("template", sorted(UNMARKED))
def test_a_file_that_takes_no_comment_has_none(written: Any, template: str) -> None:
    for file in rendered(written, template):
        assert all(line.startswith("user ") for line in file.content.splitlines())


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_sites_of_a_template_do_not_mention_each_other(written: Any, template: str) -> None:
    for file in rendered(written, template):
        assert not ("askpro-staging" in file.content and "shop-staging" in file.content), file.path


def test_only_secret_files_hold_secrets(
    written: Any, environment: Environment, make_secrets: Any
) -> None:
    values = [
        secret.reveal() for site in environment.sites for secret in make_secrets(site).values()
    ]
    holders = set()
    for file in written.files:
        found = [value for value in values if value in file.content]
        assert file.secret or not found, file.path
        holders |= {file.origin} if found else set()
    assert holders == {"templates/app/env.j2", "templates/database/login.cnf.j2"}


def test_a_secret_file_is_not_for_everybody(written: Any) -> None:
    secret = [file for file in written.files if file.secret]
    assert {file.mode for file in secret} == {"600", "640"}
    assert all(file.group != "root" or file.mode == "600" for file in secret)


def test_nobody_but_root_and_the_site_can_change_a_file(written: Any) -> None:
    for file in written.files:
        assert re.fullmatch(r"[467][045][045]", file.mode), file.path
        assert file.user == "root" or file.path.startswith(f"/var/www/{file.user}/"), file.path


def test_root_writes_nothing_below_a_directory_of_somebody_else(written: Any) -> None:
    """A link that he plants there would lead root anywhere."""
    owners = {node.path: node.user for node in written.nodes if isinstance(node, Directory)}
    for path, writer in written.writers.items():
        above = {owners.get(str(parent), "root") for parent in Path(path).parents} - {"root"}
        assert above <= {writer}, path


def test_every_file_is_written_once_and_to_one_place(written: Any) -> None:
    paths = [file.path for file in written.files]
    assert len(paths) == len(set(paths))
    assert all(path == os.path.normpath(path) and path.startswith("/") for path in paths)


def test_a_name_that_nobody_gave_is_an_error() -> None:
    with pytest.raises(BrokenTemplate, match=r"acme-challenge\.conf\.j2:\d+: 'acme_webroot'"):
        render.render("nginx/acme-challenge.conf.j2")


def test_a_value_is_written_as_it_is() -> None:
    text = render.render("app/env.j2", variables={"A": "\"<a href='x'>&amp;\""})
    assert text.splitlines()[1] == "A=\"<a href='x'>&amp;\""


def test_owner_and_mode_are_the_file_s_and_not_the_template_s() -> None:
    file = render.file("/x", "app/env.j2", user="u", group="g", mode="600", variables={})
    assert (file.user, file.group, file.mode, file.origin) == (
        "u",
        "g",
        "600",
        "templates/app/env.j2",
    )


# --- nginx ---


NEWER_DIRECTIVES = ("http2", "ssl_reject_handshake")
"""Those that crossplane 0.5.8 does not know."""

HTTP_OR_SERVER_FLAG = (
    crossplane.analyzer.NGX_HTTP_MAIN_CONF
    | crossplane.analyzer.NGX_HTTP_SRV_CONF
    | crossplane.analyzer.NGX_CONF_FLAG
)


def analyze_but_maps(*arguments: Any, ctx: tuple[str, ...] = (), **options: Any) -> None:
    """crossplane takes the lines of a map for directives."""
    if ctx[-1:] != ("map",):
        crossplane.analyzer.analyze(*arguments, ctx=ctx, **options)


NGINX_CONF = """\
user www-data;
events {}
http {
    include conf.d/*.conf;
    include sites-enabled/*;
}
"""


@pytest.fixture
def directory(tmp_path: Path, written: Any) -> Path:
    """/etc/nginx as it would be, with Debian's two includes."""
    root = tmp_path / "nginx"
    for node in written.nodes:
        if not node.path.startswith("/etc/nginx/"):
            continue
        path = root / node.path.removeprefix("/etc/nginx/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(node, File):
            path.write_text(node.content)
        elif isinstance(node, Link):
            path.symlink_to(node.target)
    (root / "nginx.conf").write_text(NGINX_CONF)
    return root


Block = list[dict[str, Any]]


@pytest.fixture
def http(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Block:
    """Everything in nginx' `http`, its includes filled in, or crossplane's complaint."""
    for name in NEWER_DIRECTIVES:
        monkeypatch.setitem(crossplane.analyzer.DIRECTIVES, name, [HTTP_OR_SERVER_FLAG])
    monkeypatch.setattr(crossplane.parser, "analyze", analyze_but_maps)
    result = crossplane.parse(str(directory / "nginx.conf"), strict=True, combine=True)
    assert result["errors"] == []
    (config,) = result["config"]
    block: Block = next(line for line in config["parsed"] if line["directive"] == "http")["block"]
    return block


def named(block: Block, directive: str) -> list[list[str]]:
    return [line["args"] for line in block if line["directive"] == directive]


def servers(http: Block) -> Iterator[Block]:
    return (line["block"] for line in http if line["directive"] == "server")


def vhost(http: Block, domain: str) -> Block:
    """The one that answers over TLS."""
    return next(
        block
        for block in servers(http)
        if domain in named(block, "server_name")[0] and named(block, "ssl_certificate")
    )


def locations(server: Block) -> dict[str, Block]:
    return {
        " ".join(line["args"]): line["block"] for line in server if line["directive"] == "location"
    }


def nested(block: Block) -> Iterator[dict[str, Any]]:
    for line in block:
        yield line
        yield from nested(line.get("block") or [])


def test_nginx_parses_all_files_as_one_tree(http: Block) -> None:
    assert len(list(servers(http))) == 2 + 2 * 2


def test_every_name_has_a_redirect_and_a_tls_vhost(http: Block, environment: Environment) -> None:
    for site in environment.sites:
        matching = [s for s in servers(http) if named(s, "server_name") == [site.domains]]
        plain, tls = matching
        assert named(locations(plain)["/"], "return") == [["301", "https://$host$request_uri"]]
        assert named(tls, "ssl_certificate") == [[f"/etc/ssl/stagecraft/{site.name}/fullchain.pem"]]
        if site.app:  # the link into a closed site is in no log
            for server in matching:
                link = locations(server)["^~ /.well-known/stagecraft/"]
                assert named(link, "access_log") == [["off"]]


def test_challenges_are_answered_everywhere_and_to_everybody(
    http: Block, environment: Environment
) -> None:
    for server in servers(http):
        if named(server, "server_name") == [["_"]]:
            continue
        challenge = locations(server)["^~ /.well-known/acme-challenge/"]
        assert named(challenge, "auth_basic") == [["off"]]
        assert named(challenge, "root") == [["/var/lib/stagecraft/acme"]]


def test_unknown_names_get_no_content_and_no_certificate(http: Block) -> None:
    plain, tls = [server for server in servers(http) if named(server, "server_name") == [["_"]]]
    assert named(plain, "return") == [["444"]]
    assert named(tls, "ssl_reject_handshake") == [["on"]]
    for server in (plain, tls):
        assert all("default_server" in args for args in named(server, "listen"))


def test_nobody_else_is_the_default_server(http: Block) -> None:
    claims = [
        args for s in servers(http) for args in named(s, "listen") if "default_server" in args
    ]
    assert len(claims) == len({args[0] for args in claims}) == 4


def test_http2_is_switched_on_as_this_nginx_knows_it(http: Block, machine: Any) -> None:
    server = vhost(http, "askpro.test")
    old = [args for args in named(server, "listen") if "http2" in args]
    assert (named(server, "http2"), len(old)) == (
        ([], 2) if machine.version == "12" else ([["on"]], 0)
    )


def test_the_key_exchange_is_what_this_openssl_knows(http: Block, machine: Any) -> None:
    ((curves,),) = named(vhost(http, "askpro.test"), "ssl_ecdh_curve")
    assert ("X25519MLKEM768" in curves) is (machine.version == "13")


def test_no_location_loses_the_headers_of_its_server(http: Block) -> None:
    """nginx drops all inherited ones where a block adds one of its own."""
    for server in servers(http):
        for line in nested(server):
            added = named(line.get("block") or [], "add_header")
            assert not added or all(header in added for header in named(server, "add_header"))


def test_staging_is_marked_and_a_site_that_says_no_is_not(http: Block) -> None:
    def headers(domain: str) -> set[str]:
        return {args[0] for args in named(vhost(http, domain), "add_header")}

    marks = {"X-Staging-Environment", "X-Robots-Tag"}
    assert marks <= headers("askpro.test")
    assert not marks & headers("shop.staging.test")
    always = {"Strict-Transport-Security", "X-Content-Type-Options", "X-Frame-Options"}
    assert always <= headers("askpro.test") & headers("shop.staging.test")


def test_basic_auth_guards_all_but_health_and_api(http: Block, protect: Any) -> None:
    server = vhost(http, "askpro.test")
    guarded = bool(protect["basic_auth"])
    assert (named(server, "auth_basic") == [["askpro-staging"]]) is guarded
    assert bool(named(server, "auth_basic_user_file")) is guarded
    off = {path for path, block in locations(server).items() if named(block, "auth_basic")}
    open_paths = {"= /health", "= /api", "^~ /api/", "^~ /.well-known/acme-challenge/"}
    assert off == {*open_paths, "^~ /.well-known/stagecraft/"}


def test_its_password_file_is_the_one_that_is_written(
    http: Block, written: Any, protect: Any
) -> None:
    for (path,) in named(vhost(http, "askpro.test"), "auth_basic_user_file"):
        users = [line.split(":")[0] for line in written.file(path).content.splitlines()]
        assert users == protect["basic_auth"]


def test_admin_is_open_to_the_declared_networks_alone(http: Block, protect: Any) -> None:
    admin = locations(vhost(http, "askpro.test")).get(ADMIN, [])
    rules = [
        [line["directive"], *line["args"]]
        for line in admin
        if line["directive"] in ("allow", "deny")
    ]
    allowed = [["allow", network] for network in protect["admin_allow"]]
    assert rules == ([*allowed, ["deny", "all"]] if allowed else [])


def test_php_is_entered_through_index_php_alone(http: Block) -> None:
    server = vhost(http, "askpro.test")
    entries = {path for path, block in locations(server).items() if named(block, "fastcgi_pass")}
    assert entries == {"= /index.php", "= /health", "= /api", "^~ /api/"}
    assert named(locations(server)["= /index.php"], "internal") == [[]]
    assert named(locations(server)["^~ /index.php/"], "return") == [["404"]]
    ((_, script),) = [a for a in named(server, "fastcgi_param") if a[0] == "SCRIPT_FILENAME"]
    assert script == "$realpath_root/index.php"


def test_php_is_told_no_path_with_a_dot_segment(http: Block) -> None:
    """Each of its locations refuses them."""
    for domain in ("askpro.test", "shop.staging.test"):
        server = vhost(http, domain)
        lines = list(nested(server))
        entries = [
            line["block"] for line in lines if named(line.get("block") or [], "fastcgi_pass")
        ]
        assert entries
        for entry in entries:
            (refusal,) = [
                line for line in [*server, *entry] if line["args"] == ["$stagecraft_dot_segment"]
            ]
            assert named(refusal["block"], "return") == [["400"]]


ADMIN = "~ ^/admin(?:/|$)"

PATHS = {
    "/.env": "refused",
    "/.git/config": "refused",
    "/x/.env": "refused",
    "/.well-known/.env": "refused",
    "/shell.php": "refused",
    "/storage/x.PHTML/y": "refused",
    "/INDEX.PHP/admin": "refused",
    "/storage/.env": "refused",
    "/storage/logo.png": "~ (?s)^/storage/(.+)$",
    "/build/assets/app-4ED99c_7.css": "ordinary",
    "/logo.png": "ordinary",
    "/vendor/livewire/livewire.min.js": "ordinary",
    "/admin.css": "ordinary",
    "/storage/a\nb": "~ (?s)^/storage/(.+)$",
    "/storage.css": "ordinary",
    "/app.4ed993c7.css": "/",
    "/x.php/y.css": "refused",
    "/x.php.css": "refused",
    "/.git/x.css": "refused",
    "/x/.css": "refused",
    "/x/.min.css": "refused",
    "/storage/.git/x.css": "refused",
    "/storage": "/",
    "/index.php/admin": "^~ /index.php/",
    "/storage/dump.sql.gz": "refused",
    "/admin/x.log.1": "refused",
    "/admin": "admin",
    "/admin/logo.png": "its file",
    "/administrators": "/",
    "/api/x.png": "^~ /api/",
    "/api/.env": "^~ /api/",
    "/apix": "/",
    "/health": "= /health",
    "/health/x": "/",
    "/.well-known/security.txt": "/",
    "/.well-known/acme-challenge/x": "^~ /.well-known/acme-challenge/",
}


def test_a_path_meets_the_location_that_is_meant_for_it(http: Block) -> None:
    found = locations(vhost(http, "askpro.test"))
    (refused,) = [name for name in found if name.startswith("~* (?x)")]
    assert named(found[refused], "return") == [["404"]]
    names = {"refused": refused, "ordinary": ordinary(found)}
    closed = ADMIN in found
    names |= {"admin": ADMIN if closed else "/", "its file": ADMIN if closed else names["ordinary"]}
    meant = {path: names.get(name, name) for path, name in PATHS.items()}
    assert {path: location_of(path, list(found)) for path in PATHS} == meant


def ordinary(found: dict[str, Block]) -> str:
    """The location of files that need not be compared with those that are refused."""
    (name,) = [name for name, block in found.items() if named(block, "log_not_found")]
    return name


NO_PHP = r"~* (?s)^/(?:wp-includes|wp-content/uploads)/.*\.php$"
SHARED = "~ ^/(?:wp-content/uploads)/"

PATHS_OF_PHP_FILES = {
    "/": "/",
    "/index.php": r"~* \.php$",
    "/wp-admin/edit.php": r"~* \.php$",
    "/wp-login.PHP": r"~* \.php$",
    "/health": "= /health",
    "/api/x.php": r"~* \.php$",
    "/wp-login.php/x": "refused",
    "/wp-login.php.bak": "refused",
    "/x.phtml": "refused",
    "/wp-includes/version.php": NO_PHP,
    "/wp-includes/css/x.css": "ordinary",
    "/wp-content/uploads/a/x.php": NO_PHP,
    "/wp-content/uploads/a\nb.php": NO_PHP,
    "/WP-content/Uploads/x.PHP": NO_PHP,
    "/wp-content/uploads/x.php.jpg": "refused",
    "/wp-content/uploads/2026/photo.jpg": SHARED,
    "/wp-content/uploads/2026/x.min.js": SHARED,
    "/wp-content/uploadsx": "/",
    "/wp-content/uploadsx/x.css": "ordinary",
    "/wp-includes/css/buttons.min.css": "ordinary",
}


def test_where_php_files_run_and_where_none(http: Block, environment: Environment) -> None:
    found = locations(vhost(http, "shop.staging.test"))
    (refused,) = [name for name in found if name.startswith("~* (?x)")]
    names = {"refused": refused, "ordinary": ordinary(found)}
    meant = {path: names.get(name, name) for path, name in PATHS_OF_PHP_FILES.items()}
    assert {path: location_of(path, list(found)) for path in meant} == meant
    assert named(found[NO_PHP], "return") == [["404"]]
    assert named(found[r"~* \.php$"], "try_files") == [["$uri", "=404"]]
    assert named(found[SHARED], "root") == [["/var/www/shop-staging/shared/storage/public"]]
    assert named(found[SHARED], "disable_symlinks") == [["on", "from=/var/www/shop-staging/shared"]]


def location_of(path: str, candidates: list[str]) -> str:
    """The location nginx takes: exact, else a longest prefix with ^~, else the first regular
    expression in order, else the longest prefix."""
    if f"= {path}" in candidates:
        return f"= {path}"
    prefixes = [c for c in candidates if path.startswith(c.removeprefix("^~ "))]
    longest = max(prefixes, key=lambda c: len(c.removeprefix("^~ ")))
    if longest.startswith("^~"):
        return longest
    for candidate in candidates:
        kind, _, pattern = candidate.partition(" ")
        flags = re.IGNORECASE if kind == "~*" else 0
        if kind in ("~", "~*") and re.search(pattern, path, flags):
            return candidate
    return longest


def test_nginx_waits_longer_than_php_may_take(http: Block, environment: Environment) -> None:
    ((timeout,),) = named(vhost(http, "askpro.test"), "fastcgi_read_timeout")
    assert int(timeout.removesuffix("s")) > environment.site("askpro").php_fpm.timeout


def test_one_limit_holds_for_nginx_and_php(http: Block, written: Any) -> None:
    ((limit,),) = named(vhost(http, "askpro.test"), "client_max_body_size")
    (ini,) = [f for f in written.files if f.path.endswith("/fpm/askpro-staging/90-stagecraft.ini")]
    assert f"post_max_size = {limit}\n" in ini.content
    assert f"upload_max_filesize = {limit}\n" in ini.content


def test_no_link_is_followed_where_the_site_can_put_one(http: Block) -> None:
    server = vhost(http, "askpro.test")
    assert named(server, "root") == [["/var/www/askpro-staging/current/public"]]
    storage = locations(server)["~ (?s)^/storage/(.+)$"]
    assert named(storage, "root") == [["/var/www/askpro-staging/shared/storage/app/public"]]
    assert named(storage, "disable_symlinks") == [["on", "from=/var/www/askpro-staging/shared"]]


def test_without_ipv6_nothing_listens_on_it(write: Any, site: Site, make_machine: Any,
    make_environment: Any,
) -> None:  # fmt: skip
    for ipv6 in (True, False):
        files = write(make_environment(site), make_machine(ipv6=ipv6)).files
        text = "".join(file.content for file in files if file.path.startswith("/etc/nginx"))
        assert ("[::]" in text) is ipv6


# --- systemd ---


@pytest.fixture
def units(tmp_path: Path, written: Any) -> Path:
    """Ours, and of those that ours are drop-ins for, the barest that systemd accepts."""
    root = tmp_path / "units"
    for file in written.files:
        if file.path.startswith("/etc/systemd/system/"):
            path = root / file.path.removeprefix("/etc/systemd/system/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file.content)
    for drop_ins in root.glob("*.d"):
        kind = "Type=oneshot\n" if "certbot" in drop_ins.name else ""
        text = f"[Service]\n{kind}ExecStart=/bin/true\n"
        (root / drop_ins.name.removesuffix(".d")).write_text(text)
    return root


UNITS = ("service", "socket", "timer")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_understands_every_unit_and_every_drop_in(units: Path) -> None:
    names = sorted(path.name for kind in UNITS for path in units.glob(f"*.{kind}"))
    assert len(names) == 20
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(units / name for name in names)],
        capture_output=True,
        text=True,
        env=os.environ | {"SYSTEMD_UNIT_PATH": f"{units}:", "SYSTEMD_LOG_LEVEL": "info"},
    )
    # Neither PHP nor the checkout need be here; all else that it says is about what we wrote.
    said = [
        line
        for line in result.stderr.splitlines()
        if str(units) in line or line.startswith(tuple(names))
    ]
    programs = r"/usr/sbin/php-fpm[\d.]+|/usr/sbin/logrotate|/(?:srv|usr/local)/\S+/stagecraft"
    missing = re.compile(rf"Command ({programs}) is not executable")
    assert [line for line in said if not missing.search(line)] == []


def test_an_fpm_unit_starts_the_php_whose_files_are_written(
    written: Any, environment: Environment, machine: Any
) -> None:
    unit = written.file("/etc/systemd/system/php-fpm@askpro-staging.service").content
    configuration = f"/etc/php/{machine.php}/fpm/askpro-staging/php-fpm.conf"
    assert f"ExecStart=/usr/sbin/php-fpm{machine.php} " in unit
    assert f"--php-ini /etc/php/{machine.php}/fpm/php.ini --fpm-config {configuration}\n" in unit
    assert written.file(configuration).content.count("[askpro-staging]") == 1


# --- PHP, Redis, databases, apt and the rest, by their own programs where they are ---


def localized(text: str, root: Path, *paths: str) -> str:
    for path in paths:
        text = text.replace(path, f"{root}{path}")
    return text


@pytest.fixture
def php_fpm() -> str:
    for version in ("8.4", "8.3", "8.2"):
        if found := shutil.which(f"php-fpm{version}", path=f"{os.environ['PATH']}:/usr/sbin"):
            return found
    pytest.skip("needs php-fpm")


def test_php_fpm_takes_pool_and_ini(written: Any, tmp_path: Path, php_fpm: str) -> None:
    for file in written.files:
        if file.path.endswith("php-fpm.conf"):
            text = localized(file.content, tmp_path, "/var/log/php-fpm-", "/run/php-fpm-")
            (tmp_path / "php-fpm.conf").write_text(text)
            (slowlog,) = re.findall(r"^slowlog = (.*)$", text, re.M)
            Path(slowlog).parent.mkdir(parents=True)
            ini = written.file(file.path.replace("php-fpm.conf", "90-stagecraft.ini"))
            (tmp_path / "90-stagecraft.ini").write_text(ini.content)
            # As root it wants a user, which the unit sets on a server.
            text = text.replace("clear_env", "user = nobody\nclear_env")
            (tmp_path / "php-fpm.conf").write_text(text)
            result = subprocess.run(
                [php_fpm, "-tt", "--fpm-config", str(tmp_path / "php-fpm.conf")],
                capture_output=True,
                text=True,
                env=os.environ | {"PHP_INI_SCAN_DIR": str(tmp_path)},
            )
            assert "test is successful" in result.stderr
            assert not re.search(r"WARNING|ERROR", result.stderr), result.stderr


@pytest.mark.skipif(not shutil.which("php"), reason="needs php-cli")
def test_php_takes_the_placeholder(written: Any, tmp_path: Path) -> None:
    (file, _) = rendered(written, "templates/app/placeholder.php.j2")
    (tmp_path / "index.php").write_text(file.content)
    result = subprocess.run(["php", "-l", tmp_path / "index.php"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def trial(written: Any, shell: Any, root: Path, change: Callable[[str], str] = str) -> Any:
    """Redis' check of the first site, with its files below `root`."""
    check = next(check for check in written.checks if "redis" in check.name)
    (root / "etc/redis").mkdir(parents=True)
    for file in written.files:
        if file.path.startswith("/etc/redis/"):
            text = localized(change(file.content), root, "/etc/redis")
            (root / file.path.lstrip("/")).write_text(text)
    return shell(f"set -eu\n{localized(check.command, root, '/etc/redis')}")


@pytest.fixture
def redis_server(tmp_path: Path) -> None:
    """Debian's redis-server is a link to this program of redis-tools, which has no service."""
    if not (program := shutil.which("redis-check-rdb")):
        pytest.skip("needs redis-tools")
    stand_ins = tmp_path / "stand-ins"
    stand_ins.mkdir()
    (stand_ins / "redis-server").symlink_to(program)


@pytest.mark.usefixtures("redis_server")
def test_redis_starts_with_its_configuration(written: Any, shell: Any, tmp_path: Path) -> None:
    result = trial(written, shell, tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.usefixtures("redis_server")
@pytest.mark.parametrize("wrong", ["maxmemory nonsense", "no-such-setting on"])
def test_redis_trial_start_refuses_what_redis_refuses(
    written: Any, shell: Any, tmp_path: Path, wrong: str
) -> None:
    result = trial(
        written, shell, tmp_path, lambda text: re.sub(r"^maxmemory .*$", wrong, text, flags=re.M)
    )
    assert result.returncode == 1
    assert wrong.split()[0] in result.stdout


def test_redis_confines_the_site_to_its_prefix(written: Any) -> None:
    default, user, check = rendered(written, "templates/redis/users.acl.j2")[0].content.splitlines()
    assert default == "user default off"
    assert user.startswith("user askpro-staging on #")
    assert {"~askpro_staging_*", "&askpro_staging_*", "-@dangerous"} <= set(user.split())
    assert "nopass" not in user
    # Who gets to the socket reads in the files what this one may ask for.
    assert check == "user stagecraft on nopass resetchannels -@all +config|get +acl|list +acl|cat"


def test_a_database_login_file_holds_one_account(written: Any) -> None:
    lines = written.file("/etc/stagecraft/database/askpro_staging.cnf").content.splitlines()
    assert lines[1:] == [
        "[client]",
        'user = "askpro_staging"',
        'password = "the-db_password-of-askpro-staging"',
        "host = localhost",
    ]


def test_a_backslash_in_a_password_is_escaped() -> None:
    r"""In an option file \s, \n and \\ are escapes, in quotes, too."""
    text = render.render("database/login.cnf.j2", login={"user": "a", "password": r"a\sb"})
    assert r'password = "a\\sb"' in text.splitlines()


@pytest.mark.skipif(not shutil.which("my_print_defaults"), reason="needs my_print_defaults")
@pytest.mark.parametrize(
    "password",
    ["plain", "a#b", "it's", 'say "hi"', " x ", r"\s \n \\"],
)
def test_the_client_reads_the_password_that_was_written(tmp_path: Path, password: str) -> None:
    login = {"user": "askpro", "password": password}
    (tmp_path / "x.cnf").write_text(render.render("database/login.cnf.j2", login=login))
    tool = ["my_print_defaults", f"--defaults-file={tmp_path}/x.cnf"]
    shown = subprocess.run(["my_print_defaults", "--help"], capture_output=True, text=True).stdout
    show = ["--show"] if "--show" in shown else []  # MySQL's masks passwords, MariaDB's does not
    result = subprocess.run([*tool, *show, "client"], capture_output=True, text=True)
    assert f"--password={password}" in result.stdout.splitlines(), result.stderr


@pytest.mark.parametrize("engine", ["mariadb", "mysql"])
def test_a_database_server_listens_on_no_port(
    write: Any, site: Site, make_environment: Any, make_machine: Any, engine: str
) -> None:
    server = Server.model_validate(
        {"name": "x", "address": "203.0.113.10", "database": {"engine": engine}}
    )
    written = write(make_environment(site, server=server), make_machine(memory_mb=4096))
    (file,) = rendered(written, "templates/database/server.cnf.j2")
    assert f"/{engine}.conf.d/" in file.path
    assert "skip-networking\n" in file.content
    assert "innodb-buffer-pool-size = 1024M\n" in file.content
    # The X protocol has a port of its own.
    assert ("mysqlx = OFF\n" in file.content) is (engine == "mysql")


def test_a_hook_is_a_script_that_sh_takes(written: Any, tmp_path: Path) -> None:
    (hook,) = rendered(written, "templates/certbot/reload-nginx.sh.j2")
    assert hook.mode == "755"
    (tmp_path / "hook").write_text(hook.content)
    subprocess.run(["sh", "-n", tmp_path / "hook"], check=True)


@pytest.mark.skipif(not shutil.which("logrotate"), reason="needs logrotate")
def test_logrotate_takes_its_file(written: Any, tmp_path: Path) -> None:
    for n, file in enumerate(rendered(written, "templates/logs/logrotate.conf.j2")):
        (tmp_path / f"{n}").write_text(file.content)
        result = subprocess.run(
            ["logrotate", "--debug", tmp_path / f"{n}"], capture_output=True, text=True
        )
        assert result.returncode == 0
        assert "error" not in result.stderr


def test_kept_assets_are_below_what_runs_php_and_what_only_some_may_see(
    write: Any, make_site: Any, make_environment: Any, machine: Any
) -> None:
    """nginx takes the first pattern that matches: it would serve PHP's source or admit everyone."""
    site = make_site(
        entry="php-files",
        protect={"admin_allow": ["198.51.100.0/24"]},
        app={"source": "../app", "assets": ["admin/build"]},
    )
    written = write(make_environment(site, server=SERVER), machine)
    (vhost,) = rendered(written, "templates/nginx/site.conf.j2")
    kept, php, admin = (
        vhost.content.index(f"\n    location {pattern} {{")
        for pattern in ("~ ^/(?:admin/build)/", r"~* \.php$", "~ ^/admin(?:/|$)")
    )
    assert kept > max(php, admin)
