"""Invariants of every heap at rest: named generators of counterexamples.

Each predicate yields a sentence for every place where the heap breaks it, and nothing when it holds.
`ALWAYS` is the tuple of them; their names are what findings and counts are called by. Each is
independent: for each there is a heap that breaks it and no other.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice

from heapster.model.amounts import amount
from heapster.model.geometry import (
    ALIGN,
    CACHED_SIZES,
    CALLS,
    FENCE,
    FIRST_BLOCK,
    HEADER,
    LONGER,
    MAPPED_LEAD,
    MAX_ARENAS,
    MAX_CACHE,
    MAX_REQUEST,
    MAX_RETAINED,
    MIN_BLOCK,
    MIN_THRESHOLD,
    MOST_REMOTE,
    MOST_SENT,
    PAGE,
    class_of,
    retained_capacity,
)
from heapster.model.heap import UNTAKEN, Arena, Heap, Ledger, Region, extents, place, stacks, waiting
from heapster.model.placement import POLICIES
from heapster.model.problem import Problem

Invariant = Callable[[Heap], Iterator[str]]

BEFORE_A_PAYLOAD = ALIGN - HEADER       # what a block's address leaves when divided by ALIGN


def violations(heap: Heap) -> list[Problem]:
    """Every way in which the heap breaks an invariant."""
    return [Problem(invariant.__name__, message) for invariant in ALWAYS for message in invariant(heap)]


def _regions(heap: Heap) -> Iterator[tuple[Arena, Region]]:
    """Every region, with its arena."""
    return ((arena, region) for arena in heap.arenas for region in arena.regions)


def blocks_tile_their_region(heap: Heap) -> Iterator[str]:
    """Blocks follow each other from the region's record to its fence, without gap or overlap."""
    for _, region in _regions(heap):
        expected = region.address + FIRST_BLOCK
        for block in region.blocks:
            if block.address != expected:
                yield f"{place(heap, block.address)} should start at {place(heap, expected)}"
            expected = block.address + block.size
        if region.fence.address != expected:
            yield f"the last block ends at {place(heap, expected)}, not at the fence"


def blocks_are_aligned(heap: Heap) -> Iterator[str]:
    """Payloads are multiples of 16."""
    for _, region in _regions(heap):
        for block in region.blocks:
            if block.address % ALIGN != BEFORE_A_PAYLOAD:
                yield f"the payload of {place(heap, block.address)} is not aligned"
    for mapped in heap.mapped:
        if mapped.used and mapped.address % ALIGN != BEFORE_A_PAYLOAD:
            yield f"the payload of {place(heap, mapped.address)} is not aligned"


def sizes_are_legal(heap: Heap) -> Iterator[str]:
    """Sizes are multiples of 16 and at least 32."""
    for _, region in _regions(heap):
        for block in region.blocks:
            if block.size < MIN_BLOCK or block.size % ALIGN:
                yield f"{place(heap, block.address)} has size {block.size}"


def no_two_free_neighbours(heap: Heap) -> Iterator[str]:
    """Free blocks coalesce at once."""
    for _, region in _regions(heap):
        left_used = True
        for block in region.blocks:
            if not (block.used or left_used):
                yield f"{place(heap, block.address)} and its left neighbour are both free"
            left_used = block.used


def boundary_tags_agree(heap: Heap) -> Iterator[str]:
    """A free block's last word is its size, so that its right neighbour can find its start."""
    for _, region in _regions(heap):
        for block in region.blocks:
            if block.footer != (None if block.used else block.size):
                yield f"{place(heap, block.address)} has size {block.size} and footer {block.footer}"


def flags_agree_with_neighbours(heap: Heap) -> Iterator[str]:
    """Each header tells whether the left neighbour is used; nothing lies left of the first block."""
    for _, region in _regions(heap):
        left_used = True
        for block in (*region.blocks, region.fence):
            if block.prev_used != left_used:
                says = "used" if block.prev_used else "free"
                yield f"{place(heap, block.address)} takes its left neighbour for {says}"
            left_used = block.used


