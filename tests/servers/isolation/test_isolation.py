"""Staging beside production on one machine: all that staging tries in the matrix fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from isolation import (
    BREAK_IN,
    HOME,
    PRODUCTION,
    ROOT,
    STAGING,
    Attempt,
    cases,
    query,
    run_php,
    unit_limits,
)
from provisioned import Provisioned, bound, quote

ADDRESSES = "169.254.169.254/32 fd00:ec2::254/128 2001:db8::7/128"
"""A cloud's metadata, and a public address of the machine."""

LISTEN = f"""
for address in {ADDRESSES}; do ip address add $address dev lo; done
systemd-run --quiet --unit=neighbour redis-server --port 6400 --bind 0.0.0.0 :: \
    --protected-mode no --save ''
"""
"""A Redis without a password, on every address of the machine."""

HUSH = f"""
systemctl stop neighbour
for address in {ADDRESSES}; do ip address del $address dev lo; done
"""


@pytest.fixture(scope="module")
def broken_into(trixie: Provisioned) -> Iterator[Provisioned]:
    """Both sites' PHP run what they are sent, and production has something worth reaching for."""
    indexes = {name: f"/var/www/{name}/current/public/index.php" for name in (STAGING, PRODUCTION)}
    for name, index in indexes.items():
        insert = f"sed -i '/^declare/r /dev/stdin' {index}"
        trixie.ssh(f"cp -p {index} /root/{name}.php; {insert}", input=BREAK_IN)
        trixie.ssh(f"chown root:{name} {index}; systemctl reload php-fpm@{name}")
    query(
        trixie,
        "CREATE TABLE askproai_db.isolation (id INT); INSERT INTO askproai_db.isolation VALUES (1)",
    )
    trixie.ssh(LISTEN)
    trixie.ssh(bound(6400))
    yield trixie
    trixie.ssh(HUSH)
    for name, index in indexes.items():
        trixie.ssh(f"cp -p /root/{name}.php {index}; systemctl reload php-fpm@{name}")
    query(trixie, "DROP TABLE askproai_db.isolation")
    trixie.ssh(f"rm -f {HOME}/shared/storage/logs/planted; sleep 1")


CASES = [pytest.param(*case, id=f"{case[1].way}: {case[1].text[:70]}") for case in cases()]


@pytest.mark.parametrize(("row", "attempt"), CASES)
def test_staging_cannot(
    broken_into: Provisioned,
    row: str,
    attempt: Attempt,
    record_property: Callable[[str, object], None],
) -> None:
    succeeds = attempt.succeeds(broken_into)
    record_property("isolation", (row, attempt.way, not succeeds))
    assert not succeeds


CONTROLS = [
    pytest.param(attempt, id=f"{attempt.way}: {attempt.text[:70]}")
    for _, attempt in cases()
    if attempt.works_for == PRODUCTION or (attempt.works_for == ROOT and attempt.way != "PHP")
]


@pytest.mark.parametrize("attempt", CONTROLS)
def test_the_attempt_is_a_real_one(broken_into: Provisioned, attempt: Attempt) -> None:
    assert attempt.succeeds(broken_into, attempt.works_for)


def test_staging_s_php_writes_where_it_may(broken_into: Provisioned) -> None:
    path = f"/var/www/{STAGING}/shared/storage/logs/own"
    assert run_php(broken_into, STAGING, f"return touch('{path}') && unlink('{path}');")


@pytest.mark.parametrize("unit", [f"php-fpm@{STAGING}", f"redis-server@{STAGING}"])
def test_the_kernel_knows_the_limits(trixie: Provisioned, unit: str) -> None:
    limits = unit_limits(trixie, unit)
    group = f"/sys/fs/cgroup{limits['ControlGroup']}"
    if not trixie.succeeds(f"test -e {quote(group + '/memory.max')}"):
        pytest.skip("this kernel gives containers no memory controller: declared, not enforced")
    files = {"MemoryMax": "memory.max", "TasksMax": "pids.max", "CPUWeight": "cpu.weight"}
    for name, file in files.items():
        assert trixie.ssh(f"cat {quote(group + '/' + file)}") == limits[name]
