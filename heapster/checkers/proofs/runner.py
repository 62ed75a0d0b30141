"""Proofs are run: each in a child process with a limit, one encoding of words after the other.

Limits and figures are of processor time: how busy the machine is changes no verdict.
"""

import multiprocessing
import os
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from hashlib import sha256
from importlib.util import find_spec
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple

from heapster import children
from heapster.checkers.jobs.pool import Pool
from heapster.checkers.mutation.fault import Origin
from heapster.checkers.proofs import BITS, LONGEST_AFTER_REFUTING, Proof, Theorem
from heapster.checkers.proofs.kept import KeptProofs
from heapster.checkers.targets.target import SIM, Target, built, folder
from heapster.extras import install
from heapster.native.spans import SHIPPED
from heapster.results import Finding, TargetError

MOST_PATHS_AFTER_REFUTING = 50      # a broken heap can go on for ever
DOUBTS = {"sat": "cvc5 calls possible what z3 calls impossible",
          "unknown": "cvc5 cannot say whether what z3 calls impossible is"}
TICK = 0.2                          # seconds between looks at the limits


class Proved(Enum):
    """What may be said of a theorem."""

    PROVED = "PROVED"
    REFUTED = "REFUTED"
    VACUOUS = "VACUOUS"             # no path met its assumptions
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class TheoremResult:
    """A theorem, and how its proof went."""

    theorem: Theorem
    verdict: Proved
    paths: int = 0
    seconds: float = 0.0            # of processor time, its share of the proof's
    encoding: str = ""
    reason: str = ""
    finding: Finding | None = None
    kept: bool = False              # from an earlier run, with nothing changed that it depends on
    asked: int = 0                  # of cvc5, each that z3 called impossible; where a way is not taken, at `stays`
    agreed: int = 0


@dataclass
class _Attempt:
    """A proof under way in a child."""

    proof: Proof
    encodings: tuple[str, ...]      # this one, and those that are left
    process: Any
    receiver: Connection
    taken: float = 0.0              # seconds of processor time, as far as was seen

    def seconds(self) -> float:
        """Processor time that it has taken."""
        with suppress(OSError):     # it has ended, and the start of another has waited for it
            self.taken = children.seconds_of(self.process.pid)
        return self.taken

    def is_late(self, limit: float) -> bool:
        """Whether it has no answer in time."""
        return self.seconds() > limit


class _EndedProof(NamedTuple):
    """A proof that has ended."""

    proof: Proof
    outcomes: list[TheoremResult]
    read: frozenset[tuple[str, str]]        # of the source: what the proof depends on