def owners_are_right(heap: Heap) -> Iterator[str]:
    """Each block and fence names the arena whose region it lies in."""
    for arena, region in _regions(heap):
        for block in region.blocks:
            if block.owner != arena.index:
                yield f"{place(heap, block.address)} names arena {block.owner}"
        if region.fence.owner != arena.index:
            yield f"the fence {place(heap, region.fence.address)} names arena {region.fence.owner}"


def fences_end_their_regions(heap: Heap) -> Iterator[str]:
    """A fence is used, has size 0 and names its region."""
    for _, region in _regions(heap):
        fence = region.fence
        if not fence.used or fence.size:
            yield f"the fence {place(heap, fence.address)} could be taken for a block"
        if region.fence_region != region.address:
            yield f"the fence {place(heap, fence.address)} names {place(heap, region.fence_region)}"


def regions_use_what_they_were_given(heap: Heap) -> Iterator[str]:
    """Record and fence lie within the region's memory and leave less than 16 bytes at either end."""
    for _, region in _regions(heap):
        before, after = region.address - region.start, region.end - region.fence.address - FENCE
        if not (0 <= before < ALIGN and 0 <= after < ALIGN):
            yield f"{amount(before)} before and {amount(after)} after {place(heap, region.start)} are unused"


def only_the_main_arena_moves_the_break(heap: Heap) -> Iterator[str]:
    """Regions are from sbrk or mmap, and those from sbrk belong to arena 0."""
    for arena, region in _regions(heap):
        if region.kind != "mmap" and (region.kind != "sbrk" or arena.index):
            yield f"{place(heap, region.start)} is from {region.kind}"


def the_top_region_ends_at_the_break(heap: Heap) -> Iterator[str]:
    """The top is a region from sbrk that ends where the arena last left the break."""
    for arena in heap.arenas:
        if arena.top:
            tops = [region for region in arena.regions if region.address == arena.top]
            if not any(region.kind == "sbrk" and region.end == arena.brk for region in tops):
                yield f"the top of arena {arena.index} does not end at the break"


def free_list_is_exactly_the_free_blocks(heap: Heap) -> Iterator[str]:
    """Every free block of the arena is on its list once, and nothing else is."""
    for arena in heap.arenas:
        free = {block.address for region in arena.regions for block in region.blocks if not block.used}
        if len(arena.forward) != len(free) or free != set(arena.forward):
            yield from _list_errors(heap, arena, free)


def _list_errors(heap: Heap, arena: Arena, free: set[int]) -> Iterator[str]:
    for address in sorted(free.difference(arena.forward)):
        yield f"free block {place(heap, address)} is not on the list"
    for index, address in enumerate(arena.forward):
        if address not in free:
            yield f"{place(heap, address)} is on the list and no free block"
        elif address in arena.forward[:index]:
            yield f"{place(heap, address)} is on the list twice"


def free_list_is_linked_both_ways(heap: Heap) -> Iterator[str]:
    """The prev links lead back along the next links."""
    for arena in heap.arenas:
        if arena.forward != arena.backward[::-1]:
            yield (f"arena {arena.index}: {len(arena.forward)} blocks along next, "
                   f"{len(arena.backward)} along prev, or in another order")


def free_blocks_are_in_their_class(heap: Heap) -> Iterator[str]:
    """Where each class of sizes has a list, each free block is on that of its class."""
    for arena in heap.arenas:
        sizes = {block.address: block.size for region in arena.regions for block in region.blocks if not block.used}
        listed = iter(arena.forward)
        for index, count in arena.classes or ():
            for address in islice(listed, count):
                if address in sizes and class_of(sizes[address]) != index:
                    yield f"{place(heap, address)} has {amount(sizes[address])} and is in class {index}"


def classes_are_marked_while_they_have_blocks(heap: Heap) -> Iterator[str]:
    """A class that is marked has a block."""
    for arena in heap.arenas:
        for index, count in arena.classes or ():
            if not count:
                yield f"class {index} of arena {arena.index} is marked and has no blocks"


