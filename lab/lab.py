"""All throwaway servers of one directory, usually the checkout's `.stagecraft`."""

import logging
import os
import re
from pathlib import Path

from lab import containers, images, tree
from lab.commands import NspawnError, locked, run
from lab.server import LabServer

log = logging.getLogger(__name__)


class Lab:
    """Servers that share a directory, an SSH key pair and an SSH configuration."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()

    @property
    def ssh_config(self) -> Path:
        """Knows every running server by name; for `ssh -F` and pyinfra's `ssh_config_file`."""
        return self.directory / "ssh_config"

    def boot(
        self,
        name: str,
        suite: str = "trixie",
        *,
        sudo_account: bool = False,
        image: Path | None = None,
    ) -> LabServer:
        """Ensures that a server of this name runs and answers, and returns it. One that runs
        already is returned as it is. A new one is a bare Debian of the suite, or a copy of the
        `image` that a server of this lab saved. With `sudo_account` it admits only `debian`, who
        may become root, as cloud images do."""
        _require_root()
        server = self.server(name)
        with locked(self.directory / "locks" / name):
            if server.runs:
                if not image and server.suite != suite:
                    raise NspawnError(
                        f"{name} runs {server.suite}, not {suite}: take it down first, or choose"
                        " another name"
                    )
                server.wait()
                return server
            server.down()
            try:
                self._unpack(server, suite, image)
                log.info("Booting %s", name)
                server.power_on()
                if sudo_account:
                    server.add_sudo_account()
            except BaseException:
                server.down()
                raise
        log.info("%s answers at %s", name, server.address)
        return server

    def server(self, name: str) -> LabServer:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name):
            raise NspawnError(
                f"{name!r} is no host name: use lower-case letters, digits and hyphens between them"
            )
        return LabServer(self.directory, name)

    def servers(self) -> list[LabServer]:
        """All servers of which anything is left, be it files or only a process."""
        servers = self.directory / "servers"
        on_disk = {path.name for path in servers.glob("*")}
        in_memory = {
            supervisor.root.parent.name
            for supervisor in containers.running()
            if supervisor.root.parent.parent == servers
        }
        return [self.server(name) for name in sorted(on_disk | in_memory)]

    def down(self, *names: str) -> None:
        """Ensures that nothing is left of these servers, or of any if none is named."""
        _require_root()
        for server in map(self.server, names) if names else self.servers():
            with locked(self.directory / "locks" / server.name):
                log.info("Removing %s", server.name)
                server.down()

    def _unpack(self, server: LabServer, suite: str, image: Path | None) -> None:
        server.root.mkdir(parents=True)
        if image:
            log.info("Unpacking %s from %s", server.name, image)
            images.copy(image, server.root)
        else:
            log.info("Unpacking %s, a bare Debian %s", server.name, suite)
            images.unpack(suite, server.root)
            tree.admit(server.root, self._public_key())
        tree.name(server.root, server.name)

    def _public_key(self) -> Path:
        key = self.directory / "key"
        with locked(self.directory / "locks" / "key"):
            if not key.exists():
                # No passphrase (-N): the key opens nothing but throwaway servers.
                run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
        return key.with_suffix(".pub")


def _require_root() -> None:
    if os.geteuid() != 0:
        raise NspawnError("containers need root: run the same command with sudo")
