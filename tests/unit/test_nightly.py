"""Which checkout the nightly check may use, and which inventories it takes by itself."""

from __future__ import annotations

import pytest

from stagecraft.errors import CommandLineError
from tasks.nightly import lasting, wanted


def test_what_is_no_throwaway_is_checked() -> None:
    assert list(lasting()) == ["inventories/production.py", "inventories/staging.py"]


def test_the_command_line_has_the_last_word() -> None:
    check = wanted({"checkout": "/opt/ops/", "inventories": "inventories/a.py,inventories/b.py"})
    assert (check.checkout, check.inventories) == (
        "/opt/ops",
        ("inventories/a.py", "inventories/b.py"),
    )


@pytest.mark.parametrize(
    ("checkout", "words"),
    [
        ("/home/anna/ops", "cannot read a checkout in /home/anna/ops"),
        ("/root", "cannot read"),
        ("srv/ops", "cannot read"),
        ("/srv/a b", "characters that a systemd unit would misread"),
        ("/srv/%h", "characters"),
        ("/srv/a\nExecStart=/bin/sh", "characters"),
    ],
)
def test_a_checkout_that_the_service_could_not_use_is_refused(checkout: str, words: str) -> None:
    with pytest.raises(CommandLineError) as error:
        wanted({"checkout": checkout, "inventories": "inventories/a.py"})
    assert words in str(error.value)