def cursor_is_on_the_list(heap: Heap) -> Iterator[str]:
    """Next fit resumes at a listed block, or at the head."""
    for arena in heap.arenas:
        if arena.cursor and arena.cursor not in arena.forward:
            yield f"the cursor of arena {arena.index} is at {place(heap, arena.cursor)}"


def mapped_list_is_linked_both_ways(heap: Heap) -> Iterator[str]:
    """The prev links of the mapped blocks, the kept mappings and the untaken ones lead back along the next links."""
    lists = ([mapped.address for mapped in heap.mapped if mapped.used],
             *([mapped.address for mapped in heap.mapped if not mapped.used and (mapped.mark == UNTAKEN) == untaken]
               for untaken in (False, True)))
    if tuple(address for each in lists for address in reversed(each)) != heap.mapped_backward:
        yield (f"{len(heap.mapped)} mapped blocks along next, {len(heap.mapped_backward)} along prev, "
               "or in another order")


def mapped_blocks_fit_their_mappings(heap: Heap) -> Iterator[str]:
    """A mapping is whole pages, with room for the list node before the block and the block in it."""
    for mapped in heap.mapped:
        lead = mapped.address - mapped.start
        if mapped.used and not MAPPED_LEAD <= lead < mapped.length - HEADER:
            yield f"a mapped block starts {amount(lead)} into a mapping of {mapped.length}"
        if mapped.start % PAGE or mapped.length % PAGE:
            yield f"{place(heap, mapped.start)}, {amount(mapped.length)}, is not whole pages"


def kept_mappings_are_joined(heap: Heap) -> Iterator[str]:
    """No kept mapping ends where another starts: they would be one."""
    kept = [mapped for mapped in heap.mapped if not mapped.used and mapped.mark != UNTAKEN]
    starts = {mapped.start for mapped in kept}
    for mapped in kept:
        if mapped.start + mapped.length in starts:
            yield f"what is kept at {place(heap, mapped.start)} is not joined with what is kept after it"


def kept_mappings_keep_to_their_bounds(heap: Heap) -> Iterator[str]:
    """No more is kept than may be, whatever the system refuses; no more is used than was used lately."""
    lately = heap.lately.most
    kept = [mapped for mapped in heap.mapped if not mapped.used and mapped.mark != UNTAKEN]
    used = sum(mapped.length for mapped in heap.mapped if mapped.used)
    most = retained_capacity(heap.keep, lately, used)
    kept_bytes = sum(mapped.length for mapped in kept)
    if kept_bytes > max(most, 0) or len(kept) > MAX_RETAINED:
        yield f"{kept_bytes} bytes in {len(kept)} mappings are kept, and {most} may be"
    if used > lately:
        yield f"{used} bytes of mappings are used, more than the {lately} of late"


def ledgers_equal_recomputed_totals(heap: Heap) -> Iterator[str]:
    """Running totals are what a walk recomputes."""
    for arena in heap.arenas:
        walked = _walk(arena)
        if arena.ledger[:5] != walked:
            yield f"arena {arena.index}: " + _ledger_difference(arena.ledger, walked)
    used = [mapped.length for mapped in heap.mapped if mapped.used]
    kept = [mapped.length for mapped in heap.mapped if not mapped.used and mapped.mark != UNTAKEN]
    walked = (sum(mapped.length for mapped in heap.mapped), sum(used), len(used), sum(kept), len(kept))
    if heap.mapped_ledger[:5] != walked:
        yield "mapped blocks: " + _ledger_difference(heap.mapped_ledger, walked)


def _walk(arena: Arena) -> tuple[int, int, int, int, int]:
    """The ledger that the arena should have: held, used bytes and blocks, free bytes and blocks."""
    used: list[int] = []
    free: list[int] = []
    for region in arena.regions:
        for block in region.blocks:
            (used if block.used else free).append(block.size)
    held = sum([region.end - region.start for region in arena.regions])
    return held, sum(used), len(used), sum(free), len(free)


