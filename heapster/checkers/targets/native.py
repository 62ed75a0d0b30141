"""The compiled library: in lock-step, and judged from outside as a stranger's is, in any setting."""

from pathlib import Path

from heapster.checkers.blackbox.options import ForeignOptions, refuse_options
from heapster.checkers.blackbox.symbols import read_shared_object
from heapster.checkers.blackbox.target import ForeignTarget, symbols_for
from heapster.checkers.lockstep.native import NativeMake
from heapster.checkers.stress import build
from heapster.checkers.targets.target import Preload, Target
from heapster.native.library import PRELOAD, Options, libraries

PREFIX = "heapster_"
CHECK = "heapster_stress_check"


def make(target: Target) -> NativeMake:
    """In lock-step, in a process of its own."""
    return NativeMake(setup=target.settings.steps, hardened=bool(target.settings.harden),
                      spans=target.settings.has_spans)


def engine(_: Target) -> None:
    """The engine that plays whole traces is the compiled library itself."""


def calls(options: ForeignOptions) -> ForeignTarget:
    """Its functions, told its settings by its environment; it can walk its heap."""
    refuse_options(options)
    return judged(options.target, build.native(spans=options.target.settings.has_spans))


def judged(target: Target, library: Path) -> ForeignTarget:
    """A library of ours, which may be a changed one, in the target's settings."""
    found = read_shared_object(library)
    symbols = symbols_for(PREFIX, found.functions) | {"check": CHECK}
    return ForeignTarget(str(target), str(library), symbols, "prefixed", found.bits, check_means=True,
                         environment=target.settings.environment)


def preload(target: Target) -> Preload:
    """The library that has malloc's own names."""
    options = Options(spans=target.settings.has_spans)
    return Preload(str(libraries(options) / PRELOAD), target.settings.environment)


def threads(options: ForeignOptions) -> Preload:
    """The library whose heap the harness can have walked."""
    library = build.native(spans=options.target.settings.has_spans)
    return Preload(str(library), options.target.settings.environment, own=True)
