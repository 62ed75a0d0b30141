"""The figures that `stats` and `status` give, against a walk over the decoded heap."""

from collections.abc import Iterator
from itertools import repeat
from typing import Any

from heapster.impl import layout
from heapster.impl.layout import CALL_KINDS, WORD
from heapster.model.geometry import HEADER, RUN
from heapster.model.heap import UNTAKEN, Arena, Heap, Ledger
from heapster.model.runs import NO_RUNS, Runs

Figures = tuple[int, ...]           # in the order of the words that `stats` writes
GUARD = -1                          # on either side of the buffer that `stats` fills, and in it before
NO_CALLS: Figures = (0,) * CALL_KINDS
NOTHING: Figures = (0,) * (layout.STATS_BYTES // WORD)


def figures(ledger: Ledger, largest: int) -> Figures:
    """The figures of one arena, or of the mapped blocks."""
    return (*ledger[:5], largest, 0, 0, *ledger.calls)


def waiting_sizes(heap: Heap) -> Iterator[int]:
    """Bytes of each block that is freed but still used: in a bin, of the slots that it stands for."""
    for bin_ in (bin_ for cache in heap.caches for bin_ in cache.bins):
        yield from repeat(bin_.size, len(bin_.stack.payloads))
    sizes = {b.address + HEADER: b.size for arena in heap.arenas for region in arena.regions for b in region.blocks}
    sizes |= {slot: run.size for run in (heap.runs or NO_RUNS).runs for slot in run.slots}
    yield from (sizes[payload] for arena in heap.arenas for payload in arena.remote.payloads)


def of_caches(heap: Heap, arena: int | None = None) -> Figures:
    """What the threads of an arena add to its figures, calls; of all arenas, also what waits to be used again."""
    ours = [cache for cache in heap.caches if arena in (None, cache.arena)]
    calls = [sum(column) for column in zip(NO_CALLS, *[cache.calls for cache in ours], strict=True)]
    sizes = [*waiting_sizes(heap)] if arena is None else []
    return (0, 0, 0, 0, 0, 0, sum(sizes), len(sizes), *calls)


def of_arena(arena: Arena, runs: Runs = NO_RUNS) -> Figures:
    """The figures of an arena, recomputed from its blocks and slots; only the calls are taken from its ledger."""
    mine = runs.of(arena.index)
    blocks = [block for region in arena.regions for block in region.blocks]
    used = [block.size for block in blocks if block.used]
    free = [block.size for block in blocks if not block.used]
    held = sum(region.end - region.start for region in arena.regions) + len(mine) * RUN
    largest = max(free, default=0)
    used += [run.size for run in mine for _ in range(len(run.slots) - len(run.back))]
    free += [run.size for run in mine for _ in range(run.capacity - len(run.slots) + len(run.back))]
    ledger = Ledger(held, sum(used), len(used), sum(free), len(free), arena.ledger.calls)
    return figures(ledger, largest)


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
    parts = {arena.index: of_arena(arena, heap.runs or NO_RUNS) for arena in heap.arenas}
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
        found += [(layout.SHOW_RUN, run.start, run.size, run.out) for run in (heap.runs or NO_RUNS).of(arena.index)]
    return found + [(layout.SHOW_MAPPED, m.start, m.length, int(m.used)) for m in heap.mapped]


assert len(NOTHING) == 8 + CALL_KINDS