def _ledger_difference(ledger: Ledger, walked: tuple[int, ...]) -> str:
    wrong = [f"{name} is {said}, not {true}"
             for name, said, true in zip(Ledger._fields, ledger, walked, strict=False) if said != true]
    return "; ".join(wrong)


def calls_are_counted(heap: Heap) -> Iterator[str]:
    """The five kinds of calls are counted, none below zero, and no more blocks came of them than calls."""
    in_arenas = [arena.ledger.calls for arena in heap.arenas] + [cache.calls for cache in heap.caches]
    for calls in (*in_arenas, heap.mapped_ledger.calls):
        if len(calls) != len(CALLS) or min(calls) < 0:
            yield f"calls are counted as {calls}"
    used = sum(arena.ledger.used_blocks for arena in heap.arenas) - sum(len(s.payloads) for s in stacks(heap))
    for blocks, made in ((used, in_arenas), (heap.mapped_ledger.used_blocks, [heap.mapped_ledger.calls])):
        allocations = sum(sum(calls[:4]) for calls in made)
        if blocks > allocations:
            yield f"{blocks} used blocks came of {allocations} calls"


def regions_do_not_overlap(heap: Heap) -> Iterator[str]:
    """No byte belongs to two regions or mappings."""
    end = 0
    for first, last in sorted(extents(heap)):
        if first < end:
            yield f"{place(heap, first)} overlaps its neighbour by {amount(end - first)}"
        end = max(end, last)


def memory_is_accounted_for(heap: Heap) -> Iterator[str]:
    """The regions and mappings are all that the system gave and did not get back.

    Holds of a prediction, which knows nothing of the system.
    """
    if heap.system:
        known, given = _union(extents(heap)), _union(list(heap.system))
        if known != given:
            yield (f"the system gave {_bytes(given)} bytes in {amount(len(given), 'piece')}, "
                   f"the heap knows of {_bytes(known)} in {len(known)}")


