"""What is asked of every target first: a short trace for each kind of fault that chance may meet late."""

from collections.abc import Iterator, Sequence

from heapster.checkers.blackbox.generator import HUGE
from heapster.model.operation import Step, Trace
from heapster.model.operations import ALIGNING, REQUESTS, in_order, requested
from heapster.model.trace import parse

BATTERY = (
    "free(NULL); a = malloc(24)",
    "a = realloc(NULL, 24); b = realloc(NULL, 4000); free(a)",
    "a = malloc(0); b = malloc(0); free(a); c = malloc(24); d = malloc(0); e = malloc(0); f = malloc(0); g = malloc(0)",
    "; ".join(f"a{n} = malloc(0)" for n in range(20)),
    "a = malloc(24); b = realloc(a, 0); c = malloc(24)",
    "a = calloc(SIZE_MAX, 2); b = malloc(24)",
    "a = calloc(4294967296, 4294967296); b = malloc(24)",
    "a = calloc(3, 6148914691236517206); b = malloc(24)",
    "a = calloc(9223372036854775809, 2); b = malloc(24)",
    "a = malloc(SIZE_MAX); b = malloc(24)",
    "a = malloc(SIZE_MAX - 8); b = malloc(24); c = malloc(24)",
    "a = malloc(SIZE_MAX - 40); b = malloc(24); c = malloc(24)",
    "a = malloc(PTRDIFF_MAX + 1); b = malloc(24)",
    "a = malloc(PTRDIFF_MAX); b = malloc(24)",
    "a = malloc(PTRDIFF_MAX - 4096); b = malloc(24)",
    "a = malloc(70368744177664); b = malloc(24)",
    "a = malloc(4294967304); b = malloc(24); c = malloc(24)",
    "a = malloc(2147483656); b = malloc(24); c = malloc(24)",
    "a = malloc(8589934600); b = malloc(24)",
    "a = malloc(100); b = realloc(a, SIZE_MAX); c = malloc(100)",
    "a = malloc(100); b = realloc(a, SIZE_MAX - 40); c = malloc(100)",
    "a = malloc(100); b = realloc(a, PTRDIFF_MAX + 1); c = malloc(100)",
    "a = malloc(100); b = realloc(a, PTRDIFF_MAX - 8192); c = malloc(100)",
    "a = malloc(100); b = reallocarray(a, SIZE_MAX, 2); c = malloc(100)",
    "a = malloc(1000); b = malloc(1000); free(a); free(b); c = calloc(10, 100); d = calloc(1, 1000)",
    "a = posix_memalign(3, 24); b = posix_memalign(24, 24); c = posix_memalign(0, 24); d = posix_memalign(4, 24)",
    "a = aligned_alloc(64, SIZE_MAX - 100); b = aligned_alloc(64, 64)",
    *("; ".join(f"{name} = {verb}({1 << power}, {size})" for name, size in zip("abcd", (24, 1000, 1 << power, 100),
                                                                             strict=True))
      for verb in in_order(ALIGNING) for power in range(4, 14)),
    "a = malloc(24); b = malloc(100); usable_size(a); free(b); usable_size(a); c = malloc(24); usable_size(a)",
    "a = malloc(24); usable_size(NULL)",
    "a = valloc(100); b = malloc(24); c = valloc(100); d = pvalloc(100)",
    "; ".join(f"a{size} = malloc({size})" for size in range(1, 140)),
    "; ".join(f"a = malloc({size}); b = malloc({size}); free_sized(a, {size}); c = realloc(b, {2 * size}); "
              f"free_sized(c, {2 * size}); d = calloc(3, {size}); free_sized(d, {3 * size})"
              for size in (1, 24, 100, 1000, 5000)),
    "; ".join(f"a = aligned_alloc({1 << power}, {times << power}); b = malloc(24); "
              f"free_aligned_sized(a, {1 << power}, {times << power})" for power in range(4, 12) for times in (1, 3)),
)


STEADY = (
    "a = malloc(24); b = malloc(24)",
    "a = malloc(1000); b = malloc(1000); c = malloc(1000); free(b); d = malloc(600); free(a); e = malloc(1400)",
    "a = malloc(5000); b = malloc(50)",
    "a = malloc(60000)",
    "a = malloc(100); b = realloc(a, 1000); c = realloc(b, 10)",
    "a = calloc(10, 30); b = calloc(1, 5000)",
    *(f"a = {verb}(64, 100); b = malloc(10); c = {verb}(4096, 1000)"
      for verb in in_order(ALIGNING)),
)
MIB = 1 << 20


def in_a_row(sizes: Sequence[int]) -> Trace:
    """One block after the other, each freed before the next."""
    return tuple(step for n, size in enumerate(sizes) for step in (Step("malloc", (size,), n), Step("free", operand=n)))


