"""Jails of fail2ban that somebody has changed while it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyinfra.context import host

from stagecraft.drift.areas import Looked
from stagecraft.drift.declared import Declared
from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.running.finding import finding
from stagecraft.drift.running.services import services, told_by_files
from stagecraft.facts.jails import WHOLE, JailSetting, JailsFact
from stagecraft.run import this_run
from stagecraft.services import FAIL2BAN

LONGEST = 200
"""Characters of a value: an action is a script."""


def jails(declared: Declared) -> Looked:
    """`fail2ban-client set`, which the next start forgets; not where its files are not as declared
    or not as it has loaded them, which is another finding."""
    service = next((service for service in this_run().services if service.unit == FAIL2BAN), None)
    if service is None or service.follows or not service.present.running:
        return Looked()
    told = {found.thing for found in services(declared).findings} | told_by_files(declared).keys()
    if any(thing == FAIL2BAN or thing.startswith("/etc/fail2ban/") for thing in told):
        return Looked()
    settings: list[JailSetting] = host.get_fact(JailsFact)
    return Looked(list(changed(settings)))


def changed(settings: Iterable[JailSetting]) -> Iterator[Finding]:
    for setting in settings:
        expected, found = in_words(setting)
        yield finding(
            Severity.HIGH,
            ("jail", setting.jail if setting.name == WHOLE else f"{setting.jail} {setting.name}"),
            expected=expected,
            found=found,
            remedy=f"systemctl restart {FAIL2BAN}",
        )


def in_words(setting: JailSetting) -> tuple[str, str]:
    """What is expected, and what was found."""
    declared, running = (value[:LONGEST] for value in (setting.declared, setting.running))
    if setting.name != WHOLE:
        return f"{declared}, by its files", f"was set to {running} while fail2ban runs"
    if setting.declared == "True":
        return "runs", "somebody has stopped it"
    return "no such jail", "somebody has added it"
