"""From bare to serving in one run, and then nothing more to do."""

from __future__ import annotations

import pytest
from provisioned import Provisioned


@pytest.fixture(scope="session", params=["trixie", "bookworm", "mysql"])
def host(request: pytest.FixtureRequest) -> Provisioned:
    return request.getfixturevalue(request.param)


def test_the_plan_of_a_bare_server_is_what_the_run_then_does(host: Provisioned) -> None:
    """But for the timer: the package that the plan is about to install starts it by itself."""
    first = host.environments[0]
    surplus = set(host.planned[first]) - set(host.changed[first])
    assert set(host.changed[first]) <= set(host.planned[first])
    assert surplus <= {
        "Certificates from the ACME CA | Run certbot's timer",
        "Certificates from the ACME CA | Have systemd read certbot's service",
    }


def test_a_second_run_changes_nothing(host: Provisioned) -> None:
    for environment in host.environments:
        assert host.project.plan(environment) == []
        assert host.project.apply(environment) == []


def test_everything_is_there_again_after_a_reboot(host: Provisioned) -> None:
    host.server.reboot()
    assert host.web.get("https://staging.askpro.test/health").status == 200
    for environment in host.environments:
        assert host.project.plan(environment) == []


def test_no_unit_failed(host: Provisioned) -> None:
    assert host.ssh("systemctl --failed --no-legend --plain") == ""
