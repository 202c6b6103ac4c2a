"""What runs under the identity of another service, and so has its rights."""

from __future__ import annotations

from stagecraft.drift.findings import Severity
from stagecraft.drift.judging.unmanaged.findings import unmanaged
from stagecraft.drift.looking.areas import Looked
from stagecraft.drift.looking.declared import Declared
from tasks.clashes import OPENS_SOCKETS, neighbours_of


def who_is_nginx(declared: Declared) -> Looked:
    """A pool of Debian's own PHP-FPM, for instance, beside a production that others built."""
    return Looked(
        [
            unmanaged(
                Severity.HIGH,
                "process as www-data",
                what,
                expected="nginx alone",
                found=f"it {OPENS_SOCKETS}",
                remedy="grep -rnE '(user|User|USER).*www-data' /etc/php /etc/systemd /etc/apache2"
                "  # give it another user and restart it, or waive it",
            )
            for what in neighbours_of(declared.environment).as_nginx
        ]
    )
