"""The figures that `stats` and `status` give, against a walk over the decoded heap."""

from collections.abc import Iterable, Iterator
from typing import Any

from heapster.impl import layout
from heapster.impl.layout import CALL_KINDS, WORD
from heapster.model.geometry import HEADER
from heapster.model.heap import UNTAKEN, Arena, Heap, Ledger, Stack, stacks

Figures = tuple[int, ...]           # in the order of the words that `stats` writes
GUARD = -1                          # on either side of the buffer that `stats` fills, and in it before
NO_CALLS: Figures = (0,) * CALL_KINDS
NOTHING: Figures = (0,) * (layout.STATS_BYTES // WORD)


def figures(ledger: Ledger, largest: int) -> Figures:
    """The figures of one arena, or of the mapped blocks."""
    return (*ledger[:5], largest, 0, 0, *ledger.calls)


def of_waiting(heap: Heap, waiting: Iterable[Stack], calls: Figures) -> Figures:
    """What caches and remote lists add: blocks that are freed but still used, and calls that they served."""
    sizes = {b.address + HEADER: b.size for arena in heap.arenas for region in arena.regions for b in region.blocks}
    payloads = [payload for stack in waiting for payload in stack.payloads]
    return (0, 0, 0, 0, 0, 0, sum(sizes[payload] for payload in payloads), len(payloads), *calls)


def of_caches(heap: Heap, arena: int | None = None) -> Figures:
    """What the threads of an arena add to its figures, calls; of all arenas, also what waits to be used again."""
    ours = [cache for cache in heap.caches if arena in (None, cache.arena)]
    calls = [sum(column) for column in zip(NO_CALLS, *[cache.calls for cache in ours], strict=True)]
    return of_waiting(heap, stacks(heap) if arena is None else [], tuple(calls))


def of_arena(arena: Arena) -> Figures:
    """The figures of an arena, recomputed from its blocks; only the calls are taken from its ledger."""
    blocks = [block for region in arena.regions for block in region.blocks]
    used = [block.size for block in blocks if block.used]
    free = [block.size for block in blocks if not block.used]
    held = sum(region.end - region.start for region in arena.regions)
    ledger = Ledger(held, sum(used), len(used), sum(free), len(free), arena.ledger.calls)
    return figures(ledger, max(free, default=0))


def of_mapped(heap: Heap) -> Figures:
    """The figures of the mapped blocks."""
    used = [m.length for m in heap.mapped if m.used]
    kept = [m.length for m in heap.mapped if not m.used and m.mark != UNTAKEN]
    held = sum(m.length for m in heap.mapped)
    ledger = Ledger(held, sum(used), len(used), sum(kept), len(kept), heap.mapped_ledger.calls)
    return figures(ledger, max(kept, default=0))


def total(parts: list[Figures]) -> Figures:
    """The sum of all, and the largest of the largest free blocks."""
    sums = [sum(column) for column in zip(NOTHING, *parts, strict=True)]
    sums[layout.STAT_LARGEST_FREE // WORD] = max(
        (part[layout.STAT_LARGEST_FREE // WORD] for part in parts), default=0)
    return tuple(sums)


def asked(source: Any, m: Any, which: int) -> tuple[Figures, bool]:
    """What `stats` answers, and whether it left the words on either side of its buffer alone."""
    out, end = m.scratch + WORD, m.scratch + WORD + layout.STATS_BYTES
    for word in range(m.scratch, end + WORD, WORD):
        m.store(word, GUARD)
    source.stats.stats(m, which, out)
    return tuple(m.load(word) for word in range(out, end, WORD)), m.load(m.scratch) == GUARD == m.load(end)


def wrong_figures(source: Any, m: Any, heap: Heap) -> Iterator[str]:
    """What `stats` and `status` say that the heap does not."""
    parts = {arena.index: of_arena(arena) for arena in heap.arenas}
    mapped = of_mapped(heap)
    expected = {layout.ALL_ARENAS: total([*parts.values(), mapped, of_caches(heap)]), layout.ONLY_MAPPINGS: mapped}
    expected |= {index: total([parts.get(index, NOTHING), of_caches(heap, index)])
                 for index in (*parts, len(parts))}
    for which, figures_ in expected.items():
        found, guarded = asked(source, m, which)
        if found != figures_:
            yield f"stats of {_name(which)} differ from what a walk over the heap finds"
        if not guarded:
            yield f"stats of {_name(which)} write beside the figures that they were asked for"
    if shown(source, m) != lines(heap):
        yield "the status dump differs from what a walk over the heap finds"


def _name(which: int) -> str:
    names = {layout.ALL_ARENAS: "all arenas", layout.ONLY_MAPPINGS: "the mapped blocks"}
    return names.get(which, f"arena {which}")


def shown(source: Any, m: Any) -> list[tuple[int, int, int, int]]:
    """The status dump, without the addresses of arenas' records."""
    m.shown.clear()
    source.stats.status(m)
    return [_line(*line) for line in m.shown]


def _line(kind: int, address: int, size: int, used: int) -> tuple[int, int, int, int]:
    return (kind, 0 if kind == layout.SHOW_ARENA else address, size, used)


def lines(heap: Heap) -> list[tuple[int, int, int, int]]:
    """The lines that the status dump must have."""
    found = []
    for arena in heap.arenas:
        found.append((layout.SHOW_ARENA, 0, arena.ledger.held, arena.ledger.used_bytes))
        for region in arena.regions:
            found.append((layout.SHOW_REGION, region.address, region.end - region.start, 0))
            found += [(layout.SHOW_BLOCK, b.address, b.size, int(b.used)) for b in region.blocks]
    return found + [(layout.SHOW_MAPPED, m.start, m.length, int(m.used)) for m in heap.mapped]


assert len(NOTHING) == 8 + CALL_KINDS
