"""A target's instrumented twin: the same allocator, whose every access the judge is told of."""

import platform
from dataclasses import replace
from pathlib import Path

from heapster.checkers.blackbox.symbols import read_shared_object
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.checkers.targets.instrumented import (
    HOOK,
    TOLD,
    UNHOOKED,
    NoInstrumentationError,
    calls_hooks,
    instrument,
)

UNDEFINED = ("-fsanitize=signed-integer-overflow,shift,integer-divide-by-zero,null,alignment,pointer-overflow,bounds,"
             "bool,enum,unreachable,return,vla-bound,nonnull-attribute")

WRAPPING = "-fsanitize=unsigned-integer-overflow"       # of clang: gcc has no such thing


def instrumented_twin(target: ForeignTarget) -> ForeignTarget:
    """The target, compiled once more with the hooks; itself, if its owner has built it so.

    Raises NoInstrumentationError, in one line, where there can be none.
    """
    if target.instrumented:
        return target
    if any(name.startswith(HOOK) for name in read_shared_object(target.code_path).functions):
        raise NoInstrumentationError(f"{target.name} brings its own {HOOK} functions: its accesses are not seen")
    if target.code is not None:
        raise NoInstrumentationError(f"{target.name} names an object, and no sources of it")
    if target.ingredients is None:
        raise NoInstrumentationError(f"{target.name} is no C source: name its sources, or build it with "
                                     "-g -fsanitize=thread and without linking the sanitizer")
    made = Path(target.path).with_suffix(".observed.so")
    try:
        instrument(target.ingredients, made, UNDEFINED)
    except NoInstrumentationError:
        instrument(target.ingredients, made)
    if not calls_hooks(read_shared_object(made).needs):
        raise NoInstrumentationError(f"{target.ingredients.compiler[0]} has put no hooks into {target.name}")
    return replace(target, path=str(made), instrumented=True)


def wrapping_twin(target: ForeignTarget) -> ForeignTarget | None:
    """The target, compiled so that it tells of each unsigned sum and product that wraps; None where clang cannot."""
    if target.ingredients is None:
        return None
    made = Path(target.path).with_suffix(".wrapping.so")
    try:
        instrument(target.ingredients._replace(compiler=("clang",)), made, WRAPPING,
                   way=TOLD if target.bits == 64 else UNHOOKED)
    except NoInstrumentationError:
        return None
    return replace(target, path=str(made), instrumented=True)


def stepped_twin(target: ForeignTarget) -> ForeignTarget | None:
    """The target as it is, taken an instruction at a time; None where that cannot be done."""
    return replace(target, stepped=True) if platform.machine() == "x86_64" and target.bits == 64 else None
