"""From bare to serving in one run, and then nothing more to do."""

from __future__ import annotations

import json

import pytest
from provisioned import Provisioned


@pytest.fixture(scope="session", params=["trixie", "bookworm", "mysql"])
def host(request: pytest.FixtureRequest) -> Provisioned:
    return request.getfixturevalue(request.param)


def test_the_plan_of_a_bare_server_is_what_the_run_then_does(host: Provisioned) -> None:
    """But for what systemd has read already, when a package's daemon-reload came after it."""
    first = host.environments[0]
    surplus = set(host.planned[first]) - set(host.changed[first])
    assert set(host.changed[first]) <= set(host.planned[first])
    assert surplus <= {"Certificates from the ACME CA | Make systemd read certbot's service"}


def test_a_second_run_changes_nothing(host: Provisioned) -> None:
    for environment in host.environments:
        assert host.project.plan(environment) == []
        assert host.project.apply(environment) == []


def test_the_program_says_what_a_preloaded_run_says(trixie: Provisioned) -> None:
    run = trixie.project.start("staging", "--dry", "--json")
    stdout, _ = run.communicate(timeout=60)
    preloaded = trixie.project.pyinfra("staging", "--dry", "--json")
    assert run.returncode == preloaded.code == 0
    assert json.loads(stdout)["plan"] == json.loads(preloaded.stdout)["plan"] != []


EDITS = {
    "account": (
        "usermod --shell /bin/bash askpro-staging",
        ["App home | Add the user askpro-staging"],
    ),
    "grant": (
        'echo "GRANT DROP ON askproai_staging.* TO askproai_staging@localhost" | $(command -v'
        " mariadb || echo mysql)",
        ["Database | Create the database askproai_staging and its accounts"],
    ),
    "mode": (
        "chmod o+r /var/www/askpro-staging/shared/.env",
        ["App settings | Write /var/www/askpro-staging/shared/.env"],
    ),
    "stopped": (
        "systemctl stop php-fpm@askpro-staging",
        ["PHP-FPM | Run PHP-FPM of askpro-staging: start, it is inactive"],
    ),
    "vhost": (
        "echo '# by hand' >>/etc/nginx/sites-available/askpro-staging.conf",
        ["nginx | Write the vhost of askpro-staging", "nginx | Run nginx: reload"],
    ),
    "disabled": ("systemctl disable --quiet nginx", ["nginx | Run nginx"]),
}
"""What somebody does by hand, and what puts it right, in the order of a run."""


@pytest.mark.parametrize("edit", EDITS)
def test_after_a_hand_edit_the_plan_is_exactly_that_edit(trixie: Provisioned, edit: str) -> None:
    puts_right(trixie, edit)


@pytest.mark.parametrize("host", ["bookworm", "mysql"], indirect=True, scope="session")
def test_after_several_at_once_the_plan_is_exactly_these(host: Provisioned) -> None:
    """What each of them brings alone is no other on another Debian or database."""
    puts_right(host, *(edit for edit in EDITS if edit != "disabled"))
    puts_right(host, "disabled")


def puts_right(host: Provisioned, *edits: str) -> None:
    commands, plans = zip(*(EDITS[edit] for edit in edits), strict=True)
    host.ssh("\n".join(commands))
    expected = [operation for plan in plans for operation in plan]
    assert host.project.plan("staging") == expected
    assert host.project.apply("staging") == expected
    assert host.project.plan("staging") == []


def test_everything_is_there_again_after_a_reboot(host: Provisioned) -> None:
    host.reboot()
    assert host.web.get("https://staging.askpro.test/health").status == 200
    for environment in host.environments:
        assert host.project.plan(environment) == []


def test_no_unit_failed(host: Provisioned) -> None:
    assert host.ssh("systemctl --failed --no-legend --plain") == ""
