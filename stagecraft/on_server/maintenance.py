"""A site that is closed to visitors for a while: nginx looks for a file of root's at each request,
so that neither the app nor a reload of nginx has a part in it. A power cut opens it, too."""

import secrets
import shutil
import time
from pathlib import Path

from stagecraft.on_server.health import through_nginx
from stagecraft.on_server.site import Failed, Site

CLOSED = Path("/run/stagecraft-maintenance")
"""systemd makes it at boot. Has a directory for each closed site, where nginx may look for names,
but lists none: that of `closed`, and the secret that lets somebody in."""

LONGEST = 30
"""So many seconds a release may keep visitors out."""

PATIENCE = 10.0
"""Seconds for requests that have begun."""

GROUP = "www-data"

REFUSED = 503

CONNECTED = "03"
"""In /proc/net/unix."""


def make_pass(path: Path) -> None:
    """Writes a new secret there, for the action that will close the site."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    path.write_text(secrets.token_hex(16))


def admitting(site: Site, path: Path) -> str:
    """The link that lets somebody in with this secret, in a sentence."""
    link = f"https://{site.domain}/.well-known/stagecraft/{path.read_text()}"
    return f"While visitors are kept out, this admits you: {link}"


def close(site: Site, secret: str) -> None:
    """Admits visitors no more, and waits for those that are being answered. Raises Failed if
    visitors come in all the same."""
    directory = CLOSED / site.name
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in (secret, "closed"):
        (directory / name).touch(mode=0o600)
    shutil.chown(directory, "root", GROUP)
    directory.chmod(0o710)
    if through_nginx(site, "/")[0] != REFUSED:
        raise Failed("nginx keeps nobody out yet: run deploy.py")
    _wait_for_requests(site)


def is_closed(site: Site) -> bool:
    return (CLOSED / site.name).exists()


def open_again(site: Site) -> float:
    """How many seconds it was closed. Workers are started by whoever restarts them."""
    directory = CLOSED / site.name
    try:
        seconds = time.time() - (directory / "closed").stat().st_mtime
        (directory / "closed").unlink()
    except FileNotFoundError:
        seconds = 0.0
    shutil.rmtree(directory, ignore_errors=True)
    return round(max(seconds, 0.0), 1)


def _wait_for_requests(site: Site) -> None:
    end = time.monotonic() + PATIENCE
    while _connections(site.php_fpm_socket) and time.monotonic() < end:
        time.sleep(0.05)


def _connections(socket: str) -> int:
    """To PHP-FPM: nginx makes one for each request."""
    lines = Path("/proc/net/unix").read_text(errors="replace").splitlines()
    fields = (line.split() for line in lines)
    return sum(words[-1] == socket and words[5] == CONNECTED for words in fields if len(words) > 7)
