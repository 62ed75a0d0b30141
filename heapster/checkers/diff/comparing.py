"""`diff`: traces on policies and copies of the source, each in lock-step with the model, and on others' allocators."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any, NamedTuple

from heapster.checkers.diff.adversary import Attack
from heapster.checkers.diff.divergence import finding, first_difference
from heapster.checkers.diff.engines import Interpreted
from heapster.checkers.diff.lockstep import Played, play, play_compiled
from heapster.checkers.diff.measuring import size_classes
from heapster.checkers.findings.store import Store
from heapster.checkers.jobs.forked import Tell
from heapster.checkers.jobs.local import ALONE
from heapster.checkers.jobs.pool import Pool
from heapster.checkers.score.contestants import contestant
from heapster.checkers.score.driver import Contestant, Course
from heapster.checkers.score.judging import Judged, judge
from heapster.checkers.targets.capabilities import view_of
from heapster.checkers.targets.grammar import parse
from heapster.checkers.targets.opening import engine_of
from heapster.checkers.targets.source import Source
from heapster.checkers.targets.target import NATIVE, UNSET, Target, View
from heapster.checkers.traces.compact import Compact
from heapster.checkers.traces.errors import TraceFileError
from heapster.checkers.traces.legality import first_misuse
from heapster.checkers.traces.reading import find_trace, read_trace, where
from heapster.checkers.traces.summary import summary
from heapster.model.placement import POLICY_NAMES
from heapster.results import Finding, Run, Verdict

INTERPRETED_INTERVAL = 512      # steps between comparisons of the heap, where the source is interpreted
NOT_CHECKED = (
    "policies: contents, errno, the specification (fuzz and score do); the heap between steps at which it is compared",
    "threads that run at the same time: a trace has one order")
MEASURES = ("a policy is measured alone, without caches and kept mappings, unless the trace sets them; score has "
            "it as our library ships it, and without caches as native:POLICY:cache=0")
COMPARED = ("sim", "native")    # what a copy of the source is compared with
ADVERSARY = "adversary-"        # and a policy: the name of a trace that is built to hurt it
Progress = Callable[[str, float], None]


@dataclass
class Comparison:
    """The comparison so far, as plain values."""

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
    away: str = ""              # the folder in which findings were kept, if it is gone
    kept: dict[str, bytes] = field(default_factory=dict)        # the files in it

    def take(self, other: "Comparison") -> None:
        """Add what was found on other traces."""
        for each in fields(self):
            mine, others = getattr(self, each.name), getattr(other, each.name)
            if isinstance(mine, dict):
                mine.update(others)
            elif isinstance(mine, bool):
                setattr(self, each.name, mine or others)
            else:
                setattr(self, each.name, mine + others)

    def add(self, finding: Finding, target: str) -> None:
        """A target parts from the model."""
        self.findings.append(finding)
        self.found_on[finding.id] = target

    def note_judged(self, trace: str, one: Contestant, judged: Judged) -> None:
        """A trace was run on somebody else's allocator."""
        self.table.setdefault(trace, {})[one.key] = judged.figures | {"target": one.name}
        if judged.series:
            self.series.setdefault(trace, {})[one.key] = judged.series
        if judged.finding:
            self.add(judged.finding, one.name)
        if judged.warning:
            self.warnings.append(judged.warning)
            self.unfinished = True
        self.judged += judged.ops

    def note(self, trace: str, player: "PolicyPlayer", played: Played) -> None:
        """A trace was played."""
        column = player.column
        figures = {"ops": played.steps, **played.measures.figures(), "agrees": played.parting is None,
                   "ops_per_second": round(played.rate) if played.rate else None,
                   "target": f"{player.target}:{player.policy}"}
        self.table.setdefault(trace, {})[column] = figures
        self.series.setdefault(trace, {})[column] = {
            name: list(column_) for name, column_ in played.measures.series.items()}
        self.searches.setdefault(trace, {})[column] = played.measures.searches()
        self.ops += played.steps
        self.compared += played.compared


class PolicyPlayer(NamedTuple):
    """An allocator of ours under one policy, which plays in lock-step with the model."""

    column: str                 # what its figures are called
    target: Target              # without the policy, which is part of every trace
    policy: str
    source: Source | None       # None for the compiled library


Asked = tuple[tuple[str, ...], tuple[Target, ...], str | None]     # policies, targets, and a prefix of their names


class Entrants(NamedTuple):
    """Players of the traces."""

    players: tuple[PolicyPlayer, ...]
    strangers: tuple[Contestant, ...] = ()
    asked: Asked = ((), (), None)               # so that others can have the same

    @property
    def prefix(self) -> str | None:
        """Of the strangers' names."""
        return self.asked[2]

    @property
    def policies(self) -> tuple[str, ...]:
        """The policies that are played."""
        return tuple(dict.fromkeys(player.policy for player in self.players))

    @property
    def names(self) -> tuple[str, ...]:
        """The targets, each once."""
        return tuple(dict.fromkeys([*(str(player.target) for player in self.players),
                                    *(one.name for one in self.strangers)]))


def entrants(policies: tuple[str, ...], targets: Iterable[Target] = (), prefix: str | None = None) -> Entrants:
    """The targets, those without a policy under each of `policies`; and native, if neither it nor sim is among them."""
    named = tuple(targets)
    ours = tuple(target for target in named if view_of(target, "diff") is View.ENGINE)
    others = tuple(contestant(target, prefix) for target in named if target not in ours)
    if not any(target.kind in COMPARED for target in ours):
        ours = (NATIVE, *ours)
    return Entrants(tuple(player for target in ours for player in _players(target, policies)), others,
                    (policies, named, prefix))


