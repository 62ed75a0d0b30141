"""Runs and traces as a page: replays what the page shows. The drawing is loaded only when a page is written."""

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heapster.checkers.findings.codes import explained
from heapster.checkers.lockstep.heap_history import Steps, by_policy, of_finding
from heapster.checkers.lockstep.run_trace import Make
from heapster.checkers.targets.grammar import parse
from heapster.checkers.targets.opening import make_for
from heapster.checkers.traces.reading import find_trace, read_trace, shipped
from heapster.commands.usage.report import MOST_STEPS
from heapster.config import CLASSIC
from heapster.results import UsageError

if TYPE_CHECKING:
    from heapster.reports.timeline import Journey

DRAWN = ("sim", "folder")        # kinds of targets whose memory is simulated here
MOST_FINDINGS = 20              # whose heaps are shown

Runs = Sequence[Mapping[str, Any]]


def write_page(
    path: Path, runs: Runs, traces: Mapping[str, Steps], policies: Iterable[str] = CLASSIC,
    most: int = MOST_STEPS,
) -> None:
    """Write the page of these runs, with the heaps of their findings and of the traces on each policy.

    Raises OSError.
    """
    from heapster.reports.html.page import write  # noqa: PLC0415  loads jinja2 and matplotlib
    chosen = tuple(policies)
    with _uncollected():
        travelled = [*finding_journeys(runs),
                     *(trace_journey(name, trace, chosen, most) for name, trace in traces.items())]
    write(path, runs, travelled, _title(runs, traces),
          explained(finding["code"] for run in runs for finding in run["findings"]))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector of cycles: what is made has none, grows, and would be walked again and again."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def travelled(runs: Runs, named: Sequence[str] = ()) -> dict[str, Steps]:
    """The traces that are named, which must be there, and those of the runs that still are, by name."""
    wanted = dict.fromkeys(named, True)
    for run in runs:
        for name in run.get("traces") or {}:
            wanted.setdefault(name, False)
    return {name: read_trace(find_trace(name)) for name, asked in wanted.items()
            if asked or Path(name).is_file() or name in shipped()}


def trace_journey(name: str, trace: Steps, policies: Iterable[str], most: int = MOST_STEPS) -> "Journey":
    """The trace's first steps on each policy, side by side."""
    from heapster.reports.timeline import journey  # noqa: PLC0415  reports are loaded when one is written
    rest = iter(trace)
    steps = tuple(islice(rest, most))
    more = next(rest, None) is not None
    note = "What the reference predicts for each policy" + (f"; the first {most:,} steps are shown." if more else ".")
    return journey(name, by_policy(steps, policies), note)


def finding_journeys(runs: Runs) -> Iterator["Journey"]:
    """The heaps that the findings' traces lead to."""
    from heapster.reports.timeline import journey  # noqa: PLC0415
    shown: set[str] = set()
    for run in runs:
        for finding in run["findings"]:
            taken = of_finding(tuple(finding["trace"]), run["target"], _make(run["target"]))
            if taken and finding["id"] not in shown and len(shown) < MOST_FINDINGS:
                shown.add(finding["id"])
                yield journey(finding["id"], {taken[0]: taken[1]}, finding["title"], _marks(finding))


def _make(name: str) -> Callable[[], Make] | None:
    """What gives the maker of locksteps on the target of a run, if its heap can be drawn here."""
    try:
        target = parse(name)
    except UsageError:
        return None
    return partial(make_for, target) if target.kind in DRAWN else None


def _marks(finding: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the finding says of its steps, which count from 1."""
    marks = [{"step": finding["noticing"] + 1, "text": f"{finding['code']}, noticed here"}]
    if finding["breaking"] != finding["noticing"]:
        marks.append({"step": finding["breaking"] + 1, "text": "broken here"})
    return marks


def _title(runs: Runs, traces: Mapping[str, Any]) -> str:
    commands = ", ".join(dict.fromkeys(run["command"] for run in runs))
    return f"Heapster: {commands or ', '.join(traces) or 'report'}"
