"""Runs and traces as a page: replays what the page shows. The drawing is loaded only when a page is written."""

import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from heapster.checkers.findings.codes import explained
from heapster.checkers.lockstep.heap_history import Steps, by_policy, of_finding
from heapster.checkers.targets.grammar import parse
from heapster.checkers.targets.opening import make_for
from heapster.checkers.targets.target import UNSET, Target, TargetSettings
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
    path: Path, runs: Runs, traces: "Mapping[str, TraceToDraw]", policies: Iterable[str] = CLASSIC,
    most: int = MOST_STEPS,
) -> None:
    """Write the page of these runs, with the heaps of their findings and of the traces on each policy.

    Raises OSError.
    """
    from heapster.reports.html.page import write  # noqa: PLC0415  loads jinja2 and matplotlib
    chosen = tuple(policies)
    with _uncollected():
        drawn = [*finding_journeys(runs), *(trace_journey(name, trace.steps, chosen, most, trace.settings)
                                            for name, trace in traces.items())]
    write(path, runs, drawn, _title(runs, traces),
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


class TraceToDraw(NamedTuple):
    """A trace, and what is set of the allocator whose heap is drawn."""

    steps: Steps
    settings: TargetSettings = UNSET


def travelled(runs: Runs, named: Mapping[str, TargetSettings] = MappingProxyType({})) -> dict[str, TraceToDraw]:
    """The traces that are named, which must be there, and those of the runs that still are, by name.

    What is set is what is named with the trace, else what the run says of the first that took it.
    """
    wanted = {name: (True, settings) for name, settings in named.items()}
    for run in runs:
        for name in run.get("traces") or {}:
            wanted.setdefault(name, (False, _settings_in(run, name)))
    return {name: TraceToDraw(read_trace(find_trace(name)), settings) for name, (asked, settings) in wanted.items()
            if asked or Path(name).is_file() or name in shipped()}


def _settings_in(run: Mapping[str, Any], trace: str) -> TargetSettings:
    """What is set of the first target of the run's table that took the trace."""
    rows = (run.get("table") or {}).get(trace) or {}
    target = next((_target(row["target"]) for row in rows.values() if row.get("target")), None)
    return target.settings if target else UNSET


def trace_journey(
    name: str, trace: Steps, policies: Iterable[str], most: int = MOST_STEPS, settings: TargetSettings = UNSET,
) -> "Journey":
    """The trace's first steps on each policy, side by side."""
    from heapster.reports.timeline import journey  # noqa: PLC0415  reports are loaded when one is written
    rest = iter(trace)
    steps = tuple(islice(rest, most))
    more = next(rest, None) is not None
    words = " ".join(settings._replace(policy=None).words)
    note = (f"What the reference predicts for each policy{f', with {words}' if words else ''}"
            + (f"; the first {most:,} steps are shown." if more else "."))
    return journey(name, by_policy(steps, policies, settings), note)


def finding_journeys(runs: Runs) -> Iterator["Journey"]:
    """The heaps that the findings' traces lead to."""
    from heapster.reports.timeline import journey  # noqa: PLC0415
    shown: set[str] = set()
    for run in runs:
        for finding in run["findings"]:
            target = _target(run["target"])
            make = partial(make_for, target) if target and target.kind in DRAWN else None
            taken = of_finding(tuple(finding["trace"]), run["target"], make, target.settings if target else UNSET)
            if taken and finding["id"] not in shown and len(shown) < MOST_FINDINGS:
                shown.add(finding["id"])
                yield journey(finding["id"], {taken[0]: taken[1]}, finding["title"], _marks(finding))


def _target(name: str) -> Target | None:
    """The target of that name, or of several the first; None if it is none of this version's."""
    for text in (name, name.partition("+")[0]):
        with suppress(UsageError):
            return parse(text)
    return None


def _marks(finding: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the finding says of its steps, which count from 1."""
    marks = [{"step": finding["noticing"] + 1, "text": f"{finding['code']}, noticed here"}]
    if finding["breaking"] != finding["noticing"]:
        marks.append({"step": finding["breaking"] + 1, "text": "broken here"})
    return marks


def _title(runs: Runs, traces: Mapping[str, Any]) -> str:
    commands = ", ".join(dict.fromkeys(run["command"] for run in runs))
    return f"Heapster: {commands or ', '.join(traces) or 'report'}"
