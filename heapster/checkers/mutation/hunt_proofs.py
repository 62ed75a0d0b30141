"""Planted faults hunted by proofs: the theorem that a fault names is refuted, and its replay shows it."""

from dataclasses import replace

from heapster.checkers.mutation.fault import Fault, Kill
from heapster.checkers.proofs.builds import is_of
from heapster.checkers.proofs.catalogue import selected
from heapster.checkers.proofs.runner import Runner, is_replayed


def hunt(fault: Fault, seed: int = 0, runner: Runner = Runner()) -> Kill:      # noqa: ARG001, B008  chance has no part
    """Whether the theorem is refuted on a source with that fault, by words that the simulated machine shows too.

    Of what ships, unless the theorem does not hold of that.
    """
    [proof] = selected((fault.caught_by,), thorough=False, spans=False)
    hunter = replace(runner, origin=fault, stop_at=fault.caught_by, spans=runner.spans and is_of(proof, spans=True))
    for outcomes in hunter.run([proof]):
        for outcome in outcomes:
            if outcome.theorem.name == fault.caught_by and is_replayed(outcome.finding) and outcome.finding:
                return Kill(fault, (fault.caught_by,), (outcome.finding.counterexample,))
    return Kill(fault)
