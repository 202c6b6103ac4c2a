"""Whether nginx serves the certificates on disk, and how long they remain valid."""

import re
import shlex
import time
from collections.abc import Iterator

from stagecraft.drift.findings import Class, Finding, Kind, Severity
from stagecraft.drift.judging.remedies import run
from stagecraft.drift.judging.wearing import DAY, days
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.facts.certificate_lifetimes import Lifetime, LifetimesFact
from stagecraft.facts.certificates import SELF_SIGNED_MARGIN
from stagecraft.facts.renewals import RenewalsFact, Setting
from stagecraft.paths import ACME_WEBROOT
from stagecraft.run import this_run
from stagecraft.services import Nginx
from stagecraft.settings import Environment, Site

SERVED = Kind(Class.RUNNING, "certificate")
RENEWAL = Kind(Class.UNMANAGED, "certificate renewal", "as a run has asked certbot for it")
LIFETIME = Kind(Class.WEARING, "certificate", "renewed in time")

ANY = "*"

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


def renewals(declared: Declared) -> Iterator[Finding]:
    """Commands that certbot runs as root, and other ways to prove the names. The plan checks the
    CA. Values are not shown, because a command may contain a secret."""
    names = [site.name for site in declared.environment.sites]
    for name, settings in ask(RenewalsFact, names=names).items():
        wrong = [one for one in settings if asked_for(name, one) not in (one.value, ANY)]
        keys = list(dict.fromkeys(setting.key for setting in wrong))
        path = f"/etc/letsencrypt/renewal/{name}.conf"
        edits = (f"-e {shlex.quote(corrected(name, setting))}" for setting in wrong)
        if keys:
            yield RENEWAL.finding(
                name,
                severity=Severity.CRITICAL if any("hook" in key for key in keys) else Severity.HIGH,
                found=f"{path} says something else of {', '.join(keys)}",
                remedy=f"sed -i -E {' '.join(dict.fromkeys(edits))} {path}",
            )


def asked_for(name: str, setting: Setting) -> str | None:
    """The value that certbot writes by itself for what a run asks for; None if it writes none."""
    if setting.section == "webroot_map":
        return ACME_WEBROOT
    files = {
        key: f"/etc/letsencrypt/live/{name}/{key}.pem"
        for key in ("cert", "privkey", "chain", "fullchain")
    }
    written = files | {
        **dict.fromkeys(("version", "account", "server"), ANY),
        "archive_dir": f"/etc/letsencrypt/archive/{name}",
        "key_type": "ecdsa",
        "elliptic_curve": "secp256r1",
        "authenticator": "webroot",
        "webroot_path": f"{ACME_WEBROOT},",
    }
    return written.get(setting.key)


def corrected(name: str, setting: Setting) -> str:
    """A command of sed."""
    value = asked_for(name, setting)
    line = f"^( *{re.escape(setting.key)} *=).*"
    return rf"\|{line}|d" if value is None else rf"s|{line}|\1 {value}|"


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
