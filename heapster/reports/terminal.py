"""Runs on the terminal: a finding in under thirty lines, and what a run has and has not checked.

Nothing here depends on time, so that two runs with one seed print the same.
"""

from collections.abc import Collection, Iterable, Iterator
from itertools import pairwise
from textwrap import wrap

from heapster.reports.output import width
from heapster.results import Finding, Place, Run, Verdict
from heapster.wording import counted

MOST_LINES = 29                 # of a finding
TITLE_WIDTH, MOST_OF_A_LINE = 100, 240      # of a source's lines: those around the one in question, and that itself
MARGIN, MOST_OF_A_TITLE = 2, 300    # columns before a title; and of it, however many lines that takes
UNBROKEN = "\xa0"               # a blank at which no line ends
MOST_CALLERS = 5
ALSO_OF_A_GUESS = 2             # further lines that are told, where the first is not surely the wrong one
STEP_WIDTH = 32                 # columns of a step that is marked, where there is room for what is said of it
BAD, GOOD, OPEN, FAINT, STRONG, PLAIN = "bold red", "bold green", "bold yellow", "dim", "bold", ""
VERDICT_STYLES = {Verdict.PASSED: GOOD, Verdict.FAILED: BAD, Verdict.INCONCLUSIVE: OPEN}

Line = tuple[str, str]          # text and style


