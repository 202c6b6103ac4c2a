"""Whether nginx serves the certificates on disk, and how long they remain valid."""

import time
from collections.abc import Iterator

from stagecraft.drift.findings import Class, Finding, Kind, Severity
from stagecraft.drift.judging.remedies import run
from stagecraft.drift.judging.wearing import DAY, days
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.facts.certificate_lifetimes import Lifetime, LifetimesFact
from stagecraft.facts.certificates import SELF_SIGNED_MARGIN
from stagecraft.run import this_run
from stagecraft.services import Nginx
from stagecraft.settings import Environment, Site

SERVED = Kind(Class.RUNNING, "certificate")
LIFETIME = Kind(Class.WEARING, "certificate", "renewed in time")

OVERDUE = 0.3
"""certbot renews when a third of the lifetime is left, and tries twice a day."""

SOON = 7 * DAY
"""For self-signed ones, which only a run renews."""


def lifetimes(environment: Environment) -> list[tuple[Site, Lifetime]]:
    """Of every site with a certificate."""
    pairs = [[Nginx(site.name).certificate, site.domain] for site in environment.sites]
    found = ask(LifetimesFact, sites=pairs)
    return [(site, found[site.domain]) for site in environment.sites if site.domain in found]


def served_certificates(declared: Declared) -> Iterator[Finding]:
    """Asks on the server for each site's certificate. Skips sites with a changed link, which is
    another finding."""
    for site, lifetime in lifetimes(declared.environment):
        link = Nginx(site.name).certificate
        fresh = lifetime.served in ("", lifetime.fingerprint)
        if not fresh and link not in this_run().differing_paths():
            yield SERVED.finding(
                site.domain,
                expected=f"nginx serves the one in {link}",
                found="it still serves another one, which it loaded earlier",
                remedy="nginx -t && systemctl reload nginx.service",
                environment=site.environment,
            )


def certificate_lifetimes(declared: Declared) -> Iterator[Finding]:
    environment, now = declared.environment, time.time()
    for site, lifetime in lifetimes(environment):
        issued = environment.issuers[site.tls.issuer].directory is not None  # renewed by certbot
        seconds = lifetime.ends - now
        if seconds <= 0:
            severity, found = Severity.CRITICAL, f"it expired {days(-seconds)} ago"
        elif issued and lifetime.left(now) < OVERDUE:
            severity, found = Severity.HIGH, f"{days(seconds)} left, and it was not renewed"
        elif not issued and seconds < SELF_SIGNED_MARGIN:
            severity = Severity.HIGH if seconds < SOON else Severity.LOW
            found = f"{days(seconds)} left"
        else:
            continue
        by_certbot = "certbot renew && journalctl -u certbot.service"
        yield LIFETIME.finding(
            site.domain,
            severity=severity,
            found=found,
            remedy=by_certbot if issued and seconds > 0 else run(site.environment),
            environment=site.environment,
        )