def _players(target: Target, policies: tuple[str, ...]) -> Iterator[PolicyPlayer]:
    """The target under the policy that it names, or else under each."""
    source, bare = engine_of(target), replace(target, settings=UNSET._replace(spans=target.settings.spans))
    for policy in (target.settings.policy,) if target.settings.policy else policies:
        yield PolicyPlayer(policy if target == NATIVE else f"{bare}:{policy}", bare, policy, source)


def diff(names: Iterable[str], playing: Entrants, store: Store, progress: Progress = lambda *_: None,
         pool: Pool = ALONE) -> Run:
    """Every trace on every entrant; findings are kept as they come."""
    began, done = monotonic(), Comparison()

    _entered.clear()
    _entered[playing.asked] = playing
    work = partial(_compared, playing.asked, store.folder if pool.is_here else None)
    try:
        for part in pool.telling(names, work, lambda told: progress(*told)):
            done.take(part if pool.is_here else _brought_home(part, store))
    except KeyboardInterrupt:
        done.interrupted = True
    unfinished = done.interrupted or done.unfinished
    verdict = Verdict.FAILED if done.findings else Verdict.INCONCLUSIVE if unfinished else Verdict.PASSED
    checks = {"answers and system calls": done.ops, "heap equals the model's": done.compared}
    if playing.strangers:
        checks["overlap, neighbours, contents, alignment, zeroes (others' allocators)"] = done.judged
    return Run("diff", "+".join(playing.names), 0, verdict, monotonic() - began, done.ops + done.judged,
               tuple(done.findings), checks,
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
    """The attack named adversary-POLICY; None if the name is another."""
    policy = name.removeprefix(ADVERSARY)
    if policy == name or policy not in POLICY_NAMES:
        return None
    from heapster.checkers.diff.hunting import adversary  # noqa: PLC0415  loads Hypothesis
    return adversary(policy)


_entered: dict[Asked, Entrants] = {}        # those that this process has opened


def _compared(asked: Asked, folder: Path | None, name: str, tell: Tell) -> Comparison:
    """A trace on all that play it; findings are kept in the folder, if it can be reached from here."""
    part = Comparison()
    with TemporaryDirectory(prefix="heapster-diff-") as away:
        store = Store(folder or Path(away), part.warnings.append)
        playing = _entered.get(asked) or _entered.setdefault(asked, entrants(*asked))
        _one(name, playing, store, part, lambda what, fraction: tell((what, fraction)))
        if folder is None:
            part.away = away
            part.kept = {str(file.relative_to(away)): file.read_bytes() for file in Path(away).rglob("*")
                         if file.is_file()}
    return part


def _brought_home(part: Comparison, store: Store) -> Comparison:
    """What was found elsewhere, kept here; what is said of its files is said of those that are here."""
    home = str(store.folder)
    part.findings = [replace(found, details=tuple(line.replace(part.away, home) for line in found.details))
                     for found in part.findings]
    for found in part.findings:
        store.keep(found, parse(part.found_on[found.id]))
    for name, data in part.kept.items():
        file = store.folder / name
        if not file.exists() and file.parent.is_dir():      # else the store has said why it cannot keep
            file.write_bytes(data.replace(part.away.encode(), home.encode()))
    part.away, part.kept = "", {}
    return part


def _one(name: str, playing: Entrants, store: Store, done: Comparison, progress: Progress) -> None:
    progress(name, 0.0)
    attack = attack_on(name)
    trace = attack.trace if attack else load(name)
    done.warnings += trace.warnings
    done.traces[name], done.sizes[name] = _summary(trace)
    if attack:
        least, most = attack.sizes
        done.bounds[name] = {**attack.bounds._asdict(), "least": least, "most": most, "live": attack.peak_live}
    for player in playing.players:
        _play(trace, name, player, store, done, _part(progress, f"{name} {player.column}", len(trace)))
    if playing.strangers:
        with Course(trace) as course:
            for one in playing.strangers:
                progress(f"{name} {one.name}", 0.0)
                done.note_judged(name, one, judge(course, trace, name, one, playing.prefix, store))


def _play(trace: Compact, name: str, player: PolicyPlayer, store: Store, done: Comparison,
          progress: Callable[[int], None]) -> None:
    """The trace on a player; where it parts from the model, the finding is kept."""
    policy, source = player.policy, player.source
    played = play_compiled(
        trace, policy, progress, spans=player.target.settings.has_spans) if source is None else play(
            trace, policy, Interpreted(trace, policy, source), INTERPRETED_INTERVAL, progress)
    done.note(name, player, played)
    if played.parting:
        first = played.parting if source is None else first_difference(trace, policy, source, played.parting)
        found = finding(trace, name, policy, player.target, first, source)
        done.add(found, str(player.target))
        store.keep(found, player.target)


def _part(progress: Progress, what: str, steps: int) -> Callable[[int], None]:
    """Tells `progress` of steps done."""
    return lambda done: progress(what, done / steps)


def _summary(trace: Compact) -> tuple[dict[str, Any], list[list[int]]]:
    """What a trace is, and its requests by size."""
    _, sizes, threads = summary(trace)
    told = {"ops": len(trace), "allocations": sum(sizes.values()), "threads": len(threads),
            "handles": trace.handles()}
    return told, size_classes(sizes)