def finding_lines(finding: Finding) -> list[Line]:
    """The finding, at most MOST_LINES long: long traces lose steps in the middle, then pictures lines."""
    head = list(_head(finding))
    tail = list(_tail(finding))
    room = MOST_LINES - len(head) - len(tail)
    pictures = list(_pictures(finding, max(2, (room - 2) // 3)))
    return head + list(_steps(finding, room - len(pictures))) + pictures + tail


def _head(finding: Finding) -> Iterator[Line]:
    warning = "warning: " if finding.severity == "warning" else ""
    yield f"{warning}{finding.code}  ({finding.id})", BAD
    columns = min((width() or TITLE_WIDTH) - MARGIN, TITLE_WIDTH)
    for line in wrap(finding.title, columns, max_lines=MOST_OF_A_TITLE // columns, placeholder=" ..."):
        yield f"  {line}", STRONG


def _steps(finding: Finding, room: int) -> Iterator[Line]:
    """The steps, the breaking and the noticing one marked; at most `room` lines, but at least both of these."""
    marks = {finding.breaking: "breaks here", finding.noticing: "noticed here"}
    if finding.breaking == finding.noticing:
        marks = {finding.noticing: "breaks here, noticed at once"}
    last, length = -1, len(finding.trace)
    for index in [*_chosen(length, set(marks), room), length]:
        if index > last + 1:
            yield f"    ... {counted(index - last - 1, 'more step')}", FAINT
        if index < length:
            yield _step(finding.trace[index], marks.get(index))
        last = index


def _step(step: str, mark: str | None) -> Line:
    pad = STEP_WIDTH if not width() or width() > 2 * STEP_WIDTH else 0
    return (f"  > {step:<{pad}}  <- {mark}", BAD) if mark else (f"    {step}", PLAIN)


def _chosen(length: int, marked: set[int], room: int) -> list[int]:
    """Places of the steps to show: the marked ones, then those before the last of them, then any that fit."""
    chosen = {place for place in marked if place < length}
    for place in (*range(max(chosen, default=0), -1, -1), *range(length)):
        if place < length and _lines(chosen | {place}, length) <= room:
            chosen.add(place)
    return sorted(chosen)


def _lines(chosen: set[int], length: int) -> int:
    """Lines that the chosen steps take, with one for each gap."""
    places = [-1, *sorted(chosen), length]
    return len(chosen) + sum(after > before + 1 for before, after in pairwise(places))


def _pictures(finding: Finding, room: int) -> Iterator[Line]:
    for title, picture in (("before:", finding.before), ("after:", finding.after)):
        if picture:
            yield f"  {title}", FAINT
            lines = picture.splitlines()
            more = f"... {counted(len(lines) - room + 1, 'more line')}"
            kept = lines if len(lines) <= room else [*lines[:room - 1], more]
            for line in kept:
                yield f"    {line}", PLAIN


def place_lines(place: Place) -> Iterator[Line]:
    """The line that it comes from, what is done there, and six lines of the source."""
    yield f"  {place.sentence}", STRONG
    for line in place.excerpt:
        is_it = line.startswith(">")
        yield f"    {line[:MOST_OF_A_LINE if is_it else TITLE_WIDTH]}", BAD if is_it else FAINT
    if place.mended:
        yield f"    for example: {place.mended.strip()[:MOST_OF_A_LINE]}", GOOD
    if place.access:
        yield _cut(f"    it {place.access}"), FAINT
    if len(place.backtrace) > 1:
        yield _cut(f"    called from {' < '.join(place.backtrace[1:MOST_CALLERS])}"), FAINT
    for other in place.also[:1 if place.mended else ALSO_OF_A_GUESS]:
        yield _cut(f"    also {other}"), FAINT


def _cut(text: str) -> str:
    """A line of what is said besides, between words."""
    return text if len(text) <= TITLE_WIDTH else f"{text[:TITLE_WIDTH - 4].rpartition(' ')[0]} ..."


def _tail(finding: Finding) -> Iterator[Line]:
    if finding.place:
        yield from place_lines(finding.place)
    for detail in finding.details[:3]:
        yield f"  also: {detail}", FAINT
    if finding.passes:
        yield f"  {finding.passes}", PLAIN
    if not finding.shrunk:
        yield f"  not shrunk ({counted(len(finding.trace), 'step')}): heapster shrink {finding.id} goes on", OPEN
    yield f"  again: {finding.replay}", STRONG
    yield f"  about it: heapster explain {finding.code}", PLAIN


def run_lines(run: Run, told: Collection[Finding] = ()) -> list[Line]:
    """The whole run: its findings, but for those told already, what was checked, what was not, and the verdict last."""
    lines: list[Line] = []
    for finding in (finding for finding in run.findings if finding not in told):
        lines += [*finding_lines(finding), ("", PLAIN)]
    return lines + list(_summary(run))


def _summary(run: Run) -> Iterator[Line]:
    examples = f" in {counted(run.extra['examples'], 'example')}" if "examples" in run.extra else ""
    yield f"{run.command} {run.target}, seed {run.seed}: {counted(run.ops, 'operation')}{examples}", PLAIN
    if covered := run.extra.get("covered"):
        yield from _listed("covered", [covered], STRONG)
    yield from settings(run)
    if fixed := run.extra.get("fixed"):
        yield f"  no longer fails: {', '.join(fixed)}", GOOD
    yield from _lines_run(run)
    yield from _coverage(run)
    yield from left_out(run)
    yield verdict_line(run)


def left_out(run: Run) -> Iterator[Line]:
    """The findings that --only and --ignore leave out, by code."""
    if told := run.extra.get("left_out"):
        codes = ", ".join(f"{code} {times}" for code, times in told.items())
        yield f"  left out (--only, --ignore): {counted(sum(told.values()), 'finding')}: {codes}", OPEN


def settings(run: Run) -> Iterator[Line]:
    """Under which settings our own allocator ran."""
    if told := run.extra.get("settings"):
        yield from _listed("settings", [f"{name} {' / '.join(map(str, values))}" for name, values in told.items()])


def _lines_run(run: Run) -> Iterator[Line]:
    """How much of the target's sources was run, and what its corpus came to, where that was asked for."""
    if told := run.extra.get("corpus"):
        count = f"{counted(told['read'], 'trace')} read, {told['added']} added; {counted(told['edges'], 'edge')} taken"
        yield f"  corpus {told['folder']}: {count}", PLAIN
    if told := run.extra.get("coverage"):
        figures = [f"{told[what]['covered']} of {told[what]['total']} {what}" for what in
                   ("lines", "branches", "functions")]
        yield f"  run of its sources: {', '.join(figures)} ({told['page']})", PLAIN


def _coverage(run: Run) -> Iterator[Line]:
    """What was checked and what was not; in numbers alone where a finding cut the run short."""
    evaluated = [name for name, times in run.checks.items() if times]
    seen = sum(times > 0 for times in run.witnesses.values())
    if run.findings:
        if evaluated:
            yield f"  checked: {len(evaluated)} of {len(run.checks)}, up to the finding", PLAIN
        for claim in run.extra.get("not_checked", ()):
            if run.extra.get("hidden") and claim.startswith("what comes after"):
                yield f"  NOT checked: {claim}", OPEN
        return
    yield from checked(run)
    if run.witnesses:
        yield f"  seen: {seen} of {counted(len(run.witnesses), 'kind')} of events", PLAIN
    yield from not_checked(run)


def checked(run: Run) -> Iterator[Line]:
    """The checks that were evaluated, and the functions that were called."""
    if evaluated := [f"{name}{UNBROKEN}{times:,}" for name, times in run.checks.items() if times]:
        yield from _listed(f"checked ({len(evaluated)}, and how often)", evaluated)
    if (calls := run.extra.get("calls")) and run.command != "exhaust":
        yield from _listed("calls judged", [f"{function}{UNBROKEN}{times:,}" for function, times in calls.items()])


def not_checked(run: Run) -> Iterator[Line]:
    """The checks of which the run says nothing."""
    if idle := [name for name, times in run.checks.items() if not times]:
        yield from _listed("NOT checked", idle, OPEN)
    if unseen := [name for name, times in run.witnesses.items() if not times]:
        yield from _listed("NOT seen", unseen, OPEN)
    for claim in run.extra.get("not_checked", ()):
        yield f"  NOT checked: {claim}", OPEN
    for what in run.extra.get("starved", ()):
        yield f"  starved: {what}", OPEN


def _listed(title: str, names: Iterable[str], style: str = PLAIN) -> Iterator[Line]:
    text = f"{title}: {', '.join(names)}"
    columns = min(width() or TITLE_WIDTH, TITLE_WIDTH)
    for line in wrap(text, columns, initial_indent="  ", subsequent_indent="    "):
        yield line.replace(UNBROKEN, " "), style


def index_lines(run: Run) -> Iterator[Line]:
    """Several findings, a line each in their order: where to begin."""
    if len(run.findings) > 1:
        yield "findings, what harms most first:", PLAIN
        for finding in run.findings:
            where = f"{finding.place.file}:{finding.place.line}  " if finding.place and finding.place.line else ""
            line = f"{finding.id}  {where}{finding.code}: {finding.title}"
            yield "  " + wrap(line, TITLE_WIDTH - 2, max_lines=1, placeholder=" ...", break_on_hyphens=False)[0], PLAIN


def verdict_line(run: Run) -> Line:
    """The verdict in one line."""
    style = VERDICT_STYLES[run.verdict]
    if run.verdict is Verdict.FAILED:
        return f"FAILED: {counted(len(run.findings), 'finding')}", style
    if run.extra.get("interrupted"):
        return "INCONCLUSIVE: interrupted", style
    if run.verdict is Verdict.INCONCLUSIVE:
        why = ": too little was done to say that nothing is wrong" if run.extra.get("starved") else ""
        return (f"INCONCLUSIVE{why}" if run.ops else "NOTHING RAN"), style
    if run.findings:
        return f"PASSED: {counted(len(run.findings), 'finding')} below --fail-on {run.extra['fail_on']}", style
    new = "new " if run.extra.get("accepted") else "else " if run.extra.get("left_out") else ""
    return f"PASSED: nothing {new}found in {counted(run.ops, 'operation')}", style
