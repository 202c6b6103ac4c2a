"""What a release needs of the server works, before anything is changed."""

import os
import socket
import ssl
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from stagecraft.on_server import disk, dotenv, migrations
from stagecraft.on_server.health import PATIENCE, Local
from stagecraft.on_server.site import Failed, Site

DAYS = 3
"""For so long, the certificate has to be valid."""


def problems(site: Site, size: int) -> list[str]:
    """What a release of an archive of this size would fail at, each with what would be right."""
    try:
        env = dotenv.read(site)
    except Failed as error:
        return [str(error)]
    checks: tuple[Callable[[], None], ...] = (
        lambda: room(site.home, size),
        lambda: inodes(site.home),
        lambda: certificate(site),
        lambda: database(site, env, "app", env),
        lambda: database(site, env, "migrator", migrations.login(site)),
        lambda: redis(env),
    )
    found = []
    for check in checks:
        try:
            check()
        except (Failed, OSError) as error:
            found.append(str(error))
    return found


def room(directory: Path, size: int) -> None:
    """Raises Failed unless a release of an archive of this size fits."""
    if disk.spare(directory) < 4 * size:
        raise Failed(f"the server's disk has too little room for a release of {size // 10**6} MB")


def inodes(home: Path) -> None:
    """Raises Failed unless the disk has inodes left for twice the files of the present release: a
    build's, and root's copy."""
    system = os.statvfs(home)
    present = sum(len(below) + len(files) for _, below, files in os.walk(home / "current"))
    if system.f_files and system.f_favail < (needed := 2 * present + 1000):
        raise Failed(
            f"the server's disk has {system.f_favail} inodes left for files, and {needed} are"
            " needed: see `df -i`, and remove what has many small files"
        )


def certificate(site: Site) -> None:
    """Raises Failed unless nginx' certificate is valid for some days."""
    command = ["openssl", "x509", "-noout", "-enddate", "-checkend", str(DAYS * 86400)]
    done = subprocess.run(command, input=served(site), capture_output=True, text=True)
    if done.returncode:
        end = done.stdout.partition("=")[2].partition("\n")[0]
        raise Failed(
            f"the certificate of {site.domain} ends on {end or 'an unknown day'}: renew it,"
            " `certbot renew` says why that has failed; deploy.py makes a self-signed one anew"
        )


def served(site: Site) -> str:
    connection = Local(site.domain, timeout=PATIENCE)
    try:
        connection.connect()
        return ssl.DER_cert_to_PEM_cert(connection.sock.getpeercert(True) or b"")
    except OSError as error:
        raise Failed(
            f"nginx does not answer for {site.domain}: {error}; see `systemctl status nginx`"
        ) from None
    finally:
        connection.close()


def database(site: Site, env: Mapping[str, str], whose: str, login: Mapping[str, str]) -> None:
    """Raises Failed unless this login reaches the site's database."""
    name, socket_path = env.get("DB_DATABASE", ""), env.get("DB_SOCKET", "")
    done = subprocess.run(
        [
            *(site.database_client, "--no-defaults", "--connect-timeout=10"),
            *(f"--user={login.get('DB_USERNAME', '')}", f"--socket={socket_path}"),
            *(f"--database={name}", "--execute=select 1"),
        ],
        env={"PATH": os.environ["PATH"], "MYSQL_PWD": login.get("DB_PASSWORD", "")},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise Failed(
            f"the {whose}'s login does not reach the database {name}: {done.stderr.strip()[:300]};"
            " deploy.py restores the account"
        )


def redis(values: Mapping[str, str]) -> None:
    """Raises Failed unless Redis lets the site in."""
    login = ("AUTH", values.get("REDIS_USERNAME", ""), values.get("REDIS_PASSWORD", ""))
    path = values.get("REDIS_HOST", "")
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(path)
            connection.sendall(command(*login))
            answer = connection.recv(500).decode(errors="replace").strip()
    except OSError as error:
        answer = str(error)
    if answer != "+OK":
        raise Failed(f"the login does not reach Redis at {path}: {answer}; deploy.py restores it")


def command(*words: str) -> bytes:
    """In Redis' protocol."""
    parts = (f"${len(word.encode())}\r\n{word}\r\n" for word in words)
    return f"*{len(words)}\r\n{''.join(parts)}".encode()
