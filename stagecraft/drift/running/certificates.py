"""Certificates that nginx serves and that are not the ones on disk."""

from __future__ import annotations

from collections.abc import Iterator

from pyinfra.context import host

from stagecraft.drift.areas import Looked
from stagecraft.drift.declared import Declared
from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.running.finding import finding
from stagecraft.facts.lifetimes import Lifetime, LifetimesFact
from stagecraft.run import this_run
from stagecraft.services import Nginx
from stagecraft.settings import Environment, Site


def served_certificates(declared: Declared) -> Looked:
    """Each site's own, asked for on the server itself; not where the site's link leads elsewhere,
    which is another finding."""
    apart = this_run().displaced()
    return Looked(
        [
            found
            for site, lifetime in lifetimes(declared.environment)
            if Nginx(site.name).certificate not in apart
            for found in stale(site, lifetime)
        ]
    )


def lifetimes(environment: Environment) -> list[tuple[Site, Lifetime]]:
    """Of each site that has a certificate."""
    sites = environment.sites
    asked = [[Nginx(site.name).certificate, site.domain] for site in sites]
    found: dict[str, Lifetime] = host.get_fact(LifetimesFact, sites=asked)
    return [(site, found[site.domain]) for site in sites if site.domain in found]


def stale(site: Site, lifetime: Lifetime) -> Iterator[Finding]:
    if lifetime.served and lifetime.served != lifetime.fingerprint:
        yield finding(
            Severity.HIGH,
            ("certificate", site.domain),
            expected=f"nginx serves the one in {Nginx(site.name).certificate}",
            found="it serves another one, which it has loaded before",
            remedy="nginx -t && systemctl reload nginx.service",
            environment=site.environment,
        )
