"""A verdict as text for a terminal, the worst findings first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from click import style

from stagecraft.drift.findings import Severity, Unchecked
from stagecraft.drift.judging.verdict import Judged, Status, Verdict
from stagecraft.harmless import harmless_lines

COLOURS = {Severity.CRITICAL: "red", Severity.HIGH: "yellow", Severity.LOW: "cyan"}
NOWHERE = "all servers"


def shown(verdict: Verdict) -> str:
    return "\n".join(lines(verdict)) + "\n"


def lines(verdict: Verdict) -> Iterator[str]:
    for server in in_order(verdict):
        yield from of_server(server, verdict)
        yield ""
    for gone in verdict.resolved:
        yield style(f"resolved: {plain(gone.id)}, seen since {day(gone.first_seen)}", fg="green")
    yield summary(verdict)


def in_order(verdict: Verdict) -> list[str]:
    """The servers in the order of their findings, most urgent first."""
    blind = [gap.server for gap in verdict.unknown]
    found = [finding.server for finding in verdict.findings if not finding.waived]
    return list(dict.fromkeys([*blind, *found, *verdict.servers]))


def of_server(server: str, verdict: Verdict) -> Iterator[str]:
    unknown = [gap for gap in verdict.unknown if gap.server == server]
    all_of_it = [finding for finding in verdict.findings if finding.server == server]
    findings = [finding for finding in all_of_it if not finding.waived]
    yield style(f"{plain(server) or NOWHERE}: {counted(findings, unknown)}", bold=True)
    for gap in unknown:
        environment = f" ({gap.environment})" if gap.environment else ""
        why = f"{gap.area}{environment} could not be checked: {gap.reason}"
        yield style(f"  UNKNOWN   {plain(why, indent=12)}", fg="red", bold=True)
    for finding in findings:
        yield from of_finding(finding)
    if waived := len(all_of_it) - len(findings):
        yield f"  {number(waived, 'difference')} waived (waivers.yml)"
    for name in (environment for place, environment in verdict.believed if place == server):
        yield f"  {plain(name)} was not checked, so the records of its runs are trusted"
    coverage = [part for part in verdict.coverage if part.server == server]
    if total := sum(part.total for part in coverage):
        declared = sum(part.declared for part in coverage)
        yield (
            f"  of {total} things on {plain(server)} {declared} are declared, changed or not"
            f" ({100 * declared // total}%)"
        )


def counted(findings: Sequence[Judged], unknown: Sequence[Unchecked]) -> str:
    parts = [
        f"{count} {severity}"
        for severity in Severity
        if (count := sum(finding.severity == severity for finding in findings))
    ]
    parts += [f"{len(unknown)} unknown"] if unknown else []
    return ", ".join(parts) or "as declared"


def of_finding(finding: Judged) -> Iterator[str]:
    changed = "" if finding.status == Status.KNOWN else f" {finding.status}"
    mark = style(f"{finding.severity.upper():<9}", fg=COLOURS[finding.severity], bold=True)
    yield f"  {mark} {style(plain(finding.id), bold=True)}{style(changed, fg='magenta')}"
    yield labelled("found", finding.found)
    yield labelled("expected", finding.expected)
    yield labelled("since", when(finding))
    if finding.cause:
        yield labelled("because", finding.cause)
    if finding.keep:
        yield labelled("keep", f"{finding.keep}  (in waivers.yml)")
    yield labelled("or run" if finding.keep else "put right", finding.remedy)
    for line in finding.diff:
        colour = {"+": "green", "-": "red"}.get(line[:1])
        yield f"      {style(plain(line), fg=colour) if colour else plain(line)}"


def labelled(label: str, text: str) -> str:
    return f"    {style(f'{label:<10}', dim=True)}{plain(text, indent=14)}"


def when(finding: Judged) -> str:
    """When a check first saw it, or before that, when the server says it changed."""
    known = f"{finding.since:%Y-%m-%d %H:%M}" if finding.since else ""
    known += f" by {finding.who or 'unknown'}" if finding.who or known else ""
    first = f"first seen {day(finding.first_seen)}"
    return f"{known.strip()}, {first}" if known else first


def summary(verdict: Verdict) -> str:
    """The last line, and the first that people read."""
    findings = [finding for finding in verdict.findings if not finding.waived]
    if verdict.unknown:
        return style("Unknown: not everything could be checked", fg="red", bold=True)
    if findings:
        return style(f"Drift: {number(len(findings), 'finding')}", fg="yellow", bold=True)
    return style("Clean: the servers are what the files say", fg="green", bold=True)


def number(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def day(moment: object) -> str:
    return f"{moment:%Y-%m-%d}"


def plain(text: str, indent: int = 0) -> str:
    """The text, without control characters, its lines indented."""
    return harmless_lines(text).replace("\n", f"\n{' ' * indent}")
