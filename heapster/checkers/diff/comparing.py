"""`diff`: traces on policies and copies of the source, each in lock-step with the model, and on others' allocators."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from heapster.checkers.diff.adversary import Attack
from heapster.checkers.diff.divergence import finding, first_difference
from heapster.checkers.diff.engines import Interpreted
from heapster.checkers.diff.lockstep import Played, play, play_compiled
from heapster.checkers.diff.measuring import size_classes
from heapster.checkers.diff.targets import stranger
from heapster.checkers.findings.store import Store
from heapster.checkers.score.driver import Contestant, Course
from heapster.checkers.score.judging import Judged, judge
from heapster.checkers.targets.source import source_in
from heapster.checkers.traces.compact import Compact
from heapster.checkers.traces.errors import TraceFileError
from heapster.checkers.traces.legality import first_misuse
from heapster.checkers.traces.reading import find_trace, read_trace, where
from heapster.checkers.traces.summary import summary
from heapster.model.placement import POLICY_NAMES
from heapster.results import Finding, Run, UsageError, Verdict

INTERPRETED_INTERVAL = 512      # steps between comparisons of the heap, where the source is interpreted
NOT_CHECKED = (
    "policies: contents, errno, the specification (fuzz and score do); the heap between steps at which it is compared",
    "threads that run at the same time: a trace has one order")
MEASURES = ("a policy is measured alone, without caches and kept mappings, unless the trace sets them; score has "
            "it as our library ships it, and without caches as native/POLICY/0")
ADVERSARY = "adversary-"        # and a policy: the name of a trace that is built to hurt it
Progress = Callable[[str, float], None]


@dataclass
class Comparison:
    """What was found so far, as plain values."""

    traces: dict[str, Any] = field(default_factory=dict)
    table: dict[str, dict[str, Any]] = field(default_factory=dict)
    series: dict[str, dict[str, Any]] = field(default_factory=dict)
    searches: dict[str, dict[str, Any]] = field(default_factory=dict)
    sizes: dict[str, Any] = field(default_factory=dict)
    bounds: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    found_on: dict[str, str] = field(default_factory=dict)      # id of a finding: where to replay it
    warnings: list[str] = field(default_factory=list)
    ops: int = 0
    compared: int = 0
    judged: int = 0             # operations of others' allocators
    unfinished: bool = False    # an allocator was too slow
    interrupted: bool = False

    def add(self, finding: Finding, target: str) -> None:
        """A target parts from the model."""
        self.findings.append(finding)
        self.found_on[finding.id] = target

    def note_judged(self, trace: str, column: str, judged: Judged) -> None:
        """A trace was run on somebody else's allocator."""
        self.table.setdefault(trace, {})[column] = judged.figures
        if judged.series:
            self.series.setdefault(trace, {})[column] = judged.series
        if judged.finding:
            self.add(judged.finding, column)
        if judged.warning:
            self.warnings.append(judged.warning)
            self.unfinished = True
        self.judged += judged.ops

    def note(self, trace: str, column: str, played: Played) -> None:
        """A trace was played."""
        figures = {"ops": played.steps, **played.measures.figures(), "agrees": played.parting is None,
                   "ops_per_second": round(played.rate) if played.rate else None}
        self.table.setdefault(trace, {})[column] = figures
        self.series.setdefault(trace, {})[column] = {
            name: list(column_) for name, column_ in played.measures.series.items()}
        self.searches.setdefault(trace, {})[column] = played.measures.searches()
        self.ops += played.steps
        self.compared += played.compared


class Entrants(NamedTuple):
    """What plays the traces."""

    policies: tuple[str, ...]
    copies: Mapping[str, Any] = {}              # of the source, by folder
    strangers: tuple[Contestant, ...] = ()
    prefix: str | None = None                   # of the strangers' names


def entrants(policies: tuple[str, ...], targets: Iterable[str] = (), prefix: str | None = None) -> Entrants:
    """The policies, and the targets: folders with a copy of impl, and others' allocators."""
    names = tuple(dict.fromkeys(targets))
    for name in names:
        if name in POLICY_NAMES:
            raise UsageError(f"--targets: {name} is a policy: name it with --policies")
    folders = [name for name in names if Path(name).is_dir()]
    return Entrants(policies, {folder: source_in(Path(folder)) for folder in folders},
                    tuple(stranger(name, prefix) for name in names if name not in folders), prefix)