ASCENDING = tuple(round(1.6 ** n) * 1000 for n in range(11, 27))       # to some 200 MB: past the last of any bins
LARGE: tuple[Trace, ...] = (
    in_a_row(ASCENDING), in_a_row(ASCENDING[::-1]), in_a_row((*ASCENDING[-3:], *ASCENDING[-3:])),
    parse(f"a = malloc({40 * MIB}); b = malloc({3 * MIB}); free(a); free(b); c = malloc({50 * MIB}); "
          f"d = malloc({4 * MIB}); e = malloc({30 * MIB}); f = malloc({2 * MIB})"),
    parse(f"a = malloc({40 * MIB}); free(a); b = calloc(1, {60 * MIB}); free(b); c = calloc({MIB}, 50)"),
    parse(f"a = malloc({3 * MIB}); b = realloc(a, {40 * MIB}); c = realloc(b, {90 * MIB}); d = realloc(c, {5 * MIB}); "
          f"e = malloc({80 * MIB}); f = realloc(d, {20 * MIB})"),
    *(parse(f"a = {verb}({2 * MIB}, {40 * MIB}); free(a); b = {verb}({2 * MIB}, {90 * MIB}); c = malloc({60 * MIB}); "
            f"free(b); d = {verb}(65536, {50 * MIB})") for verb in in_order(ALIGNING)))


def beside_others(size: int, count: int, taken: int) -> Trace:
    """Blocks that make the heap grow; others take memory beside it; all is freed, and taken again."""
    blocks = tuple(Step("malloc", (size,), n) for n in range(2 * count))
    others, gone = Step("foreign_sbrk", (taken,)), Step("foreign_sbrk", (-taken,))
    freed = tuple(Step("free", operand=n) for n in range(2 * count))
    return (*blocks[:count], others, *freed[:count], *blocks[count:], others, *reversed(freed[count:]), gone)


BESIDE_OTHERS = (
    *(beside_others(size, count, taken) for size, count, taken in (
        (300_000, 4, 65536), (300_000, 4, 16), (60_000, 6, 4096), (2 * MIB, 2, 65536), (1000, 200, 65536))),
    parse(f"foreign_sbrk({4 * MIB}); a = malloc({8 * MIB}); free(a)"))
NEARLY_ALL = 72                 # bytes less than the whole heap, down to which each size is asked for
FILLING = (7, 60, 400)          # blocks that take seven eighths of a heap that has a limit


def basics(verbs: frozenset[str], most_size: int) -> Iterator[Trace]:
    """The traces that cost little."""
    return (trace for trace in _told(verbs, most_size) if not _is_extreme(trace))


def extremes(verbs: frozenset[str], most_size: int, room: int) -> Iterator[Trace]:
    """Those that ask for more than machines have, or for all that the heap has: they may take long.

    `room` is the limit of the target's heap, 0 if it has none.
    """
    yield from filter(_is_extreme, _told(verbs, most_size))
    for trace in () if room else (*LARGE, *BESIDE_OTHERS):
        yield tuple(step for step in trace if step.verb in verbs or step.verb == "foreign_sbrk")
    if room:
        yield in_a_row(range(room + 1, max(room - NEARLY_ALL, 0), -1))
    for count in FILLING if room else ():
        yield exhausted(room, count, verbs)
        yield filled_and_freed(room, count, ())
        yield filled_and_freed(room, count, (Step("malloc", (room // 4,), count + 1), Step("free", operand=count + 1)))


def _is_extreme(trace: Trace) -> bool:
    return any(requested(step) >= HUGE for step in trace)


def _told(verbs: frozenset[str], most_size: int) -> Iterator[Trace]:
    """The traces of the battery, as far as the target has the verbs; affordable sizes are those of `most_size`."""
    for text in BATTERY:
        trace = tuple(step for step in parse(text) if step.verb in verbs)
        ordinary = [requested(step) for step in trace if step.verb in REQUESTS and requested(step) < HUGE]
        if trace and max(ordinary, default=0) <= most_size:
            yield trace


def steady(verbs: frozenset[str]) -> Iterator[Trace]:
    """Work that takes no more memory however often it is done, as far as the target has the verbs."""
    for text in STEADY:
        trace = parse(text)
        if {step.verb for step in trace} <= verbs:
            yield trace


def exhausted(room: int, count: int, verbs: frozenset[str]) -> Trace:
    """More than there is taken in pieces, so that the last are refused; then all freed, and taken again."""
    size, most = room // count, count + 2
    pieces = tuple(Step("malloc", (size,), n) for n in range(most))
    grown = (Step("realloc", (room,), most, 0), Step("malloc", (24,), most + 1)) if "realloc" in verbs else ()
    return (*pieces, *grown, *(Step("free", operand=n) for n in range(most + 1)),
            *(piece._replace(result=most + 2 + piece.result) for piece in pieces[:2]))


def filled_and_freed(room: int, count: int, before: Trace) -> Trace:
    """Nearly all memory taken in pieces and given back; then a piece that only fits if they were merged."""
    size = room // 8 * 7 // count
    return (*before, *(Step("malloc", (size,), n) for n in range(count)),
            *(Step("free", operand=n) for n in range(count)), Step("malloc", (room // 4,), count))
