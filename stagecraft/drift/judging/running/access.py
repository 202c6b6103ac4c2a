"""The running state of sshd, the firewall and fail2ban."""

from collections.abc import Iterator

from stagecraft.drift.findings import Class, Finding, Kind, Severity
from stagecraft.drift.judging.running.services import SERVICE, reported_files, with_directories
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.facts.access import SSHD_OPTIONS, CurrentAccessFact, FirewallFact, Rule
from stagecraft.facts.jails import WHOLE, JailsFact
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
    host = declared.settings.host
    if host is None:
        return
    access, differing = ask(CurrentAccessFact), this_run().differing_paths()
    sshd = access.sshd
    explained = with_directories(reported_files(declared)).keys() & {sshd.newer, f"{sshd.newer}/"}
    changed = SSHD_OPTIONS if sshd.restart_due else sshd.newer
    if changed and not (
        access.armed or explained or any(path.startswith("/etc/ssh/") for path in differing)
    ):
        yield SERVICE.finding(
            SSHD,
            found=f"has not loaded {changed} since it changed",
            remedy=f"sshd -t && systemctl {'restart' if sshd.restart_due else 'reload'} {SSHD}",
        )
    if host.firewall and not access.firewall and FIREWALL_RULES not in differing:
        yield from other_rules(ask(FirewallFact))


def other_rules(rules: list[Rule]) -> Iterator[Finding]:
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
            expected, found = "the rule is present", "somebody has deleted it"
            if rule.text.endswith(": policy"):
                expected, found = rule.declared or "no such chain", rule.live or found
            elif int(rule.live or 0) > int(rule.declared or 0):
                expected, found = "no such rule", "somebody has added it"
            yield FIREWALL.finding(rule.text, expected=expected, found=found, remedy=remedy)


def jails(_: Declared) -> Iterator[Finding]:
    """`fail2ban-client set`, which the next start discards."""
    up = {s.unit for s in this_run().services if s.present.running and not s.follows}
    for setting in ask(JailsFact) if FAIL2BAN in up else ():
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
