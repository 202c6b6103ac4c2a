"""A team's own template and step: planned, applied, known to the check, gone when taken out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from project import REPOSITORY
from provisioned import Provisioned

from stagecraft.drift import CHECK
from stagecraft.drift.findings import Report

TEMPLATE = "logs/logrotate.conf.j2"
CRON = "/etc/cron.d/stagecraft-askpro-staging"
ROTATED = "/etc/stagecraft/logrotate/askpro-staging.conf"

STEP = """\
from stagecraft.operations import files
from stagecraft.render import file

def after_app(site):
    files.tree(
        name=f"Write the cron jobs of {site.name}",
        tree=f"own-cron-{site.name}",
        nodes=[file(f"/etc/cron.d/stagecraft-{site.name}", "cron/site.j2", site=site)],
    )
"""


@pytest.fixture
def own(trixie: Provisioned) -> Iterator[Path]:
    """overrides/ of the project, gone before others use the server."""
    directory = trixie.project.directory / "overrides"
    (directory / "cron").mkdir(parents=True)
    (directory / "cron/site.j2").write_text("# {{ managed }}\n5 4 * * * {{ site.name }} true\n")
    (directory / "cron.py").write_text(STEP)
    (directory / TEMPLATE).parent.mkdir()
    text = (REPOSITORY / "templates" / TEMPLATE).read_text()
    (directory / TEMPLATE).write_text(f"{text}# ours\n")
    yield directory
    shutil.rmtree(directory, ignore_errors=True)
    trixie.project.apply("staging")
    assert not trixie.project.plan("staging")


def check(host: Provisioned) -> Report:
    report = host.project.directory / "report.json"
    report.unlink(missing_ok=True)
    host.project.pyinfra("staging", "--dry", "--data", f"report={report}", verb=str(CHECK))
    return Report.model_validate_json(report.read_text())


def test_what_a_team_overrides_is_managed_like_the_rest(trixie: Provisioned, own: Path) -> None:
    planned = trixie.project.plan("staging")
    written = (
        "overrides/cron.py | Write the cron jobs of askpro-staging, from overrides/cron/site.j2"
    )
    assert written in planned
    assert any(name.endswith(f", from overrides/{TEMPLATE}") for name in planned)
    trixie.project.apply("staging")
    assert trixie.project.plan("staging") == []
    assert "(overrides/cron/site.j2)" in trixie.ssh(f"head -1 {CRON}")
    assert trixie.ssh(f"tail -1 {ROTATED}").strip() == "# ours"

    trixie.ssh(f"rm {CRON}; echo >>{ROTATED}")
    found = {finding.thing: finding.expected for finding in check(trixie).findings}
    assert found[CRON].endswith("from overrides/cron/site.j2")
    assert found[ROTATED].endswith(f"from overrides/{TEMPLATE}")
    trixie.project.apply("staging")

    shutil.rmtree(own)
    planned = trixie.project.plan("staging")
    assert f"Removed steps | Remove own-cron-askpro-staging, remove {CRON}" in planned
    trixie.project.apply("staging")
    assert not trixie.succeeds(f"[ -e {CRON} ]")
    assert "# ours" not in trixie.ssh(f"cat {ROTATED}")


def test_a_mistake_in_a_step_stops_the_run_before_it_changes_anything(
    trixie: Provisioned, own: Path
) -> None:
    (own / "cron.py").write_text(STEP.replace("site.name}", "site.nam}"))
    run = trixie.project.pyinfra("staging", "-y")
    assert run.code == 1
    assert "overrides/cron.py:6: AttributeError: 'Site' object has no attribute 'nam'" in run.output
    assert "Traceback" not in run.output
    assert not trixie.succeeds(f"[ -e {CRON} ]")
