"""Checkers that nobody here wrote, on what runs on the servers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pebble import Pebble
from provisioned import Provisioned

WAIVED = {
    # Wants open_file_cache, which would go on serving the release before a switch.
    "try_files_is_evil_too",
}

ENDINGS = "bak conf dist fla inc ini log orig psd sh sql swo swp php phtml"
FORBIDDEN = [f"dump.{ending}" for ending in ENDINGS.split()] + [
    "index.html~",
    "#index.html#",
    ".env",
    ".git/HEAD",
    ".htpasswd",
    ".DS_Store",
]
"""One of each that h5bp's server-configs-nginx (file_access.conf) forbids, and sources."""


def judge(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name(name)
    return subprocess.run(
        [str(program), *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_gixy_finds_nothing_in_our_files(host: Provisioned, tmp_path: Path) -> None:
    """Judged together with Debian's nginx.conf, which is not ours to change."""
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(host.ssh("nginx -T 2>/dev/null") + "\n")
    verdict = judge("gixy", "--format=json", f"--skips={','.join(WAIVED)}", str(configuration))
    issues = json.loads(verdict.stdout)
    assert [issue for issue in issues if issue["file"] != str(configuration)] == []


@pytest.mark.parametrize("host", ["bookworm", "mysql"], indirect=True, scope="session")
def test_sslyze_finds_mozilla_s_intermediate_profile(
    host: Provisioned, pebble: Pebble, tmp_path: Path
) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text(pebble.root)
    verdict = judge(
        "sslyze",
        "--mozilla_config=intermediate",
        "--sni=staging.askpro.test",
        f"--certinfo_ca_file={authority}",
        f"{host.server.address}:443",
    )
    assert verdict.returncode == 0, verdict.stdout[-3000:]
    assert "OK - Compliant" in verdict.stdout


@pytest.mark.parametrize("unit", ["php-fpm@askpro-staging", "redis-server@askpro-staging"])
def test_systemd_finds_our_units_hardly_exposed(host: Provisioned, unit: str) -> None:
    verdict = host.ssh(f"systemd-analyze security {unit}.service | tail -n 1")
    assert float(verdict.split(":")[1].split()[0]) <= 2.5


def test_no_file_that_h5bp_forbids_is_served(host: Provisioned) -> None:
    shop = host.site("shop")
    public = f"{shop.home}/current/public"
    host.ssh(
        f"mkdir -p {public}/.git; "
        + "; ".join(f"echo leak > '{public}/{name}'" for name in FORBIDDEN)
        + f"; chown -R {shop.name}: {public}"
    )
    served = [
        name
        for name in FORBIDDEN
        if b"leak" in host.web.get(f"https://shop.test/{name.replace('#', '%23')}").body
    ]
    host.ssh("; ".join(f"rm '{public}/{name}'" for name in FORBIDDEN) + f"; rmdir {public}/.git")
    assert served == []