@dataclass(frozen=True)
class Runner:
    """How proofs are run."""

    timeout: float = 120.0          # seconds of processor time, for one proof in one encoding
    jobs: int = 1
    origin: Origin = None           # a fault to plant, or the folder of a copy of the source
    stop_at: str = ""               # the theorem whose refutation is enough
    kept: KeptProofs | None = None  # what went through before, on a source that may have changed
    cross_check: bool = False       # ask cvc5 too
    spans: bool = SHIPPED           # the source as it is built with spans, whatever the proof is of
    pool: Pool | None = None        # others who prove, in the stead of children

    def run(self, proofs: Sequence[Proof]) -> Iterator[list[TheoremResult]]:
        """The outcomes of each proof: what is kept first, then what is of files that changed, as they come."""
        if self.kept is None:
            yield from self._run(proofs)
            return
        left = []
        for proof in proofs:
            if entry := self.kept.find(proof):
                yield [TheoremResult(theorem, Proved.PROVED, entry.paths, encoding=entry.encoding, kept=True)
                       for theorem in proof.theorems()]
            else:
                left.append(proof)
        yield from self._run(self.kept.changed_first(left))

    def _run(self, proofs: Sequence[Proof]) -> Iterator[list[TheoremResult]]:
        """The outcomes, each proof run; a proof that went through is kept before anyone hears of it."""
        for done in self.each(proofs) if self.pool is None else self._elsewhere(self.pool, proofs):
            if self.kept and all(outcome.verdict is Proved.PROVED for outcome in done.outcomes):
                self.kept.keep(done.proof, done.read, done.outcomes[0].paths, done.outcomes[0].encoding)
            yield done.outcomes

    def _elsewhere(self, pool: Pool, proofs: Sequence[Proof]) -> Iterator["_EndedProof"]:
        work = partial(_proved, replace(self, jobs=1, kept=None, pool=None))
        for proof, (outcomes, read) in zip(proofs, pool.in_order([proof.theorems()[0].name for proof in proofs], work),
                                           strict=True):
            yield _EndedProof(proof, outcomes, read)

    def each(self, proofs: Sequence[Proof]) -> Iterator["_EndedProof"]:
        """Each proof as it ends, run in a child; stopping early ends the children."""
        if not proofs:
            return
        _load_once()
        todo = [(proof, proof.encodings) for proof in reversed(proofs)]
        running: list[_Attempt] = []
        limit = self.timeout
        try:
            while todo or running:
                while todo and len(running) < self.jobs:
                    running.append(self._start(*todo.pop()))
                wait([attempt.receiver for attempt in running], timeout=TICK)
                for attempt in [a for a in running if a.receiver.poll() or a.is_late(limit)]:
                    running.remove(attempt)
                    answer = _answer(attempt, limit)
                    outcomes = _judged(attempt, answer)
                    if any(outcome.finding for outcome in outcomes):
                        limit = min(limit, LONGEST_AFTER_REFUTING)
                    if outcomes[0].verdict is Proved.UNKNOWN and len(attempt.encodings) > 1:
                        todo.append((attempt.proof, attempt.encodings[1:]))
                    else:
                        yield _EndedProof(attempt.proof, outcomes, answer.get("read", frozenset()))
        finally:
            for attempt in running:
                _end(attempt)

    def _start(self, proof: Proof, encodings: tuple[str, ...]) -> _Attempt:
        receiver, sender = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("fork").Process(
            target=_child, daemon=True,
            args=(os.getpid(), proof, encodings[0], self.origin, self.stop_at, sender, self.cross_check,
                  self.spans))
        process.start()
        sender.close()
        return _Attempt(proof, encodings, process, receiver)


def _load_once() -> None:
    """Load what each child needs, before the first is forked: modules, and a context of z3, in which nothing is asked.

    All that is here by then stays as it is, so that no child copies it to look for garbage there.
    """
    import gc  # noqa: PLC0415

    import z3  # noqa: PLC0415  which only proofs need

    import heapster.checkers.proofs.counterexample  # noqa: PLC0415
    import heapster.checkers.proofs.dependencies  # noqa: PLC0415
    import heapster.machine.bits  # noqa: PLC0415
    import heapster.machine.paths  # noqa: F401, PLC0415

    z3.main_ctx()
    gc.freeze()


def _proved(runner: Runner, theorem: str) -> tuple[list[TheoremResult], frozenset[tuple[str, str]]]:
    """On a worker of somebody else's: the proof that shows the theorem, and how it went."""
    from heapster.checkers.proofs.catalogue import PROOFS  # noqa: PLC0415  which imports the proofs, and these this

    if find_spec("z3") is None:
        raise TargetError(f"proofs need z3, and a worker has none: {install('prove')}")
    [proof] = [proof for proof in PROOFS if any(one.name == theorem for one in proof.theorems())]
    [done] = runner.each([proof])
    return done.outcomes, done.read


def _answer(attempt: _Attempt, limit: float) -> dict[str, Any]:
    answer: dict[str, Any] = {"unknown": f"no answer after {limit:g} s of processor time"}
    if attempt.receiver.poll():
        answer = {"unknown": "the child process ended without an answer"}
        with suppress(EOFError):
            answer = attempt.receiver.recv()
    answer["seconds"] = attempt.seconds()
    _end(attempt)
    return answer