def diff(names: Iterable[str], playing: Entrants, store: Store, progress: Progress = lambda *_: None) -> Run:
    """Every trace on every entrant; findings are kept as they come."""
    began, done = monotonic(), Comparison()
    try:
        for name in names:
            _one(name, playing, store, done, progress)
    except KeyboardInterrupt:
        done.interrupted = True
    unfinished = done.interrupted or done.unfinished
    verdict = Verdict.FAILED if done.findings else Verdict.INCONCLUSIVE if unfinished else Verdict.PASSED
    target = "+".join(["native", *playing.copies, *[one.name for one in playing.strangers]])
    checks = {"answers and system calls": done.ops, "heap equals the model's": done.compared}
    if playing.strangers:
        checks["overlap, neighbours, contents, alignment, zeroes (others' allocators)"] = done.judged
    return Run("diff", target, 0, verdict, monotonic() - began, done.ops + done.judged, tuple(done.findings), checks,
               extra={"policies": list(playing.policies), "traces": done.traces, "table": done.table,
                      "series": done.series, "searches": done.searches, "sizes": done.sizes, "bounds": done.bounds,
                      "found_on": done.found_on, "interrupted": done.interrupted,
                      "warnings": done.warnings, "measures": MEASURES,
                      "not_checked": list(NOT_CHECKED)})


def load(name: str) -> Compact:
    """The trace of that name; UsageError, with the step, if it misuses the heap."""
    if attack := attack_on(name):
        return attack.trace
    path = find_trace(name)
    trace = read_trace(path)
    if misuse := first_misuse(trace):
        raise TraceFileError(path, where(path, misuse[0]), f"{misuse[1]} (replay judges misuse)")
    return trace


def attack_on(name: str) -> Attack | None:
    """What is meant by adversary-POLICY; None if the name is another."""
    policy = name.removeprefix(ADVERSARY)
    if policy == name or policy not in POLICY_NAMES:
        return None
    from heapster.checkers.diff.hunting import adversary  # noqa: PLC0415  loads Hypothesis
    return adversary(policy)


def _one(name: str, playing: Entrants, store: Store, done: Comparison, progress: Progress) -> None:
    progress(name, 0.0)
    attack = attack_on(name)
    trace = attack.trace if attack else load(name)
    done.warnings += trace.warnings
    done.traces[name], done.sizes[name] = _summary(trace)
    if attack:
        least, most = attack.sizes
        done.bounds[name] = {**attack.bounds._asdict(), "least": least, "most": most, "live": attack.peak_live}
    for policy in playing.policies:
        played = play_compiled(trace, policy, _part(progress, f"{name} {policy}", len(trace)))
        done.note(name, policy, played)
        if played.parting:
            _keep(finding(trace, name, policy, "native", played.parting), "native", store, done)
        for folder, source in playing.copies.items():
            column = f"{folder}:{policy}"
            played = play(trace, policy, Interpreted(trace, policy, source), INTERPRETED_INTERVAL,
                          _part(progress, f"{name} {column}", len(trace)))
            done.note(name, column, played)
            if played.parting:
                first = first_difference(trace, policy, source, played.parting)
                _keep(finding(trace, name, policy, folder, first, source), folder, store, done)
    if playing.strangers:
        with Course(trace) as course:
            for one in playing.strangers:
                progress(f"{name} {one.name}", 0.0)
                done.note_judged(name, one.name, judge(course, trace, name, one, playing.prefix, store))


def _keep(found: Finding, target: str, store: Store, done: Comparison) -> None:
    done.add(found, target)
    store.keep(found, target)


def _part(progress: Progress, what: str, steps: int) -> Callable[[int], None]:
    """Tells `progress` of steps done."""
    return lambda done: progress(what, done / steps)


def _summary(trace: Compact) -> tuple[dict[str, Any], list[list[int]]]:
    """What a trace is, and its requests by size."""
    _, sizes, threads = summary(trace)
    told = {"ops": len(trace), "allocations": sum(sizes.values()), "threads": len(threads),
            "handles": trace.handles()}
    return told, size_classes(sizes)
