"""Targets opened: in each view, by the function that the table of kinds names for it. Nothing loads before its use."""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from heapster.checkers.targets.kinds import BY_NAME
from heapster.checkers.targets.source import holds_source
from heapster.checkers.targets.sources import within
from heapster.checkers.targets.target import Preload, Target, View
from heapster.results import TargetError, UsageError

BUILT = ("source", "sources")    # the kinds that a command builds

if TYPE_CHECKING:
    from heapster.checkers.blackbox.options import ForeignOptions
    from heapster.checkers.blackbox.target import ForeignTarget
    from heapster.checkers.lockstep.run_trace import Make
    from heapster.checkers.targets.source import Source


def opener(target: Target, view: View) -> Callable[..., Any]:
    """The function that opens the target in that view; TargetError if none does."""
    kind = BY_NAME[target.kind]
    if kind.name == "folder" and not holds_source(target.path):
        inner = within(target.path)
        raise TargetError(f"{target} holds no C sources, no Makefile and no copy of impl"
                          f"{f': name a folder that does, as {inner}' if inner else ''}")
    if view not in kind.opened:
        raise TargetError(f"{target} is {kind.about}, and not {view.value}")
    module, _, function = kind.opened[view].partition(":")
    return getattr(import_module(f"{__package__}.{module}"), function)      # type: ignore[no-any-return]


def make_for(target: Target) -> "Make":
    """The maker of fresh locksteps for the target."""
    make: Make = opener(target, View.LOCKSTEP)(target)
    return make


def source_of(target: Target) -> "Source":
    """The source of the target."""
    source: Source = opener(target, View.SOURCE)(target)
    return source


def engine_of(target: Target) -> "Source | None":
    """The source that plays the target's traces; None for the compiled library."""
    source: Source | None = opener(target, View.ENGINE)(target)
    return source


def resolve(options: "ForeignOptions") -> "ForeignTarget":
    """The compiled functions of the target, compiled if need be; TargetError if it cannot be used."""
    _check_build(options)
    found: ForeignTarget = opener(options.target, View.CALLS)(options)
    return found


def _check_build(options: "ForeignOptions") -> None:
    """UsageError for a build of what is not built."""
    target = options.target
    if options.build and target.kind not in BUILT:
        raise UsageError(f"--build says how C sources are built: {target} is {BY_NAME[target.kind].about}")


def preload_of(target: Target) -> Preload:
    """How any program gets the target's malloc."""
    preload: Preload = opener(target, View.PRELOAD)(target)
    return preload


def threads_of(options: "ForeignOptions") -> Preload:
    """How the harness of threads gets the target's malloc."""
    _check_build(options)
    preload: Preload = opener(options.target, View.THREADS)(options)
    return preload
