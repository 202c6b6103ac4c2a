"""Asks a site whether it is well, and which commit answers."""

import http.client
import json
import os
import shlex
import socket
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from stagecraft.on_server import sandbox
from stagecraft.on_server.site import Failed, Site

PATIENCE = 10.0
"""Seconds for one answer."""

TIMES = 5
"""So often in a row a new release has to answer."""


def answered(site: Site, status: int, body: bytes, commit: str) -> None:
    """Raises Failed unless this is a good answer of this commit."""
    shown = body[:200].decode(errors="replace")
    if status != 200:
        raise Failed(f"{site.health} answered {status}: {shown}")
    try:
        said = json.loads(body)["commit"]
    except (ValueError, TypeError, KeyError):
        raise Failed(
            f"{site.health} does not tell its commit: let it answer JSON whose `commit` is what the"
            f" file REVISION of the release contains; it answered {shown}"
        ) from None
    if said != commit:
        raise Failed(f"{site.health} is answered by commit {str(said)[:40]}, not by {commit}")


# --- Through nginx, as visitors reach it ---


def serves(site: Site, commit: str) -> None:
    """Raises Failed unless nginx gets the commit's good answer, several times in a row."""
    for _ in range(TIMES):
        status, body = through_nginx(site, site.health)
        answered(site, status, body, commit)


def through_nginx(site: Site, path: str) -> tuple[int, bytes]:
    connection = Local(site.domain, timeout=PATIENCE)
    try:
        connection.request("GET", path, headers={"User-Agent": "stagecraft"})
        response = connection.getresponse()
        return response.status, response.read(65536)
    except (OSError, http.client.HTTPException) as error:
        raise Failed(f"https://{site.domain}{path} does not answer: {error}") from error
    finally:
        connection.close()


class Local(http.client.HTTPSConnection):
    """To this machine's nginx, whatever DNS says of the name. Who answers here needs no proof."""

    def connect(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        raw = socket.create_connection(("127.0.0.1", 443), self.timeout)
        self.sock = context.wrap_socket(raw, server_hostname=self.host)


# --- Off traffic ---


def boots(site: Site, release: Path, commit: str) -> None:
    """Raises Failed unless the release answers well in a PHP-FPM of its own, which is like the
    site's but has no visitors."""
    with own_php_fpm(site) as socket_path:
        status, body = by_fastcgi(site, release, socket_path)
    answered(site, status, body, commit)


BOOT_LEAVES = sandbox.PROCESS | {"CacheDirectory", "CacheDirectoryMode"}


@contextmanager
def own_php_fpm(site: Site) -> Iterator[Path]:
    """With the site's configuration, limits and sandbox, at a socket that only root reaches."""
    unit = f"stagecraft-boot-{site.name}"
    path = Path(f"/run/stagecraft/boot-{site.name}.sock")
    lines = sandbox.settings(site.php_fpm)
    kept = [f"{name}={value}" for name, value in lines if name not in BOOT_LEAVES]
    environment = [f"Environment={value}" for name, value in lines if name == "Environment"]
    (start,) = (value for name, value in lines if name == "ExecStart")
    command = [
        *("systemd-run", "--quiet", "--collect", f"--unit={unit}"),
        *(f"--socket-property=ListenStream={path}", "--socket-property=SocketMode=0600"),
        "--socket-property=RemoveOnStop=yes",
        *(f"--property={line}" for line in [*kept, *environment, *sandbox.of_the_action(site)]),
        *("--property=KillMode=mixed", "--property=TimeoutStopSec=2s", "--"),
        *shlex.split(start),
    ]
    try:
        run(command, "a PHP-FPM for the new release cannot be started")
        yield path
    finally:
        end_own_php_fpm(site)


def end_own_php_fpm(site: Site) -> None:
    """Also the one that a killed action has left."""
    service, socket_unit = (f"stagecraft-boot-{site.name}.{kind}" for kind in ("service", "socket"))
    subprocess.run(["systemctl", "kill", "--signal=KILL", service], capture_output=True)
    subprocess.run(["systemctl", "stop", socket_unit, service], capture_output=True)


def run(command: Sequence[str], problem: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{problem}: {done.stderr.strip()}")


ASK = """
{
    timeout "$2" cgi-fcgi -bind -connect "$1" 2>&1 >&3 | { head -c 500; cat >/dev/null; } >&2
} 3>&1 | head -c 65536
"""
"""Bounded in time and in what it prints, errors as well."""


def by_fastcgi(site: Site, release: Path, socket_path: Path) -> tuple[int, bytes]:
    """The status and body of the answer to a health check."""
    entry = site.health if site.health.endswith(".php") else "/index.php"
    script = Path(f"{release}/public{entry}")
    request = {
        "SCRIPT_FILENAME": str(script),
        "SCRIPT_NAME": entry,
        "DOCUMENT_ROOT": f"{release}/public",
        "REQUEST_URI": site.health,
        "REQUEST_METHOD": "GET",
        "QUERY_STRING": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_NAME": site.domain,
        "HTTP_HOST": site.domain,
        "SERVER_PORT": "443",
        "HTTPS": "on",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_USER_AGENT": "stagecraft",
    }
    done = subprocess.run(
        ["sh", "-c", ASK, "sh", str(socket_path), str(PATIENCE)],
        env={"PATH": os.environ["PATH"], **request},
        capture_output=True,
    )
    head, _, body = done.stdout.replace(b"\r\n", b"\n").partition(b"\n\n")
    if not head:
        problem = done.stderr.decode(errors="replace").strip()
        raise Failed(f"{site.health} did not answer within {PATIENCE:.0f} seconds {problem}")
    headers = http.client.parse_headers(BytesIO(head + b"\n\n"))
    return int((headers.get("Status") or "200").split()[0]), body