def _union(pieces: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same bytes as few disjoint pieces in order."""
    union: list[tuple[int, int]] = []
    for start, end in sorted(pieces):
        if union and start <= union[-1][1]:
            union[-1] = union[-1][0], max(end, union[-1][1])
        elif start < end:
            union.append((start, end))
    return union


def _bytes(pieces: list[tuple[int, int]]) -> int:
    return sum(end - start for start, end in pieces)


def locks_are_released(heap: Heap) -> Iterator[str]:
    """Nobody holds a lock between operations."""
    for lock in heap.held_locks:
        yield f"lock {lock} is held" if lock < PAGE else "a lock is held"


def cached_blocks_are_used(heap: Heap) -> Iterator[str]:
    """Each block in a cache or on a remote list is a used block of an arena."""
    wait = waiting(heap)
    used = _used_blocks(heap) if wait else {}
    for payload in sorted(wait):
        if payload - HEADER not in used:
            yield f"{place(heap, payload)} waits to be used again, and is no used block"


def bins_hold_blocks_of_their_size(heap: Heap) -> Iterator[str]:
    """A bin is for the least size of a class, 32 to 72 KiB; every block in it has that, or 16 more with spans."""
    used = _used_blocks(heap) if heap.caches else {}
    for cache in heap.caches:
        sizes = [bin_.size for bin_ in cache.bins]
        if sizes != sorted(set(sizes)) or any(size not in CACHED_SIZES for size in sizes):
            yield f"a cache has bins of {sizes} bytes"
        for bin_ in cache.bins:
            size = bin_.size + LONGER * heap.has_spans
            for payload in bin_.stack.payloads:
                if used.get(payload - HEADER, (size, 0))[0] != size:
                    yield f"{place(heap, payload)} is in the bin of {bin_.size} bytes"


def remote_blocks_are_with_their_owner(heap: Heap) -> Iterator[str]:
    """A remote list holds blocks of its own arena."""
    used = _used_blocks(heap) if any(arena.remote.payloads for arena in heap.arenas) else {}
    for arena in heap.arenas:
        for payload in arena.remote.payloads:
            if used.get(payload - HEADER, (0, arena.index))[1] != arena.index:
                yield f"{place(heap, payload)} is on the remote list of arena {arena.index}"


def blocks_wait_in_one_place(heap: Heap) -> Iterator[str]:
    """No block is in two bins, on two remote lists, or twice in one."""
    for payload, times in Counter(payload for stack in stacks(heap) for payload in stack.payloads).items():
        if times > 1:
            yield f"{place(heap, payload)} waits {times} times"


def stacks_count_their_blocks(heap: Heap) -> Iterator[str]:
    """The word that leads to a bin or a remote list says how many blocks are there."""
    for stack in stacks(heap):
        if stack.counted != len(stack.payloads):
            yield f"a stack of {len(stack.payloads)} blocks is counted as {stack.counted}"


def caches_keep_to_their_limits(heap: Heap) -> Iterator[str]:
    """No bin holds more blocks than it may, nor may hold more bytes than any may; remote lists are drained in time."""
    for cache in heap.caches:
        for bin_ in cache.bins:
            if len(bin_.stack.payloads) > bin_.limit and bin_.limit or bin_.limit * bin_.size > MAX_CACHE:
                yield f"a bin of {bin_.size} bytes may hold {bin_.limit} blocks and holds {len(bin_.stack.payloads)}"
    for arena in heap.arenas:
        if len(arena.remote.payloads) >= MOST_REMOTE + MOST_SENT:
            yield f"{len(arena.remote.payloads)} blocks wait on the remote list of arena {arena.index}"


def _used_blocks(heap: Heap) -> dict[int, tuple[int, int]]:
    """Size and owner of each used block, by its address."""
    return {block.address: (block.size, arena.index)
            for arena in heap.arenas for region in arena.regions for block in region.blocks if block.used}


def settings_are_legal(heap: Heap) -> Iterator[str]:
    """A known policy, a threshold of at least 4096, a growth in whole pages, arenas in order."""
    if heap.policy not in POLICIES:
        yield f"the policy is {heap.policy}"
    if heap.threshold < MIN_THRESHOLD:
        yield f"the threshold is {heap.threshold}"
    if not 0 <= heap.cache <= MAX_CACHE:
        yield f"threads may keep {heap.cache} bytes of a size"
    if not 0 <= heap.keep <= MAX_REQUEST:
        yield f"{heap.keep} bytes of mappings may be kept"
    if heap.growth < PAGE or heap.growth % PAGE:
        yield f"the growth is {heap.growth}"
    indices = [arena.index for arena in heap.arenas]
    if indices != sorted(set(indices)) or any(not 0 <= index < MAX_ARENAS for index in indices):
        yield f"the arenas are {indices}"


ALWAYS: tuple[Invariant, ...] = (
    blocks_tile_their_region,
    blocks_are_aligned,
    sizes_are_legal,
    no_two_free_neighbours,
    boundary_tags_agree,
    flags_agree_with_neighbours,
    owners_are_right,
    fences_end_their_regions,
    regions_use_what_they_were_given,
    only_the_main_arena_moves_the_break,
    the_top_region_ends_at_the_break,
    free_list_is_exactly_the_free_blocks,
    free_list_is_linked_both_ways,
    free_blocks_are_in_their_class,
    classes_are_marked_while_they_have_blocks,
    cursor_is_on_the_list,
    mapped_list_is_linked_both_ways,
    mapped_blocks_fit_their_mappings,
    kept_mappings_are_joined,
    kept_mappings_keep_to_their_bounds,
    ledgers_equal_recomputed_totals,
    calls_are_counted,
    regions_do_not_overlap,
    memory_is_accounted_for,
    locks_are_released,
    settings_are_legal,
    cached_blocks_are_used,
    bins_hold_blocks_of_their_size,
    remote_blocks_are_with_their_owner,
    blocks_wait_in_one_place,
    stacks_count_their_blocks,
    caches_keep_to_their_limits,
)
