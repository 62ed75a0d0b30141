"""Counterexamples as text, `p1:THEOREM:CHOICES:WORDS`, and as findings: the failing call, run again, drawn.

The choices and the words are those that the theorem's proof asks for, in its order; words are hexadecimal.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from heapster.checkers.proofs import Proof
from heapster.checkers.proofs.builds import Build, build_of
from heapster.checkers.proofs.catalogue import selected
from heapster.checkers.proofs.replay import PathReplay, drawn, replayed
from heapster.checkers.proofs.source import opened
from heapster.checkers.targets.target import Target
from heapster.machine.linear import STAYS
from heapster.results import Finding, UsageError

PREFIX = "p1:"
REPLAYED = "replayed on the simulated machine"


class Counterexample(NamedTuple):
    """What refutes a theorem."""

    theorem: str
    choices: tuple[int, ...]
    words: tuple[int, ...]

    def __str__(self) -> str:
        choices, words = ",".join(map(str, self.choices)), ",".join(f"{word:x}" for word in self.words)
        return f"{PREFIX}{self.theorem}:{choices}:{words}"


def parse(text: str) -> Counterexample:
    """The counterexample that a text says; UsageError if it says none."""
    try:
        theorem, choices, words = text.removeprefix(PREFIX).split(":")
        return Counterexample(theorem, _numbers(choices, 10), _numbers(words, 16))
    except ValueError:
        raise UsageError(f"'{text}' is no counterexample; write {PREFIX}THEOREM:CHOICES:WORDS, "
                         "as a refuted theorem's finding has it") from None


def _numbers(text: str, base: int) -> tuple[int, ...]:
    return tuple(int(number, base) for number in text.split(",") if number)


def run(proof: Proof, source: Any, choices: Sequence[int], words: Sequence[int]) -> PathReplay:
    """Run the proof's body on these choices and words; what fails goes by the theorems' names."""
    path = replayed(proof.body, source, choices, words)
    if STAYS in path.failed:
        path.failed[proof.stays] = path.failed.pop(STAYS)
    return path


def replays(shown: Sequence[Counterexample], target: Target) -> list[tuple[Proof, PathReplay]]:
    """Their proofs, run on them on the source of the target, which is a folder or what ships."""
    proofs = [_proof_of(each.theorem) for each in shown]
    return [(proof, path) for build in Build
            for proof, path in _replayed(build, target, [
                (proof, each) for proof, each in zip(proofs, shown, strict=True)
                if build_of(proof, spans=target.settings.has_spans) is build])]


def _replayed(build: Build, target: Target,
              shown: Sequence[tuple[Proof, Counterexample]]) -> list[tuple[Proof, PathReplay]]:
    if not shown:
        return []
    with opened(next(iter(target.paths), None), build) as source:
        return [(proof, run(proof, source, each.choices, each.words)) for proof, each in shown]


def _proof_of(theorem: str) -> Proof:
    [proof] = selected((theorem,), thorough=True, spans=False)       # of either build
    return proof


def refuted(proof: Proof, shown: Counterexample, path: PathReplay, reason: str, target: Target) -> Finding:
    """The finding of a theorem that was refuted for this reason and run again on `path`."""
    claim = next(t.claim for t in proof.theorems() if t.name == shown.theorem)
    agrees = shown.theorem in path.failed
    reason = path.failed.get(shown.theorem) or reason
    trace = tuple(path.calls)
    identity = sha256("\n".join((str(target), str(shown))).encode()).hexdigest()[:8]
    return Finding(
        id=identity,
        code="refuted_theorem",
        title=f"{claim}: refuted" + (f" ({reason})" if reason else ""),
        trace=trace,
        replay=f"heapster replay {identity}",
        breaking=max(0, len(trace) - 1),
        noticing=max(0, len(trace) - 1),
        before=drawn(path, after=False),
        after=drawn(path, after=True),
        details=(f"theorem {shown.theorem}",
                 REPLAYED if agrees else "the replay did not show it again"),
        counterexample=str(shown),
    )