def _end(attempt: _Attempt) -> None:
    attempt.process.kill()
    attempt.process.join()
    attempt.receiver.close()


def _judged(attempt: _Attempt, answer: dict[str, Any]) -> list[TheoremResult]:
    theorems = attempt.proof.theorems()
    share, encoding = answer["seconds"] / len(theorems), attempt.encodings[0]
    outcomes = []
    for theorem in theorems:
        finding = answer.get("refuted", {}).get(theorem.name)
        if finding:
            verdict, reason = Proved.REFUTED, finding.title
        elif "unknown" in answer:
            verdict, reason = Proved.UNKNOWN, answer["unknown"]
        elif theorem.name not in answer["claimed"]:
            verdict, reason = Proved.VACUOUS, "no path met its assumptions"
        elif doubt := _doubt(answer):
            verdict, reason = Proved.UNKNOWN, doubt
        else:
            verdict, reason = Proved.PROVED, ""
        outcomes.append(TheoremResult(theorem, verdict, answer.get("paths", 0), share, encoding, reason, finding,
                                      asked=_asked(answer, theorem.name, "unsat", "sat", "unknown"),
                                      agreed=_asked(answer, theorem.name, "unsat")))
    return sorted(outcomes, key=lambda o: o.verdict is not Proved.REFUTED) if "unknown" in answer else outcomes


def _asked(answer: dict[str, Any], theorem: str, *said: str) -> int:
    """How often cvc5 answered so, of what this theorem alone stands on."""
    return sum(count[theorem] for word, count in answer.get("second", {}).items() if word in said)


def _doubt(answer: dict[str, Any]) -> str:
    """What cvc5 does not agree with: any, as what was said on a path is not asked again there, for any theorem."""
    return next((doubt for said, doubt in DOUBTS.items() if answer.get("second", {}).get(said)), "")


# In the child.

def _child(parent: int, proof: Proof, encoding: str, origin: Origin, stop_at: str, sender: Connection,
           cross_check: bool, spans: bool) -> None:
    """Explore and answer; whatever goes wrong is an answer too."""
    children.settle(parent)
    try:
        answer = explored(proof, encoding, origin, stop_at, cross_check=cross_check, spans=spans)
    except Exception as error:  # noqa: BLE001  # the parent must hear of it, whatever it is
        last = traceback.extract_tb(error.__traceback__)[-1]
        answer = {"unknown": f"{type(error).__name__}: {error} ({last.name}, line {last.lineno})"}
    sender.send(answer)
    sender.close()


def explored(proof: Proof, encoding: str, origin: Origin = None, stop_at: str = "", *,
             cross_check: bool = False, spans: bool = False) -> dict[str, Any]:
    """Every path of the proof: the claims met, and a counterexample of each that is false, replayed if one can be."""
    # Here, because only children may need z3 and the source: a fault may keep the source from loading.
    from heapster.checkers.proofs.builds import Build, build_of  # noqa: PLC0415
    from heapster.checkers.proofs.dependencies import noting  # noqa: PLC0415
    from heapster.checkers.proofs.source import opened  # noqa: PLC0415
    from heapster.results import TargetError  # noqa: PLC0415

    build = build_of(proof, spans=spans)
    target = target_of(origin, spans=build is not Build.PLAIN)
    with ExitStack() as stack:
        try:
            source = stack.enter_context(opened(origin, build))
        except (TargetError, AssertionError, ImportError, SyntaxError) as error:
            return {"refuted": dict.fromkeys((t.name for t in proof.theorems()), _unloadable(proof, error)), "paths": 0}
        read: set[tuple[str, str]] = set()
        second = _second() if cross_check else None
        answer = _explore(proof, encoding, noting(source, read), stop_at, target, second)
        return answer | {"read": frozenset(read)} | (_said(proof, second) if second else {})


def _second() -> Any:
    from heapster.machine.solvers import SecondOpinion  # noqa: PLC0415

    return SecondOpinion()


