"""Where two heaps first differ, in words: offsets from the region, never raw addresses."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from heapster.model.amounts import amount
from heapster.model.geometry import HEADER
from heapster.model.heap import Arena, Bin, Block, Heap, Region, Stack
from heapster.model.runs import NO_RUNS, RunOfSlots, Runs

CALLS = ("malloc", "calloc", "realloc", "aligned", "free")


def difference(predicted: Heap, actual: Heap) -> str:
    """The first difference between two heaps that are not equal."""
    return next(_differences(predicted, actual), "the heaps differ")


def _differences(predicted: Heap, actual: Heap) -> Iterator[str]:
    for name in ("policy", "threshold", "growth", "cache", "keep"):
        if getattr(predicted, name) != getattr(actual, name):
            yield f"the {name} is {getattr(actual, name)}, predicted {getattr(predicted, name)}"
    for one, other in zip_longest(predicted.arenas, actual.arenas):
        if one is None or other is None or one.index != other.index:
            yield "arenas are open that should not be, or the contrary"
        elif one != other:
            yield from _of_arenas(one, other)
    if predicted.attached != actual.attached:
        yield f"threads at each arena are {_counts(actual.attached)}, predicted {_counts(predicted.attached)}"
    if predicted.caches != actual.caches:
        yield _of_caches(predicted, actual)
    if predicted.runs != actual.runs:
        yield _of_runs(predicted.runs or NO_RUNS, actual.runs or NO_RUNS)
    yield from _of_mappings(predicted, actual)


def _of_mappings(predicted: Heap, actual: Heap) -> Iterator[str]:
    if predicted.mapped != actual.mapped:
        yield _of_mapped(predicted, actual)
    if predicted.lately != actual.lately:
        yield f"mapped blocks had {tuple(actual.lately)} lately, predicted {tuple(predicted.lately)}"
    if predicted.mapped_ledger != actual.mapped_ledger:
        yield f"mapped blocks: {_of_ledgers(predicted.mapped_ledger, actual.mapped_ledger)}"
    if predicted.mapped_backward != actual.mapped_backward:
        yield "the list of mapped blocks differs along its prev links"


def _counts(attached: Sequence[tuple[int, int]]) -> str:
    return ", ".join(f"{index}: {count}" for index, count in attached) or "none"


def _of_arenas(one: Arena, other: Arena) -> Iterator[str]:
    name = f"arena {one.index}"
    for first, second in zip_longest(one.regions, other.regions):
        if first is None or second is None or first[:4] != second[:4]:
            yield f"{name}: its regions are {_extents(other)}, predicted {_extents(one)}"
            return
        if first != second:
            yield f"{name}: {_of_regions(first, second)}"
    places = _places(one)
    for field in ("forward", "backward"):
        if getattr(one, field) != getattr(other, field):
            yield (f"{name}: the free list {field} is {_named(getattr(other, field), places)}, "
                   f"predicted {_named(getattr(one, field), places)}")
    if one.cursor != other.cursor:
        yield (f"{name}: the cursor is at {_named([other.cursor], places)}, "
               f"predicted {_named([one.cursor], places)}")
    if one.remote != other.remote:
        yield (f"{name}: its remote list is {_waiting(other.remote, places)}, "
               f"predicted {_waiting(one.remote, places)}")
    if one.idle != other.idle:
        yield f"{name}: it is {other.idle}, predicted {one.idle}"
    if one.ledger != other.ledger:
        yield f"{name}: {_of_ledgers(one.ledger, other.ledger)}"
    if (one.top, one.brk) != (other.top, other.brk):
        yield f"{name}: the break it remembers is {other.brk - one.brk:+} bytes off, or its top region is another"


def _of_regions(one: Region, other: Region) -> str:
    for first, second in zip_longest((*one.blocks, one.fence), (*other.blocks, other.fence)):
        if first != second:
            place = (first or second).address - one.address
            return f"the block at +{place} is {_block(second)}, predicted {_block(first)}"
    return "the fence names another region"


def _block(block: Block | None) -> str:
    if block is None:
        return "absent"
    state = "used" if block.used else "free"
    left = "used" if block.prev_used else "free"
    footer = "" if block.footer in (None, block.size) else f", footer {block.footer}"
    return f"{block.size} bytes {state}, left {left}, owner {block.owner}{footer}"


def _of_ledgers(one: Sequence[object], other: Sequence[object]) -> str:
    names = ("bytes held", "used bytes", "used blocks", "free bytes", "free blocks", f"calls of {CALLS}")
    for name, first, second in zip(names, one, other, strict=True):
        if first != second:
            return f"{name} are {second}, predicted {first}"
    return "the ledgers are equal"


def _waiting(stack: Stack, places: dict[int, str]) -> str:
    return _named([payload - HEADER for payload in stack.payloads], places)


def _of_caches(predicted: Heap, actual: Heap) -> str:
    places = {address: name for arena in actual.arenas for address, name in _places(arena).items()}
    if len(predicted.caches) != len(actual.caches):
        return f"{amount(len(actual.caches), 'thread')} with caches, predicted {len(predicted.caches)}"
    for number, (one, other) in enumerate(zip(predicted.caches, actual.caches, strict=True)):
        name = f"cache {number}"
        if one.arena != other.arena:
            return f"{name} is of a thread of arena {other.arena}, predicted {one.arena}"
        if one.calls != other.calls:
            return f"{name}: calls of {CALLS} are {other.calls}, predicted {one.calls}"
        for first, second in zip_longest(one.bins, other.bins):
            if first != second:
                return f"{name}: a bin is {_bin(second, places)}, predicted {_bin(first, places)}"
    return "the caches are equal"


def _bin(bin_: Bin | None, places: dict[int, str]) -> str:
    if bin_ is None:
        return "absent"
    was_full = ", was full" if bin_.overflowed else ""
    held = f"{bin_.stack.counted} of {bin_.limit} blocks{was_full}"
    return f"of {bin_.size} bytes, {held}: {_waiting(bin_.stack, places)}"


def _of_mapped(predicted: Heap, actual: Heap) -> str:
    lengths = [[(m.length, m.used, m.mark) for m in heap.mapped] for heap in (actual, predicted)]
    if lengths[0] == lengths[1]:
        return "a mapped block starts elsewhere than predicted"
    return f"mapped blocks are {lengths[0]}, predicted {lengths[1]}"


def _of_runs(predicted: Runs, actual: Runs) -> str:
    for one, other in zip_longest(predicted.runs, actual.runs):
        if one != other:
            return f"a run is {_run(other, actual)}, predicted {_run(one, predicted)}"
    if predicted.pool != actual.pool:
        return f"the pool is {_pool(actual)}, predicted {_pool(predicted)}"
    names = {"is_asked": "asked for", "used": "used runs", "pooled": "runs with pages that nobody has"}
    for name, words in names.items():
        if getattr(predicted, name) != getattr(actual, name):
            return f"of the reservation {words}: {getattr(actual, name)}, predicted {getattr(predicted, name)}"
    return "the reservation is elsewhere, or its next run is"


def _run(run: RunOfSlots | None, runs: Runs) -> str:
    if run is None:
        return "absent"
    listed = "on no list" if run.listed < 0 else f"listed as {run.listed}"
    carved = ", being carved" if run.is_carved else ""
    back = " ".join(str((slot - run.first) // run.size) for slot in run.back) or "none"
    return (f"+{runs.offset(run.start)} of arena {run.owner}, {amount(run.size)} a slot, {len(run.slots)} cut "
            f"from {run.first - run.start} on, {run.out} out, back {back}, {listed}{carved}")


def _pool(runs: Runs) -> str:
    named = [f"+{runs.offset(run.start)}{'' if run.has_pages else ' without pages'}" for run in runs.pool]
    return ", ".join(named) or "empty"


def _extents(arena: Arena) -> str:
    return " ".join(f"{region.kind}:{region.end - region.start}" for region in arena.regions) or "none"


def _places(arena: Arena) -> dict[int, str]:
    names = {0: "its head"}
    for number, region in enumerate(arena.regions):
        prefix = f"{number}:" if len(arena.regions) > 1 else ""
        names |= {b.address: f"{prefix}+{b.address - region.address}" for b in region.blocks}
    return names


def _named(addresses: Sequence[int], places: dict[int, str]) -> str:
    return " ".join(places.get(a, "elsewhere") for a in addresses) or "empty"
