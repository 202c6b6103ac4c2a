"""The checkers that nobody here wrote, and what they are asked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from provisioned import Provisioned

from lab.server import LabServer

WAIVED = {
    # Wants open_file_cache, which would go on serving the release before a switch.
    "try_files_is_evil_too",
}


def judge(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.prefix, "judges/bin", name)
    return subprocess.run(
        [str(program), *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def issues_of_gixy(host: Provisioned, directory: Path) -> list[dict[str, object]]:
    """Judged together with Debian's nginx.conf, which is not ours to change."""
    configuration = directory / "nginx.conf"
    configuration.write_text(host.ssh("nginx -T 2>/dev/null") + "\n")
    verdict = judge("gixy", "--format=json", f"--skips={','.join(WAIVED)}", str(configuration))
    issues = json.loads(verdict.stdout)
    return [issue for issue in issues if issue["file"] != str(configuration)]


def ssh_audit(server: LabServer) -> subprocess.CompletedProcess[str]:
    """The server's SSH against ssh-audit's hardening policy for its Debian."""
    policy = {
        "bookworm": "Hardened Debian 12 (version 3)",
        "trixie": str(Path(__file__).with_name("ssh-audit-debian-13.policy")),
    }[server.suite]
    program = str(Path(sys.prefix, "judges/bin/ssh-audit"))
    command = [program, "--no-colors", "--policy", policy]
    return subprocess.run(
        [*command, server.address], capture_output=True, text=True, check=False, timeout=60
    )
