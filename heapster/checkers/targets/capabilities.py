"""Which command can take which target: one table, and the one sentence that says why not."""

from collections.abc import Mapping

from heapster.checkers.targets.kinds import BY_NAME, KINDS, TargetKind
from heapster.checkers.targets.target import BUILT_IN, NUMBERS, Target, View
from heapster.results import UsageError

# What a command needs of a target: one of these views, the first that it has.
TAKES: Mapping[str, tuple[View, ...]] = {
    "fuzz": (View.LOCKSTEP, View.CALLS),
    "exhaust": (View.CALLS, View.LOCKSTEP),
    "replay": (View.LOCKSTEP, View.CALLS),
    "shrink": (View.LOCKSTEP, View.CALLS),
    "races": (View.SOURCE, View.CALLS),
    "prove": (View.SOURCE,),
    "check": (View.SHIPPED,),
    "stress": (View.THREADS,),
    "bench": (View.PRELOAD,),
    "score": (View.CALLS,),
    "harness": (View.CALLS,),
    "diff": (View.ENGINE, View.CALLS),
    "view": (View.LOCKSTEP,),
    "report": (View.LOCKSTEP,),
}
# What can be set of a target in that view; in others, everything.
HONOURS: Mapping[View, tuple[str, ...]] = {View.ENGINE: ("policy", "spans"), View.SOURCE: ("spans",),
                                            View.SHIPPED: ("spans",)}
FROM_OUTSIDE = frozenset(NUMBERS) - {BUILT_IN}      # settings that a compiled library has from its environment


def view_of(target: Target, command: str) -> View:
    """How the command looks at the target; UsageError if it cannot take it, with what it takes instead."""
    kind = BY_NAME[target.kind]
    views = [view for view in TAKES[command] if view in kind.opened]
    if not views:
        raise UsageError(f"{command} cannot take {target}, {kind.about}: it needs {_needs(command)}; "
                         f"name {_or(spellings(command))}")
    if target.settings.spans and target.settings.harden:
        raise UsageError(f"{command} cannot take {target}: a hardened heap has no runs; leave out spans=1")
    view = View.CALLS if View.CALLS in views and _from_outside(target) else views[0]
    if lost := [name for name in target.settings.given if name not in HONOURS.get(view, target.settings.given)]:
        raise UsageError(f"{command} cannot set {' and '.join(lost)} of {target.name}: leave that out of '{target}'")
    return view


def spellings(command: str) -> tuple[str, ...]:
    """How targets are spelled that the command takes."""
    return tuple(kind.spelled for kind in KINDS if _takes(command, kind))


def told(command: str) -> str:
    """The sentence of a command's help about its targets."""
    any_settings = not {View.SOURCE, View.SHIPPED} & set(TAKES[command])
    settings = ", with settings (native:best_fit:cache=64)" if any_settings else ""
    return f"A target is {_or(spellings(command))}{settings}."


def _takes(command: str, kind: TargetKind) -> bool:
    return any(view in kind.opened for view in TAKES[command])


def _from_outside(target: Target) -> bool:
    return any(name in FROM_OUTSIDE for name in target.settings.given)


def _needs(command: str) -> str:
    return ", or ".join(view.value for view in TAKES[command])


def _or(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
