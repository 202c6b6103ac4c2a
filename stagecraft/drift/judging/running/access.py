"""The running state of sshd, the firewall and fail2ban."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from stagecraft.drift.findings import Class, Finding, Kind, Severity
from stagecraft.drift.judging.running.services import (
    SERVICE,
    services,
    told_by_files,
    with_directories,
)
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.facts.access import SSHD_OPTIONS, FirewallFact, Rule, Ways, WaysFact
from stagecraft.facts.jails import WHOLE, JailSetting, JailsFact
from stagecraft.paths import FIREWALL_RULES
from stagecraft.run import this_run
from stagecraft.services import FAIL2BAN, SSHD

FIREWALL = Kind(Class.RUNNING, "firewall", "in force", Severity.CRITICAL)
JAIL = Kind(Class.RUNNING, "jail")


LONGEST = 200
"""The maximum number of characters of a value: an action is a script."""


def ways_in(declared: Declared) -> Iterator[Finding]:
    """Skips what is explained by changed files, declared or of packages: those are other
    findings."""
    if declared.settings.host is None:
        return
    ways = ask(WaysFact)
    apart = this_run().displaced()
    configured = {path for path in apart if path.startswith("/etc/ssh/")}
    others = with_directories(told_by_files(declared))
    if not (configured or others.keys() & {ways.sshd.newer, f"{ways.sshd.newer}/"}):
        yield from stale_sshd(ways)
    if declared.settings.host.firewall and not ways.firewall and not apart & {FIREWALL_RULES}:
        rules = ask(FirewallFact)
        yield from other_rules(rules)


def stale_sshd(ways: Ways) -> Iterator[Finding]:
    changed = SSHD_OPTIONS if ways.sshd.restart_due else ways.sshd.newer
    step = "restart" if ways.sshd.restart_due else "reload"
    if changed and not ways.armed:
        yield SERVICE.finding(
            SSHD,
            found=f"has not loaded {changed} since it changed",
            remedy=f"sshd -t && systemctl {step} {SSHD}",
        )


def other_rules(rules: Sequence[Rule]) -> Iterator[Finding]:
    """Each differing rule; a single finding if no rule is in force, or only the order differs."""
    remedy = f"nft -f {FIREWALL_RULES}"
    whole = "inet stagecraft"
    differing = [rule for rule in rules if rule.live != rule.declared]
    if not any(rule.live and rule.declared for rule in rules):
        yield FIREWALL.finding(whole, found="it is not loaded: nothing is filtered", remedy=remedy)
    elif not differing:
        yield FIREWALL.finding(whole, found="its rules are in a different order", remedy=remedy)
    else:
        for rule in differing:
            expected, found = compared(rule)
            yield FIREWALL.finding(rule.text, expected=expected, found=found, remedy=remedy)


def compared(rule: Rule) -> tuple[str, str]:
    """What is declared, and what was found."""
    if rule.text.endswith(": policy"):
        return rule.declared or "no such chain", rule.live or "somebody has deleted it"
    if (rule.live or "0") > (rule.declared or "0"):
        return "no such rule", "somebody has added it"
    return "the rule is present", "somebody has deleted it"


# --- fail2ban ---


def jails(declared: Declared) -> Iterator[Finding]:
    """`fail2ban-client set`, which the next start discards. Skips changed or not yet loaded files:
    those are other findings."""
    service = next((service for service in this_run().services if service.unit == FAIL2BAN), None)
    if service is None or service.follows or not service.present.running:
        return
    told = {found.thing for found in services(declared)} | told_by_files(declared).keys()
    if not any(thing == FAIL2BAN or thing.startswith("/etc/fail2ban/") for thing in told):
        settings = ask(JailsFact)
        yield from changed(settings)


def changed(settings: Iterable[JailSetting]) -> Iterator[Finding]:
    for setting in settings:
        declared, running = (value[:LONGEST] for value in (setting.declared, setting.running))
        thing = f"{setting.jail} {setting.name}"
        expected = f"{declared}, by its files"
        found = f"was set to {running} while fail2ban runs"
        if setting.name == WHOLE:
            stopped = declared == "True"
            thing, expected = setting.jail, "runs" if stopped else "no such jail"
            found = f"somebody has {'stopped' if stopped else 'added'} it"
        remedy = f"systemctl restart {FAIL2BAN}"
        yield JAIL.finding(thing, expected=expected, found=found, remedy=remedy)
