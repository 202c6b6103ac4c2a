"""One throwaway server."""

import logging
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab import containers, images, inside, kernel, network, ssh_config, tree
from lab.commands import NspawnError, locked, run
from stagecraft.harmless import harmless

log = logging.getLogger(__name__)

BOOTED_WITHIN = 60.0  # seconds

# What cloud images do: root's key moves to an account that may become root.
SUDO_ACCOUNT = """
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get install --quiet --quiet --no-install-recommends --yes sudo
useradd --create-home --shell /bin/bash debian
echo 'debian ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/90-debian
chmod 440 /etc/sudoers.d/90-debian
mv /root/.ssh /home/debian/
chown -R debian:debian /home/debian/.ssh
"""


@dataclass(frozen=True)
class LabServer:
    """A server of the lab in a directory: a handle that asks disk and /proc, and stores nothing."""

    lab: Path
    name: str

    @property
    def directory(self) -> Path:
        return self.lab / "servers" / self.name

    @property
    def root(self) -> Path:
        """The server's file system, as this machine sees it."""
        return self.directory / "root"

    @property
    def address(self) -> str:
        return (self.directory / "address").read_text()

    @property
    def suite(self) -> str:
        return tree.suite(self.root)

    @property
    def user(self) -> str:
        """The account that `ssh` logs in with unless told otherwise."""
        return tree.login(self.root)

    @property
    def runs(self) -> bool:
        """Whether it runs and its files are there, not only what a killed run left of it."""
        return (self.directory / "ssh_config").exists() and bool(containers.supervisors(self.root))

    def ssh(
        self,
        command: str,
        *,
        user: str | None = None,
        input: str | None = None,
        check: bool = True,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a shell command on the server and returns what it printed. `timeout` is in seconds.
        Raises NspawnError with the output if the command fails and `check` is on, and
        subprocess.TimeoutExpired if it takes longer."""
        result = subprocess.run(
            [*self.ssh_command(user), "--", command],
            check=False,
            input=input or "",
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check and result.returncode:
            raise NspawnError(
                f"on {self.name}, `{command}` ended with {result.returncode}:\n"
                f"{result.stdout}{result.stderr}"
            )
        return result

    def ssh_command(self, user: str | None = None) -> list[str]:
        """The start of a command line that logs in to the server."""
        config = str(self.directory / "ssh_config")
        return ["ssh", "-F", config, "-o", "BatchMode=yes", "-l", user or self.user, self.name]

    def power_on(self) -> None:
        """Ensures that the server runs, with an address of its own, and answers."""
        with locked(network.LOCK):
            network.ensure()
            number = network.free_number({other.number for other in containers.running()})
            address = network.address(number)
            (self.directory / "address").write_text(address)
            tree.connect(self.root, address)
            containers.start(self.root, self.name, number)
        self.publish()
        self.wait()

    def power_off(self) -> None:
        """Ensures that the server is shut down in good order; its files stay."""
        containers.stop(self.root)

    def reboot(self) -> None:
        """Reboots, as a provider's reset button does, and waits until the server answers again."""
        containers.press_reset(self.root)
        self.wait()

    def wait(self) -> None:
        """Waits until SSH answers and the boot is over. Raises NspawnError with the end of the
        console if that does not come true."""
        otherwise = f"{self.name} does not answer at {self.address}"
        try:
            containers.wait_until(self._answers, BOOTED_WITHIN, otherwise)
        except NspawnError as error:
            raise NspawnError(f"{error}; its console ends with:\n{self._console()}") from None
        self.ssh("systemctl is-system-running --wait", check=False, timeout=BOOTED_WITHIN)

    def add_sudo_account(self) -> None:
        """Ensures the login `debian` with passwordless sudo, and none for root any more."""
        self.ssh(SUDO_ACCOUNT)
        self.publish()

    def publish(self) -> None:
        """Ensures that the lab's SSH configuration says how to reach and recognise the server."""
        ssh_config.write_host(
            self.directory,
            address=self.address,
            user=self.user,
            key=self.lab / "key",
            host_key=tree.host_key(self.root),
        )
        ssh_config.collect(self.lab)

    def snapshot(self, image: Path) -> Path:
        """Saves the server's files in the new directory `image`, to boot others of this lab from.
        The server is powered off meanwhile, so that databases are at rest, and on again after
        it."""
        self.power_off()
        image.mkdir(parents=True)
        images.copy(self.root, image)
        self.power_on()
        return image

    def harvest(self) -> None:
        """Ensures that the packages it has downloaded need no download on the next server."""
        if inside.exists(self.root, "etc/os-release"):
            images.harvest(self.suite, self.root)

    def down(self) -> None:
        """Ensures that nothing is left of the server, whatever state it is in."""
        containers.kill(self.root)
        try:
            self.harvest()
        except NspawnError as error:
            log.warning("Keeping no packages of %s: %s", self.name, error)
        # rm and not rmtree, which fails on directories as deep as a container can nest them.
        run("rm", "-rf", str(self.directory))
        ssh_config.collect(self.lab)
        with locked(network.LOCK):
            if not containers.running():
                network.remove()
                kernel.restore()

    def _answers(self) -> bool:
        """Whether SSH answers; raises NspawnError if the container has ended instead."""
        if not containers.supervisors(self.root):
            raise NspawnError(f"{self.name} ended while it booted")
        try:
            with socket.create_connection((self.address, 22), timeout=0.2) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def _console(self) -> str:
        lines = (self.directory / "console.log").read_text(errors="replace").splitlines()
        return "\n".join(map(harmless, lines[-10:]))
