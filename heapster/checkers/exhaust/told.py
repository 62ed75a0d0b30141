"""The exact coverage of a walk, in one sentence and in figures."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from heapster.checkers.exhaust.layers import Counted, total
from heapster.checkers.exhaust.probing import words
from heapster.checkers.exhaust.scope import Kinds, Scope, closed_form
from heapster.checkers.exhaust.walking import ScopeWalk
from heapster.wording import counted

MANY = 50_000_000               # programs from which on a run may take many minutes
SHORTER = ". That may take long: --sizes with fewer, --calls with one less, or --seconds, after which it can go on"


def estimate(scope: Scope) -> int:
    """How many programs there are at most, if each request gets a block and the system refuses none."""
    kinds = Kinds.of(scope.alphabet)
    return sum(closed_form(calls, kinds) for calls in range(1, scope.calls + 1))


def at_most(scopes: Sequence[Scope]) -> str:
    """The estimate, for people."""
    without = ", and more with refusals of the system" if scopes[0].refusals else ""
    many = " and ".join(f"{counted(estimate(scope), 'program')} {_within(scope, scope.calls)}" for scope in scopes)
    advice = SHORTER if estimate(scopes[0]) >= MANY and scopes[0].calls > 1 else ""
    return f"about {many}{without}; those that reach a heap which is known are not run one by one{advice}"


def _within(scope: Scope, calls: int) -> str:
    return f"of at most {counted(calls, 'call')} over {counted(len(scope.sizes), 'size')}"


class Covered(NamedTuple):
    """What a walk covered."""

    walk: ScopeWalk
    counted: Sequence[Counted]

    @classmethod
    def by(cls, walks: Sequence[ScopeWalk]) -> list["Covered"]:
        """That of each walk that got further than those over more sizes, which come before it."""
        deepest = [max((walk.layers.depth for walk in walks[:place]), default=-1) for place in range(len(walks))]
        return [cls(walk, walk.counted()) for walk, depth in zip(walks, deepest, strict=True)
                if walk.layers.depth > depth]

    def in_words(self) -> str:
        """The sentence: all programs of how many calls, over which sizes."""
        layers, scope = self.walk.layers, self.walk.scope
        if not self.counted:
            return f"no length is done; {counted(layers.runs, 'program', 'were')} run"
        number = total(self.counted)
        many = f"all {number:,}" if number is not None else f"all of more than {1 << 63:,}"
        said = (f"{many} programs {_within(scope, len(self.counted))}, up to the names of handles: {layers.runs:,} "
                f"{'was' if layers.runs == 1 else 'were'} run, the others reach the same heaps")
        return f"{said}; {counted(layers.refusals, 'refusal')} of the system" if scope.refusals else said

    def figures(self) -> dict[str, Any]:
        """The same as keys and values."""
        lengths = [{"calls": calls, "programs": one.programs, "failing": one.failing}
                   for calls, one in enumerate(self.counted, 1)]
        sizes = self.walk.scope.sizes
        return {"programs": total(self.counted), "calls": len(self.counted), "sizes": list(sizes), "lengths": lengths,
                "heaps": len(self.walk.layers.known), "named_sizes": words(sizes)}


def begun(walks: Sequence[ScopeWalk]) -> str:
    """How much of the next length was run of the first walk that is not over; nothing, if all are."""
    for walk in walks:
        layers = walk.layers
        if not walk.is_over:
            over = counted(len(walk.scope.sizes), "size")
            return (f"programs of {counted(layers.depth + 1, 'call')} over {over}: {layers.done:,} of "
                    f"{counted(len(layers.programs), 'heap')} of {counted(layers.depth, 'call')} gone on from")
    return ""


def figures(walks: Sequence[ScopeWalk], *, complete: bool) -> dict[str, Any]:
    """The keys that a run of `exhaust` adds. The first walk has the most sizes; of others, what they went beyond it."""
    first, *others = Covered.by(walks)
    done = [one for one in (first, *others) if one.counted] or [first]
    said = "; and ".join(one.in_words() for one in done)
    return {**first.figures(), "complete": complete, "covered": said,
            "of_fewer_sizes": [one.figures() for one in others], "ways": len(walks[0].met),
            "refusals": sum(walk.layers.refusals for walk in walks),
            "by_children": sum(walk.layers.by_children for walk in walks), "alphabet": len(walks[0].scope.alphabet)}
