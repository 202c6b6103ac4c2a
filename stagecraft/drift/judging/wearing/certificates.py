"""How long certificates last."""

from __future__ import annotations

import time
from collections.abc import Iterator

from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.judging.running.certificates import lifetimes
from stagecraft.drift.judging.wearing.finding import DAY, days, finding
from stagecraft.drift.looking.areas import Looked
from stagecraft.drift.looking.declared import Declared
from stagecraft.facts.certificates import SELF_SIGNED_MARGIN
from stagecraft.facts.lifetimes import Lifetime
from stagecraft.settings import Site

OVERDUE = 0.3
"""certbot renews when a third of the lifetime is left, and tries twice a day."""

SOON = 7 * DAY
"""Of a self-signed one, which only a run renews."""


def certificate_lifetimes(declared: Declared) -> Looked:
    environment = declared.environment
    now = time.time()
    found: list[Finding] = []
    for site, lifetime in lifetimes(environment):
        issued = environment.issuers[site.tls.issuer].directory is not None
        found += worn(site, lifetime, now, issued=issued)
    return Looked(found)


def worn(site: Site, lifetime: Lifetime, now: float, *, issued: bool) -> Iterator[Finding]:
    """`issued` says that a CA has issued it, and certbot renews it."""
    seconds = lifetime.ends - now
    if seconds <= 0:
        severity, found = Severity.CRITICAL, f"it expired {days(-seconds)} ago"
    elif issued and lifetime.left(now) < OVERDUE:
        severity, found = Severity.HIGH, f"{days(seconds)} are left, and it was not renewed"
    elif not issued and seconds < SELF_SIGNED_MARGIN:
        severity = Severity.HIGH if seconds < SOON else Severity.LOW
        found = f"{days(seconds)} are left"
    else:
        return
    by_certbot = "certbot renew && journalctl -u certbot.service"
    by_run = f"pyinfra inventories/{site.environment}.py deploy.py"
    yield finding(
        severity,
        ("certificate", site.domain),
        expected="renewed in time",
        found=found,
        remedy=by_certbot if issued and seconds > 0 else by_run,
        environment=site.environment,
    )
