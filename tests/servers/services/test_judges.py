"""Checkers that nobody here wrote, on what runs on the servers."""

from __future__ import annotations

from pathlib import Path

import pytest
from judges import issues_of_gixy, judge
from pebble import Pebble
from provisioned import Provisioned


def test_gixy_finds_nothing_in_our_files(host: Provisioned, tmp_path: Path) -> None:
    assert issues_of_gixy(host, tmp_path) == []


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
