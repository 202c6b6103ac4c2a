"""A verdict as text for a terminal, the worst findings first."""

from collections.abc import Iterator

from click import style

from stagecraft.drift.findings import Severity
from stagecraft.drift.judging.remedies import shortened
from stagecraft.drift.judging.verdict import Judged, Status, Verdict
from stagecraft.drift.judging.waivers import ACCEPTED, FILE
from stagecraft.harmless import harmless_lines

WORDS = {FILE: "waived", ACCEPTED: "accepted"}

MANY, SHOWN = 5, 3
"""Parts of the same whole from which on they are told as one, and how many of them are named."""

COLOURS = {Severity.CRITICAL: "red", Severity.HIGH: "yellow", Severity.LOW: "cyan"}


def shown(verdict: Verdict) -> str:
    return "".join(f"{line}\n" for line in lines(verdict))


def lines(verdict: Verdict) -> Iterator[str]:
    """Each server's, the one with the most urgent findings first, and the rest."""
    blind = [gap.server for gap in verdict.unknown]
    found = [finding.server for finding in verdict.findings if not finding.waived]
    for server in dict.fromkeys([*blind, *found, *verdict.servers]):
        yield from of_server(server, verdict)
        yield ""
    for gone in verdict.resolved:
        said = f"resolved: {plain(gone.id)}, seen since {gone.first_seen:%Y-%m-%d}"
        yield style(said, fg="green")
    if verdict.unknown:
        yield style("Unknown: not everything could be checked", fg="red", bold=True)
    elif found:
        yield style(f"Drift: {number(len(found), 'finding')}", fg="yellow", bold=True)
    else:
        yield style("Clean: the servers are what the files say", fg="green", bold=True)


def of_server(server: str, verdict: Verdict) -> Iterator[str]:
    unknown = [gap for gap in verdict.unknown if gap.server == server]
    all_of_it = [finding for finding in verdict.findings if finding.server == server]
    findings = [finding for finding in all_of_it if not finding.waived]
    severities = [finding.severity for finding in findings]
    counts = [(severities.count(severity), str(severity)) for severity in Severity]
    said = [f"{count} {word}" for count, word in (*counts, (len(unknown), "unknown")) if count]
    yield style(f"{plain(server) or 'all servers'}: {', '.join(said) or 'as declared'}", bold=True)
    for gap in unknown:
        environment = f" ({gap.environment})" if gap.environment else ""
        why = f"{gap.area}{environment} could not be checked: {gap.reason}"
        yield style(f"  UNKNOWN   {plain(why, indent=12)}", fg="red", bold=True)
    for parts in together(findings):
        yield from of_parts(parts) if len(parts) > 1 else of_finding(parts[0])
    files = [finding.waived.file for finding in all_of_it if finding.waived]
    for file in dict.fromkeys(files):
        yield f"  {number(files.count(file), 'difference')} {WORDS[file]} ({file})"
    for name in (environment for place, environment in verdict.believed if place == server):
        yield f"  {plain(name)} was not checked, so the records of its runs are trusted"
    coverage = [part for part in verdict.coverage if part.server == server]
    if total := sum(part.total for part in coverage):
        declared = sum(part.declared for part in coverage)
        yield (
            f"  of {total} things on {plain(server)} {declared} are declared, changed or not"
            f" ({100 * declared // total}%)"
        )


def together(findings: list[Judged]) -> Iterator[list[Judged]]:
    """Many parts of the same whole, at the place of the first; every other finding by itself."""
    wholes: dict[str, list[Judged]] = {}
    for finding in findings:
        whole = " ".join([finding.environment, finding.class_, finding.whole])
        wholes.setdefault(whole if finding.whole else finding.id, []).append(finding)
    for parts in wholes.values():
        yield from [parts] if len(parts) >= MANY else ([part] for part in parts)


def of_parts(parts: list[Judged]) -> Iterator[str]:
    by_severity = sorted(parts, key=lambda part: part.severity.rank)
    worst = by_severity[0]
    place = worst.id.removesuffix(worst.thing)
    yield headline(worst, f"{place}{worst.whole}: {len(parts)} of them")
    said = [f.found if f.thing in f.found else f"{f.thing} ({f.found})" for f in by_severity]
    yield labelled("found", shortened(said, SHOWN))
    yield labelled("expected", worst.expected)
    yield labelled("since", when(max(parts, key=lambda part: str(part.since or ""))))
    yield labelled("put right", worst.whole_remedy)
    yield labelled("each", "--json has them all, --accept asks for each")


def of_finding(finding: Judged) -> Iterator[str]:
    yield headline(finding, finding.id)
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


def headline(finding: Judged, name: str) -> str:
    changed = "" if finding.status == Status.KNOWN else f" {finding.status}"
    mark = style(f"{finding.severity.upper():<9}", fg=COLOURS[finding.severity], bold=True)
    return f"  {mark} {style(plain(name), bold=True)}{style(changed, fg='magenta')}"


def labelled(label: str, text: str) -> str:
    return f"    {style(f'{label:<10}', dim=True)}{plain(text, indent=14)}"


def when(finding: Judged) -> str:
    """When a check first saw it, or before that, when the server says it changed."""
    known = f"{finding.since:%Y-%m-%d %H:%M}" if finding.since else ""
    known += f" by {finding.who or 'unknown'}" if finding.who or known else ""
    first = f"first seen {finding.first_seen:%Y-%m-%d}"
    return f"{known.strip()}, {first}" if known else first


def number(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def plain(text: str, indent: int = 0) -> str:
    """The text, without control characters, its lines indented."""
    return harmless_lines(text).replace("\n", f"\n{' ' * indent}")
