"""Operations as frozen values: what a step of a trace says, and which steps there are.

A step speaks of handles, never of addresses: small numbers that stand for what earlier steps
answered. `NO_HANDLE` is NULL as an operand and nothing as a result.
"""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from heapster.model.geometry import PAGE, up
from heapster.model.placement import POLICY_NAMES
from heapster.model.system import SYSTEM_CALL_NAMES

NO_HANDLE = -1


class Step(NamedTuple):
    """One call of the allocator, or one change of the world around it."""

    verb: str                       # a key of SHAPES
    numbers: tuple[int, ...] = ()   # as SHAPES[verb].numbers names them; sizes as size_t, never negative
    result: int = NO_HANDLE         # the handle that the answer defines
    operand: int = NO_HANDLE        # the handle whose pointer is passed
    offset: int = 0                 # bytes added to that pointer
    name: str = ""                  # one of SHAPES[verb].names


Trace = tuple[Step, ...]


class Shape(NamedTuple):
    """What a verb takes, and what it answers."""

    numbers: tuple[str, ...] = ()   # its numbers' names, in order
    result: bool = False            # it defines a handle
    operand: bool = False           # it takes a pointer, before its numbers
    names: tuple[str, ...] = ()     # it takes one of these words, before its numbers
    setting: bool = False           # written `verb words`, not `verb(arguments)`


SHAPES: dict[str, Shape] = {
    "malloc": Shape(("size",), result=True),
    "calloc": Shape(("count", "size"), result=True),
    "realloc": Shape(("size",), result=True, operand=True),
    "reallocarray": Shape(("count", "size"), result=True, operand=True),
    "aligned_alloc": Shape(("alignment", "size"), result=True),
    "posix_memalign": Shape(("alignment", "size"), result=True),
    "memalign": Shape(("alignment", "size"), result=True),
    "valloc": Shape(("size",), result=True),
    "pvalloc": Shape(("size",), result=True),
    "free": Shape(operand=True),
    "usable_size": Shape(operand=True),
    "policy": Shape(names=POLICY_NAMES, setting=True),
    "threshold": Shape(("size",), setting=True),        # requests from here on get their own mapping
    "growth": Shape(("size",), setting=True),           # init's arena size
    "arenas": Shape(("count",), setting=True),          # how many arenas threads are spread over
    "thread": Shape(("index",), setting=True),          # the thread that makes the calls from here on
    "foreign_sbrk": Shape(("delta",)),                  # someone else moves the break
    "fail": Shape(("nth",), names=SYSTEM_CALL_NAMES, setting=True),   # the nth such call from here is refused; 0: each
    "fork": Shape(setting=True),                        # the process forks and goes on
    "stats": Shape(setting=True),                       # the statistics and the status are asked for
    "finalize": Shape(setting=True),
    "cache": Shape(("size",), setting=True),            # bytes of one size that threads may keep
    "thread_end": Shape(setting=True),                  # the thread ends; another begins under its number
    "keep": Shape(("size",), setting=True),             # bytes of freed mappings that may be kept
    "trim": Shape(("size",), setting=True),             # malloc_trim: that many bytes at the top may stay
}

ALLOCATING = frozenset(verb for verb, shape in SHAPES.items() if shape.result)
RELEASING = frozenset({"free", "realloc", "reallocarray"})      # may take a live block from the caller
ALIGNING = frozenset({"aligned_alloc", "posix_memalign", "memalign"})

REQUESTS = {                    # what asks for a block: which of its numbers say how many bytes
    "malloc": "size", "valloc": "size", "realloc": "size", "pvalloc": "pages",
    "aligned_alloc": "size", "posix_memalign": "size", "memalign": "size",
    "calloc": "product", "reallocarray": "product",
}


class Asks(Protocol):
    """A step, or a call of the allocator."""

    @property
    def verb(self) -> str:
        """A key of SHAPES."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """As SHAPES[verb].numbers names them."""


def requested(call: Asks) -> int:
    """Bytes that the caller may use of the answer, as the standards say; 0 for what asks for none.

    The one definition: pvalloc asks for whole pages, a product may be more than a size_t holds. The C
    drivers have theirs in operation.h.
    """
    kind = REQUESTS.get(call.verb)
    if kind is None:
        return 0
    numbers = call.numbers
    if kind == "product":
        return numbers[0] * numbers[1]
    return up(numbers[0], PAGE) if kind == "pages" else numbers[-1]


def handles(trace: Iterable[Step]) -> tuple[int, ...]:
    """The handles of a trace, by first appearance."""
    seen: dict[int, None] = {}
    for step in trace:
        seen.setdefault(step.operand)
        seen.setdefault(step.result)
    seen.pop(NO_HANDLE, None)
    return tuple(seen)


def canonical(trace: Iterable[Step]) -> Trace:
    """The same trace with its handles renumbered 0, 1, ... by first appearance."""
    steps = tuple(trace)
    fresh = {old: new for new, old in enumerate(handles(steps))}
    fresh[NO_HANDLE] = NO_HANDLE
    return tuple(step._replace(result=fresh[step.result], operand=fresh[step.operand]) for step in steps)


def undefined_handle(trace: Iterable[Step]) -> int:
    """Index of the first step that takes a handle no earlier step defined, or -1."""
    defined = {NO_HANDLE}
    for index, step in enumerate(trace):
        if step.operand not in defined:
            return index
        defined.add(step.result)
    return -1
