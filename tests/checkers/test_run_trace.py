"""How a trace went, up to the first problem or misuse: the heaps before and after its last step, and the names."""

from heapster.checkers.lockstep.run_trace import on_source, rerun
from heapster.model.heap import Heap
from heapster.model.trace import parse


def without_the_system(heap: Heap | None) -> Heap | None:
    """What a prediction can have."""
    return heap and heap._replace(held_locks=(), system=())


def test_the_last_step_stands_between_two_heaps() -> None:
    steps = parse("a = malloc(40); b = malloc(24); free(a); c = malloc(SIZE_MAX)")
    outcome, earlier = (rerun(steps[:count], on_source()) for count in (4, 3))
    assert (outcome.problems, outcome.codes, outcome.last, outcome.misused) == ((), (), 3, "")
    assert outcome.before == earlier.after
    assert without_the_system(outcome.after) == outcome.predicted
    assert outcome.predicted is not None
    addresses = [block.address + 8 for block in outcome.predicted.arenas[0].regions[0].blocks]
    assert outcome.names == ((addresses[0], "a"), (addresses[1], "b"))


def test_a_misuse_ends_it() -> None:
    outcome = rerun(parse("a = malloc(40); free(a); free(a); b = malloc(24)"), on_source())
    assert (outcome.problems, outcome.last, outcome.misused) == ((), 2, "double_free")
    assert [name for _, name in outcome.names] == ["a"]
    assert (outcome.after, without_the_system(outcome.before)) == (None, outcome.predicted)