def _said(proof: Proof, second: Any) -> dict[str, Any]:
    """What cvc5 answered how often, by theorem; of ways that were not taken, by the one that every proof has."""
    return {"stays": proof.stays, "second": {
        said: Counter({name or proof.stays: count for name, count in counts.items()})
        for said, counts in second.answers.items()}}


def is_replayed(finding: Finding | None) -> bool:
    """Whether the refutation was seen again on the simulated machine."""
    from heapster.checkers.proofs.counterexample import REPLAYED  # noqa: PLC0415

    return finding is not None and REPLAYED in finding.details


def target_of(origin: Origin, *, spans: bool = SHIPPED) -> Target:
    """What findings name as their target."""
    target = folder(origin) if isinstance(origin, Path) else SIM
    return replace(target, settings=built(with_spans=spans))


def _explore(proof: Proof, encoding: str, source: Any, stop_at: str, target: Target,
             second: Any = None) -> dict[str, Any]:
    from heapster.machine.bits import Bits  # noqa: PLC0415
    from heapster.machine.paths import Undecided, Unsupported, integers, paths  # noqa: PLC0415

    claimed: set[str] = set()
    refuted: dict[str, Finding] = {}
    names = {theorem.name for theorem in proof.theorems()}
    count = since = 0
    answer: dict[str, Any] = {"claimed": claimed, "refuted": refuted}
    try:
        words = partial(Bits, second=second) if encoding == BITS else integers(second)
        for path in paths(words, lambda p: _guarded(proof, source, p)):
            count += not path.abandoned
            claimed |= {_name(proof, claim) for claim in path.claimed}
            if unsaid := {_name(proof, refutation.claim) for refutation in path.refuted} - names:
                raise Unsupported(f"it claims what none of its theorems says: {', '.join(sorted(unsaid))}")
            for refutation in path.refuted:
                name = _name(proof, refutation.claim)
                if not is_replayed(refuted.get(name)):
                    finding = _finding(proof, name, source, refutation, target)
                    if is_replayed(finding) or encoding == proof.encodings[-1]:
                        refuted[name] = finding
                    else:
                        answer["unknown"] = "a counterexample that its replay does not show"
            since += bool(refuted)
            shown = {name for name, finding in refuted.items() if is_replayed(finding)}
            if stop_at in shown or since > MOST_PATHS_AFTER_REFUTING or len(shown) == len(names):
                answer["unknown"] = "not all paths were explored after the refutation of another"
                break
    except (Undecided, Unsupported) as error:
        answer["unknown"] = f"{type(error).__name__.lower()}: {error}"
    answer["paths"] = count
    return answer


def _guarded(proof: Proof, source: Any, path: Any) -> None:
    """The body; what a broken source raises refutes it."""
    from heapster.checkers.proofs.replay import CRASHES, crash  # noqa: PLC0415
    from heapster.machine.linear import STAYS, Infeasible  # noqa: PLC0415

    try:
        proof.body(source, path)
    except CRASHES as error:
        path.refute(STAYS, crash(error))
        raise Infeasible from error


def _name(proof: Proof, claim: str) -> str:
    from heapster.machine.linear import STAYS  # noqa: PLC0415

    return proof.stays if claim == STAYS else claim


def _finding(proof: Proof, name: str, source: Any, refutation: Any, target: Target) -> Finding:
    """The counterexample, run again on the simulated machine."""
    from heapster.checkers.proofs.counterexample import Counterexample, refuted, run  # noqa: PLC0415

    shown = Counterexample(name, refutation.choices, refutation.words)
    return refuted(proof, shown, run(proof, source, shown.choices, shown.words), refutation.reason, target)


def _unloadable(proof: Proof, error: BaseException) -> Finding:
    return Finding(sha256(proof.of.encode()).hexdigest()[:8], "refuted_theorem",
                   f"the source cannot be loaded: {error!r}", (), f"heapster prove {proof.of}")
