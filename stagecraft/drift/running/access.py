"""sshd and the firewall, as they are in force."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pyinfra.context import host

from stagecraft.drift.areas import Looked
from stagecraft.drift.declared import Declared
from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.running.finding import finding
from stagecraft.drift.running.services import told_by_files, with_directories
from stagecraft.facts.access import SSHD_OPTIONS, FirewallFact, Rule, Ways, WaysFact
from stagecraft.paths import FIREWALL_RULES
from stagecraft.run import this_run
from stagecraft.services import SSHD


def ways_in(declared: Declared) -> Looked:
    """Not where their files are not as declared, or not as a package has brought them, which is
    another finding."""
    if declared.settings.host is None:
        return Looked()
    ways: Ways = host.get_fact(WaysFact)
    apart = this_run().displaced()
    configured = {path for path in apart if path.startswith("/etc/ssh/")}
    others = with_directories(told_by_files(declared))
    told = configured or others.keys() & {ways.sshd.newer, f"{ways.sshd.newer}/"}
    found = [] if told else list(stale_sshd(ways))
    if declared.settings.host.firewall and not ways.firewall and not apart & {FIREWALL_RULES}:
        rules: list[Rule] = host.get_fact(FirewallFact)
        found += other_rules(rules)
    return Looked(found)


def stale_sshd(ways: Ways) -> Iterator[Finding]:
    changed = SSHD_OPTIONS if ways.sshd.restart_due else ways.sshd.newer
    step = "restart" if ways.sshd.restart_due else "reload"
    if changed and not ways.armed:
        yield finding(
            Severity.HIGH,
            ("service", SSHD),
            expected="runs what its files say",
            found=f"has not taken up {changed} since it changed",
            remedy=f"sshd -t && systemctl {step} {SSHD}",
        )


def other_rules(rules: Sequence[Rule]) -> Iterator[Finding]:
    """Each rule by itself; all of them at once where none is in force, or only their order is
    another one."""
    if not any(rule.live and rule.declared for rule in rules):
        yield firewall("inet stagecraft", "in force", "it is not loaded: nothing is filtered")
        return
    differing = [rule for rule in rules if rule.live != rule.declared]
    if not differing:
        yield firewall("inet stagecraft", "in force", "its rules stand in another order")
    for rule in differing:
        yield firewall(rule.text, *in_words(rule))


def in_words(rule: Rule) -> tuple[str, str]:
    """What is declared, and what was found."""
    if rule.text.endswith(": policy"):
        return rule.declared or "no such chain", rule.live or "somebody has deleted it"
    if (rule.live or "0") > (rule.declared or "0"):
        return "no such rule", "somebody has added it"
    return "the rule is there", "somebody has deleted it"


def firewall(thing: str, expected: str, found: str) -> Finding:
    return finding(
        Severity.CRITICAL,
        ("firewall", thing),
        expected=expected,
        found=found,
        remedy=f"nft -f {FIREWALL_RULES}",
    )
