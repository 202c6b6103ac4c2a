"""Sizes follow from a site's settings and the machine's memory, and FPM accepts all of a pool's."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from pydantic import ValidationError

from stagecraft.settings.models import PhpFpmSettings
from stagecraft.sizes import OPCACHE_MB, cpu_weight, pool, redis_memory_max_mb, too_large


def test_processes_fill_the_share_beside_opcache(make_machine: Any) -> None:
    sizes = pool(PhpFpmSettings(memory="50%", process_size="48M"), make_machine(memory_mb=4096))
    assert sizes.memory_mb == 2048
    assert sizes.max_children == (2048 - 128) // 48


def test_the_declared_maximum_holds_on_a_large_machine(make_machine: Any) -> None:
    sizes = pool(PhpFpmSettings(memory="50%", max_children=50), make_machine(memory_mb=65536))
    assert (sizes.max_children, sizes.start_servers, sizes.max_spare_servers) == (50, 5, 35)


def test_a_tiny_machine_still_gets_two_processes(make_machine: Any) -> None:
    sizes = pool(PhpFpmSettings(memory="1%", process_size="48M"), make_machine(memory_mb=256))
    assert sizes.max_children == 2
    assert sizes.memory_mb == OPCACHE_MB + 2 * 48


def test_a_site_that_wants_one_process_gets_one(make_machine: Any) -> None:
    sizes = pool(PhpFpmSettings(max_children=1), make_machine())
    assert (sizes.max_children, sizes.start_servers, sizes.max_spare_servers) == (1, 1, 1)


@pytest.mark.parametrize(
    ("memory_mb", "share", "process_size", "maximum"),
    [*product([256, 1024, 65536], ["1%", "20%", "100%"], ["2M", "48M", "1G"], [1, 2, 3, 50, 500])],
)
def test_fpm_accepts_the_numbers(
    make_machine: Any, memory_mb: int, share: str, process_size: str, maximum: int
) -> None:
    """fpm_conf.c: 1 <= min_spare <= start <= max_spare <= max_children."""
    settings = PhpFpmSettings(memory=share, process_size=process_size, max_children=maximum)
    sizes = pool(settings, make_machine(memory_mb=memory_mb))
    assert 1 <= sizes.min_spare_servers <= sizes.start_servers <= sizes.max_spare_servers
    assert sizes.max_spare_servers <= sizes.max_children <= maximum
    process_mb = settings.process_size_bytes // 2**20
    assert sizes.max_children * process_mb + sizes.opcache_mb <= sizes.memory_mb


def test_one_request_may_take_more_than_a_process_takes_as_a_rule(make_machine: Any) -> None:
    assert pool(PhpFpmSettings(process_size="100M"), make_machine()).memory_limit_mb == 200
    assert pool(PhpFpmSettings(process_size="10M"), make_machine()).memory_limit_mb == 128


def test_less_than_a_megabyte_a_process_is_refused() -> None:
    with pytest.raises(ValidationError, match="megabytes"):
        PhpFpmSettings(process_size="512k")


def test_staging_yields_the_cpu_to_what_is_not_marked_as_staging(make_site: Any) -> None:
    assert cpu_weight(make_site()) < cpu_weight(make_site(mark_staging=False)) == 100


def test_redis_may_take_more_than_its_data(make_site: Any) -> None:
    assert redis_memory_max_mb(make_site(redis={"memory": "128mb"})) == 3 * 128 + 64
    assert redis_memory_max_mb(make_site(redis={"memory": "1gb"})) == 3 * 1024 + 64


@pytest.mark.parametrize(
    ("settings", "memory_mb", "wrong"),
    [
        ({"php_fpm": {"process_size": "64G"}}, 4096, "process_size: 64G is too much for 20% of"),
        ({"php_fpm": {"process_size": "1G"}}, 4096, "at most 819M, or a larger share"),
        ({"php_fpm": {"process_size": "819M"}}, 4096, None),
        ({"php_fpm": {"process_size": "3G", "memory": "90%"}}, 4096, "at most 1984M"),
        ({"php_fpm": {"memory": "5%"}}, 256, None),
        ({"redis": {"memory": "64gb"}}, 4096, "redis: memory: 64gb is more than 4096 MB"),
        ({"redis": {"memory": "1gb"}}, 4096, None),
    ],
)
def test_what_no_share_bounds_must_fit_into_the_machine(
    make_site: Any, make_machine: Any, settings: Any, memory_mb: int, wrong: str | None
) -> None:
    if settings.get("redis"):
        settings["redis"]["prefix"] = "a_"
    said = too_large(make_site(**settings), make_machine(memory_mb=memory_mb))
    assert (said is None) == (wrong is None)
    assert (wrong or "") in (said or "")
