"""Prints who the server knows, and whom it trusts, with what packages say of it: a kind, a name and
a value; NUL-terminated, as base64. Of passwords, only whether there is one."""

import re
import socket
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
OF_PACKAGES, OF_ADMINS = "/usr/share/ca-certificates", "/usr/local/share/ca-certificates"
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
SNAKE_OIL = "/etc/ssl/certs/ssl-cert-snakeoil.pem"

Row = tuple[str, str, str]


def lines(path: str | Path) -> list[str]:
    """Without comments."""
    try:
        text = Path(path).read_bytes().decode("utf-8", "surrogateescape")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def fields(path: str, count: int) -> Iterator[list[str]]:
    return (row for row in (line.split(":") for line in lines(path)) if len(row) == count)


def state(hashed: str) -> str:
    """Of a field in passwd, group or their shadows."""
    if not hashed:
        return "empty"
    return "" if hashed[0] in "x!*" else "set"


def accounts() -> Iterator[Row]:
    for name, password, uid, gid, _, home, shell in fields("/etc/passwd", 7):
        yield "account", name, f"{uid}:{gid}:{home}:{shell}"
        if state(password):
            yield "password", name, state(password)
    for name, _, changed, least, most, warning, inactive, expires, _ in fields("/etc/shadow", 9):
        yield "ageing", name, ":".join([changed, least, most, warning, inactive, expires])
    for line in lines("/etc/login.defs"):
        if line.startswith("PASS_"):
            option, value = line.split()[:2]
            yield "default", option, value
    for file in ("subuid", "subgid"):
        for line in lines(f"/etc/{file}"):
            yield file, line, ""


def groups() -> Iterator[Row]:
    for name, password, gid, members in fields("/etc/group", 4):
        yield "group", name, gid
        yield from members_of(name, members)
        if state(password) == "set":
            yield "group password", name, "set"
    for name, password, administrators, members in fields("/etc/gshadow", 4):
        yield from members_of(name, members)
        if state(password) == "set":
            yield "group password", name, "set"
        for administrator in filter(None, administrators.split(",")):
            yield "administrator", name, administrator


def members_of(group: str, names: str) -> Iterator[Row]:
    return (("member", group, name) for name in names.split(",") if name)


def of_packages() -> Iterator[Row]:
    for name, _, uid, gid, _, home, shell in fields("/usr/share/base-passwd/passwd.master", 7):
        yield "fixed", name, f"{uid}:{gid}:{home}:{shell}"
    for path in sorted(Path("/usr/lib/sysusers.d").glob("*.conf")):
        for line in lines(path):
            kind, name, *rest = re.findall(r'"[^"]*"|\S+', line)
            if kind.startswith("u"):
                yield "sysusers", name, ""
            elif kind == "m" and rest:
                yield "sysusers member", rest[0], name
    for line in lines("/var/lib/dpkg/status"):
        if line.startswith("Package: "):
            yield "package", line[9:], ""


def names() -> Iterator[Row]:
    for line in lines("/etc/nsswitch.conf"):
        database, _, sources = line.partition(":")
        yield "names", database.strip(), " ".join(sources.split())
    for line in lines("/etc/hosts"):
        address, *called = line.split("#")[0].split()
        yield "host", address, " ".join(called)
    yield "hostname", socket.gethostname(), ""


def trust() -> Iterator[Row]:
    homes = {row[5] for row in fields("/etc/passwd", 7)}
    for path in (Path(home, name) for home in homes for name in (".rhosts", ".shosts")):
        if path.is_file():
            yield "trusted login", str(path), ""
    for line in lines("/root/.ssh/known_hosts") + lines("/root/.ssh/known_hosts2"):
        yield "known host", " ".join(line.split()[:3]), ""


def authorities() -> Iterator[Row]:
    """Those that a program could trust and that are of no package, by file."""
    listed = read_certificates(Path(BUNDLE))
    left = listed.keys() - certificates_below(OF_PACKAGES).keys()
    own = certificates_below(OF_ADMINS)
    for certificate in left | own.keys():
        yield "authority", own.get(certificate, BUNDLE), ""
    for path in Path("/etc/ssl/certs").iterdir():
        target = str(path.resolve())
        inside = target.startswith(("/etc/ssl/certs/", f"{OF_PACKAGES}/", f"{OF_ADMINS}/"))
        named = str(path) in (BUNDLE, SNAKE_OIL) or (path.is_symlink() and inside)
        if not named:
            yield "authority", str(path), ""


def certificates_below(directory: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in Path(directory).rglob("*"):
        if path.suffix in (".crt", ".pem") and path.is_file():
            found |= read_certificates(path)
    return found


def read_certificates(path: Path) -> dict[str, str]:
    text = path.read_text(errors="replace") if path.is_file() else ""
    return {"".join(body.split()): str(path) for body in CERTIFICATE.findall(text)}


rows = [*accounts(), *groups(), *of_packages(), *names(), *trust(), *authorities()]
printed = "".join(f"{field}\0" for row in dict.fromkeys(rows) for field in row)
sys.stdout.write(b64encode(printed.encode("utf-8", "surrogateescape")).decode())
