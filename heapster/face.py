"""A heap to play with: for teaching, and for notebooks.

    from heapster import Heap

    with Heap(policy="best_fit") as h:
        a = h.malloc(40)
        b = h.calloc(3, 100)
        h.free(a)
        print(h)                    # a drawing
        h.free(a)                   # raises Misused, saying why
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from itertools import count
from types import TracebackType
from typing import Any, NamedTuple, Self

from heapster.checkers.lockstep.decode import decode
from heapster.impl import api, layout, run_layout, settings, stats
from heapster.machine.process import Process
from heapster.machine.protocol import Aborted, MachineFault
from heapster.machine.simulated import Simulated
from heapster.model import heap as model
from heapster.model import misuse
from heapster.model.geometry import signed
from heapster.model.invariants import violations
from heapster.model.live import Held, Live
from heapster.model.markup import markup
from heapster.model.placement import POLICY_NAMES
from heapster.model.problem import Problem
from heapster.model.sketch import picture, sketch
from heapster.model.spec import Operation
from heapster.model.trace import handle_name
from heapster.results import HeapsterError, UsageError
from heapster.suggest import instead_of

MACHINES: dict[str, Callable[[], Any]] = {"sim": Simulated, "process": Process}
ONE_PAGE = layout.PAGE
NULL = layout.NULL


class Misused(HeapsterError):
    """The caller passed a pointer that is none of its blocks, or said wrong of one that is."""

    def __init__(self, kind: str, words: str, pointer: int) -> None:
        super().__init__(f"{kind}: {words}")
        self.kind, self.pointer = kind, pointer


class Statistics(NamedTuple):
    """Figures of a heap; bytes include the headers of blocks."""

    held: int               # bytes got from the system
    used_bytes: int
    used_blocks: int
    free_bytes: int
    free_blocks: int
    largest_free: int       # bytes
    cached_bytes: int       # of the used: freed, and kept to be used again
    cached_blocks: int
    mallocs: int            # successful calls
    callocs: int
    reallocs: int
    aligned: int
    frees: int

    @property
    def fragmentation(self) -> float:
        """0 if all free bytes are one block; near 1 for many small ones."""
        return 1 - self.largest_free / self.free_bytes if self.free_bytes else 0.0


class Heap:
    """A heap of its own, by Heapster's allocator, on a machine of its own.

    Pointers are integers; 0 is NULL. What a C program would be told by NULL and errno is told so here:
    see `errno`. What would be undefined behaviour there raises `Misused` here, with an explanation.

    It is built without spans, whatever ships: every block has a header, and lies in an arena or a mapping of its own.

    `policy`     one of `heapster.model.placement.POLICIES`; may be changed at any time
    `machine`    sim (checked memory), process (the real memory of this process), or a machine
    `growth`     bytes got from the system at a time, at least; small ones make small drawings
    `threshold`  requests of at least so many bytes get their own mapping
    """

    def __init__(self, policy: str = "first_fit", machine: Any = "sim", growth: int = ONE_PAGE,
                 threshold: int = layout.DEFAULT_THRESHOLD) -> None:
        self._m: Any = _machine(machine)
        self._live = Live()
        self._names: dict[int, str] = {}
        self._fresh = map(handle_name, count())
        self._closed = False
        self._m.errno = 0
        settings.set_growth(self._m, growth)
        settings.set_threshold(self._m, threshold)
        self.policy = policy

    # Life.

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give all memory back; the heap cannot be used after it."""
        if not self._closed:
            self._closed = True
            self._m.close()

    # Allocation.

    def malloc(self, size: int) -> int:
        """A block of at least `size` bytes; 0 if there is none."""
        with self._calling():
            return self._got(api.malloc(self._m, _word(size)), size)

    def calloc(self, number: int, size: int) -> int:
        """A block of number * size bytes, all zero; 0 if there is none."""
        with self._calling():
            return self._got(api.calloc(self._m, _word(number), _word(size)), number * size)

    def aligned_alloc(self, alignment: int, size: int) -> int:
        """A block at a multiple of `alignment`, a power of two; 0 if there is none."""
        with self._calling():
            return self._got(api.aligned_alloc(self._m, _word(alignment), _word(size)), size, alignment=alignment)

    def realloc(self, pointer: int, size: int) -> int:
        """The block made to hold `size` bytes, here or elsewhere; 0 if it cannot be, and then it is as it was."""
        self._check(pointer, "realloc", size)
        name = self._names.get(pointer, "")
        with self._calling("realloc", pointer):
            moved = api.realloc(self._m, pointer, _word(size))
            if pointer and (moved or not size):
                self._gave(pointer)
            return self._got(moved, size, name)

    def free(self, pointer: int) -> None:
        """Give a block back; NULL is nothing."""
        self._release(pointer, "free")

    def free_sized(self, pointer: int, size: int) -> None:
        """Give a block back that was asked for with `size` bytes, and no alignment (C23)."""
        self._release(pointer, "free_sized", size)

    def free_aligned_sized(self, pointer: int, alignment: int, size: int) -> None:
        """Give a block back that was asked for with `size` bytes at a multiple of `alignment` (C23)."""
        self._release(pointer, "free_aligned_sized", alignment, size)

    def usable_size(self, pointer: int) -> int:
        """Bytes that may be used at `pointer`, at least what was asked for."""
        self._check(pointer, "usable_size")
        with self._calling("usable_size", pointer):
            return int(api.usable_size(self._m, pointer))

    # The world around it.

    @property
    def policy(self) -> str:
        """The placement policy."""
        number: int = settings.get_policy(self._m)
        return POLICY_NAMES[number]

    @policy.setter
    def policy(self, name: str) -> None:
        if name not in POLICY_NAMES:
            raise UsageError(f"unknown policy '{name}': {instead_of(name, POLICY_NAMES)}")
        settings.set_policy(self._m, POLICY_NAMES.index(name))

    @property
    def errno(self) -> int:
        """The errno of the last call's failure: ENOMEM, EINVAL, or 0."""
        return int(self._m.errno)

    def on_thread(self, index: int) -> None:
        """Make the calls that follow as another thread, with an arena of its own."""
        self._m.on_thread(index)

    def refuse(self, name: str, nth: int = 1) -> None:
        """Let the system refuse the `nth` sbrk, mmap or munmap from here on."""
        self._m.refuse(name, nth)

    # Looking at it.

    def __str__(self) -> str:
        return picture(self.decode(), self._names)

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        return f"<pre>{escape(repr(self))}</pre>" if self._closed else markup(self.decode(), self._names)

    def __repr__(self) -> str:
        return "<Heap, closed>" if self._closed else f"<Heap {sketch(self.decode())}>"

    def decode(self) -> model.Heap:
        """The heap as a value of the model."""
        return decode(self._m, spans=run_layout.SPANS != 0)

    def violations(self) -> list[Problem]:
        """The invariants that do not hold: none, unless someone wrote over the heap."""
        return violations(self.decode())

    def statistics(self) -> Statistics:
        """The figures of the whole heap."""
        out = self._m.scratch
        stats.stats(self._m, layout.ALL_ARENAS, out)
        return Statistics(*[self._m.load(out + at) for at in range(0, layout.STATS_BYTES, layout.WORD)])

    # Bookkeeping.

    def _release(self, pointer: int, verb: str, *numbers: int) -> None:
        self._check(pointer, verb, *numbers)
        with self._calling(verb, pointer):
            getattr(api, verb)(self._m, pointer, *map(_word, numbers))
        if pointer:
            self._gave(pointer)

    def _got(self, pointer: int, size: int, name: str = "", alignment: int | None = None) -> int:
        if pointer:
            self._live.add(Held(pointer, size, alignment=alignment))
            self._names[pointer] = name or next(self._fresh)
        return pointer

    def _gave(self, pointer: int) -> None:
        self._live.remove(pointer)
        self._names.pop(pointer, None)

    def _check(self, pointer: int, verb: str, *numbers: int) -> None:
        """Misused if that is no block of the caller's, or the numbers say wrong of it."""
        case = misuse.classify(self.decode(), self._live, Operation(verb, numbers), pointer)
        if case is not None:
            raise Misused(f"{verb} of a {case.kind.value}", case.words, pointer)

    @contextmanager
    def _calling(self, verb: str = "", pointer: int = NULL) -> Iterator[None]:
        """A call: it starts with errno 0, and ends in Misused if the allocator notices what we did not."""
        self._m.errno = 0
        self._m.refuel()
        try:
            yield
        except Aborted as aborted:
            raise Misused(misuse.abort_name(aborted.code), "the heap was written over", pointer) from None
        except MachineFault as fault:
            raise Misused(f"{verb} faults", str(fault), pointer) from None


def _machine(machine: Any) -> Any:
    if not isinstance(machine, str):
        return machine
    if machine not in MACHINES:
        raise UsageError(f"unknown machine '{machine}': {instead_of(machine, MACHINES)}")
    return MACHINES[machine]()


def _word(size: int) -> int:
    """A size_t as a word."""
    return signed(size & ((1 << 64) - 1))
