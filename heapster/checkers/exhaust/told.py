"""The exact coverage of a walk, in one sentence and in figures."""

from collections.abc import Sequence
from typing import Any

from heapster.checkers.exhaust.layers import Counted, total
from heapster.checkers.exhaust.probing import words
from heapster.checkers.exhaust.scope import Kinds, Scope, closed_form
from heapster.checkers.exhaust.walking import ScopeWalk


def estimate(scope: Scope) -> int:
    """How many programs there are at most, if each request gets a block and the system refuses none."""
    kinds = Kinds.of(scope.alphabet)
    return sum(closed_form(calls, kinds) for calls in range(1, scope.calls + 1))


def at_most(scope: Scope) -> str:
    """The estimate, for people."""
    without = ", and more with refusals of the system" if scope.refusals else ""
    many = f"about {estimate(scope):,} programs of at most {scope.calls} calls over {len(scope.sizes)} sizes"
    return (f"{many}{without}; those that reach a heap which is known are not run one by one")


def covered(walk: ScopeWalk, counted: Sequence[Counted]) -> str:
    """The sentence: all programs of how many calls, over which sizes."""
    layers, scope = walk.layers, walk.scope
    if not counted:
        return f"no length is done; {layers.runs:,} programs were run"
    number = total(counted)
    many = f"all {number:,}" if number is not None else f"all of more than {1 << 63:,}"
    said = f"{many} programs of at most {len(counted)} calls over {len(scope.sizes)} sizes, up to the names of handles"
    said += f": {layers.runs:,} were run, the others reach the same heaps"
    if scope.refusals:
        said += f"; {layers.refusals:,} refusals of the system"
    return said


def begun(walk: ScopeWalk) -> str:
    """How much of the next length was run; nothing, if the walk is over."""
    layers = walk.layers
    if layers.depth >= walk.scope.calls:
        return ""
    return (f"programs of {layers.depth + 1} calls: {layers.done:,} of {len(layers.programs):,} heaps of "
            f"{layers.depth} calls were gone on from")


def figures(walk: ScopeWalk, counted: Sequence[Counted], *, complete: bool) -> dict[str, Any]:
    """The keys that a run of `exhaust` adds."""
    layers, scope = walk.layers, walk.scope
    lengths = [{"calls": calls, "programs": one.programs, "failing": one.failing}
               for calls, one in enumerate(counted, 1)]
    return {"programs": total(counted), "calls": len(counted), "sizes": list(scope.sizes), "complete": complete,
            "covered": covered(walk, counted), "lengths": lengths, "heaps": len(layers.known),
            "ways": len(walk.met), "refusals": layers.refusals, "by_children": layers.by_children,
            "alphabet": len(scope.alphabet), "named_sizes": words(scope.sizes)}
