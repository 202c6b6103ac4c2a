"""A server's console: a way in that no run can close, and no log calls a login."""

from __future__ import annotations

import subprocess

from lab import containers
from lab.server import LabServer


class Console:
    """What has a server, at whose console a test types."""

    server: LabServer

    def shell(self, command: str) -> str:
        """A command as root; what it printed."""
        into = ["nsenter", f"--target={containers.leader(self.server.root)}", "--all"]
        done = subprocess.run(
            [*into, "sh", "-c", command], capture_output=True, text=True, timeout=500
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()
