"""Whole operations on any heap: what programs call keeps every clause, the totals, and all that it has no part in."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.any_heap import AnyHeap
from heapster.checkers.proofs.callee_contracts import as_listed, break_lowered, replaced
from heapster.checkers.proofs.heap_after import After
from heapster.checkers.proofs.heap_clauses import MetBlock
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ALL_SIZE_BITS,
    CALL_KINDS,
    MAX_REQUEST,
    MAX_WORD,
    MIN_BLOCK,
    MOST,
    PAYLOAD,
    PREV_USED,
    TOTALS,
    USED,
    WORD,
    only,
)
from heapster.checkers.proofs.under_lock import LockingThread, check_locks, claims_of_locks

MALLOC, CALLOC, REALLOC, ALIGNED, FREE = range(5)       # kinds of calls
WHERE = "_in_any_heap"          # in the names of claims about locks


@contextmanager
def of_arenas(source: Any, heap: AnyHeap) -> Iterator[None]:
    """Let what arenas call be as it is proved to be elsewhere: free lists, and the steps of an epoch.

    And a thread has an arena, or gets one, which writes words of no heap; and the break is lowered or is not, whoever
    moves it amid. See `stand_ins`.
    """
    def note_release(m: Any, arena: Any, _: Any) -> None:
        """See `impl.purge.note_release`."""
        if not any(held == arena for held in m.held):
            m.broken("a step of an epoch without the arena's lock")
        for name in ("peak", "recent", "turnover"):
            m.store(heap.at(name), heap.path.word(name, 0, TOTALS))

    with ExitStack() as stack:
        stack.enter_context(as_listed(source, heap.lists))
        stack.enter_context(replaced(source.arena, note_release=note_release, find_further=heap.lists.find_further))
        stack.enter_context(replaced(source.region, lower_break=partial(break_lowered, heap.path)))
        for module in (source.malloc, source.thread_cache):
            stack.enter_context(replaced(module, attach=lambda _: heap.arena))
        stack.enter_context(replaced(source.malloc, check_in_use=lambda *_: None, cache_block=lambda *_: False,
                                     cache_block_slow=lambda *_: False))
        yield


@contextmanager
def out_of_bins(source: Any) -> Iterator[None]:
    """Requests that caches have blocks for are placed as large ones, see `small_requests_are_placed_as_large`.

    Those that are to be mapped could not be, which changes nothing, see `what_cannot_be_mapped_is_asked_of_the_arena`.
    And nothing is retained that could be released when memory is out: with it, the call is made a second time, from
    a heap that the first has left as it was.
    """
    with replaced(source.malloc, is_small=lambda *_: False, get_threshold=lambda _: MAX_WORD,
                  release_retained=lambda _: False):
        yield


def calls_of(heap: AnyHeap) -> list[Any]:
    """Where the arena counts calls."""
    return [heap.at("calls") + WORD * kind for kind in range(CALL_KINDS)]


def check(path: Any, caller: LockingThread, name: str, *allowed: Any, grown: MetBlock | None = None) -> After:
    """The claims that every operation makes; `grown` is a block that its caller keeps, perhaps larger."""
    heap = caller.heap
    check_locks(path, caller, name, WHERE)
    after = After(heap)
    now = after.block_at(grown.b) if grown else None
    mine = [(grown.b + grown.size, now.b + now.size)] if grown and now else []
    path.claim(f"{name}_keeps_every_clause_of_any_heap", lambda: not after.broken, lambda: "; ".join(after.broken))
    wrong = after.wrong_totals()
    path.claim(f"{name}_keeps_the_totals_of_any_heap", lambda: not wrong, lambda: "; ".join(wrong))
    path.claim(f"{name}_spares_the_rest_of_any_heap", lambda: next(after.strays(
        *allowed, *calls_of(heap), *heap.opening(), mine=mine), None) is None and not heap.m.held)
    return after


def calls_counted(heap: AnyHeap, kind: int) -> bool:
    """Whether the arena counts one call more of this kind, and none of others."""
    cells = [heap.m.find(place) for place in calls_of(heap)]
    return all(cell.now == cell.was + (each == kind) for each, cell in enumerate(cells))


def free(source: Any, path: Any) -> None:
    """free of any used block that no bin takes, whatever lies around it, whatever the system answers."""
    heap = AnyHeap(path)
    b = heap.in_hand = heap.block(1, "block")
    caller = LockingThread(heap, (b.b + PAYLOAD, b.size))
    with of_arenas(source, heap):
        source.api.free(caller, b.b + PAYLOAD)
    after = check(path, caller, "free")
    path.claim("free_counts_itself_in_any_heap", lambda: calls_counted(heap, FREE) and heap.m.errno == 0)
    path.claim("what_is_freed_in_any_heap_is_free_or_gone", lambda: not any(
        seen.used and not seen.is_fence and seen.b <= b.b and b.b < seen.b + seen.size for seen in after.blocks))


def malloc(source: Any, path: Any) -> None:
    """Any request that is not mapped, or could not be, of which no bin has a block, whatever the system answers."""
    heap = AnyHeap(path, is_new=bool(path.choose(2)))
    request, kind = path.word("request", 0, MAX_REQUEST), (MALLOC, CALLOC, REALLOC)[path.choose(3)]
    caller = LockingThread(heap)
    with of_arenas(source, heap), out_of_bins(source):
        p = source.malloc.allocate(caller, request, ALIGN, kind)
    _placed(path, caller, "malloc", p, request, kind, lambda: p & ALIGN - 1 == 0)


class Fronts:
    """What `align_front` promises, for any alignment: the front is absent or a free block, and the rest is aligned."""

    def __init__(self, source: Any, heap: AnyHeap) -> None:
        self._source, self._heap = source, heap
        self.alignment = self.payload = None        # the last that it was asked for, and what it aligned

    def __call__(self, m: Any, arena: Any, b: Any, alignment: Any) -> Any:
        """See `impl.arena.align_front`."""
        size, path = m.load(b) & ALL_SIZE_BITS, self._heap.path
        if m.load(b) & (USED + PREV_USED) != USED + PREV_USED or size < alignment + ALIGN + MIN_BLOCK:
            m.broken("a front is cut off what is not used, or has no room for it")
        rest, lead = b, 0
        if path.choose(2):
            lead = path.word("lead", MIN_BLOCK, MOST, ALIGN)
            path.require(lead, "<", alignment + MIN_BLOCK)
            rest = self._source.block.split(m, b, lead)
            self._source.block.write_free(m, b, lead)
            self._heap.lists.link(m, arena, b)
        self.alignment, self.payload = alignment, rest + PAYLOAD
        return rest


def aligned(source: Any, path: Any) -> None:
    """Any alignment beyond what every block has, any request that is not mapped, or could not be; see `align_front`."""
    heap = AnyHeap(path)
    request, alignment = path.word("request", 0, MAX_REQUEST), path.word("alignment", 2 * ALIGN, MAX_REQUEST, ALIGN)
    fronts, caller = Fronts(source, heap), LockingThread(heap)
    with of_arenas(source, heap), out_of_bins(source), replaced(source.arena, align_front=fronts):
        p = source.malloc.place_aligned(caller, alignment, request)
    _placed(path, caller, "aligning", p, request, ALIGNED,
            lambda: p == fronts.payload and fronts.alignment == alignment)


def _placed(path: Any, caller: LockingThread, name: str, p: Any, request: Any, kind: int,
            is_aligned: Callable[[], bool]) -> None:
    """What is claimed of a call that answered `p`."""
    heap = caller.heap
    m, after = heap.m, check(path, caller, name)
    if p == 0:
        path.claim(f"{name}_fails_only_with_the_system_in_any_heap", lambda: len(m.calls) > 0 and all(
            call.answer == -1 for call in m.calls) and only(m, *heap.opening()))
        return
    b = p - PAYLOAD
    block = after.block_at(b)
    path.claim(f"{name}_answers_a_block_of_nobody_in_any_heap", lambda: block is not None and bool(block.used)
               and block.size - PAYLOAD >= request and is_aligned() and calls_counted(heap, kind)
               and not any(seen.used and not seen.is_fence and seen.b < b + block.size and b < seen.b + seen.size
                           for seen in heap.seen))


def resize(source: Any, path: Any) -> None:
    """Any used block to any size, whatever lies around it, whatever the system answers.

    Where caches are on, the size that malloc would give is tried before the size that must be: that is two requests,
    each from a heap that has all clauses.
    """
    heap = AnyHeap(path)
    m, b = heap.m, heap.block(1, "block")
    heap.in_hand = b
    caller = LockingThread(heap, (b.b + PAYLOAD, b.size))
    request = path.word("request", 1, MAX_REQUEST)
    with of_arenas(source, heap), out_of_bins(source), replaced(source.malloc, is_left=lambda *_: False):
        q = source.malloc.resize_uncopied(caller, b.b + PAYLOAD, request)
    after = check(path, caller, "resizing", grown=b)
    block = after.block_at(b.b)
    if q == 0:
        path.claim("what_cannot_be_resized_in_any_heap_stays", lambda: block is not None and bool(block.used)
                   and block.size == b.size and b.size - PAYLOAD < request
                   and not any(call.name == "munmap" for call in m.calls))
    else:
        path.claim("what_is_resized_in_any_heap_holds_the_request", lambda: q == b.b + PAYLOAD and block is not None
                   and bool(block.used) and block.size - PAYLOAD >= request and calls_counted(heap, REALLOC))
    path.claim("resizing_in_any_heap_keeps_the_bytes", lambda: block is not None and not m.copies and not any(
        cell.address > b.b and cell.address < b.b + b.size and cell.address < b.b + block.size
        and cell.now != cell.was for cell in m.written() if not m.elsewhere(cell.address, b.b)))


def whole(name: str) -> dict[str, str]:
    """The claims of `check`."""
    return {f"{name}_keeps_every_clause_of_any_heap": "what held of each block, fence and region holds of each; "
                                                      "blocks of others are as they were",
            f"{name}_keeps_the_totals_of_any_heap": "the arena's totals changed by what its blocks did, "
                                                    "and it holds what the system gave",
            f"{name}_spares_the_rest_of_any_heap": "no other word changed, and no lock is held",
            **claims_of_locks(name, WHERE)}


def _places(name: str) -> dict[str, str]:
    return {**whole(name),
            f"{name}_answers_a_block_of_nobody_in_any_heap": "a used block that nobody had, large enough and aligned; "
                                                             "the call is counted",
            f"{name}_fails_only_with_the_system_in_any_heap": "NULL only if the system refused, and then no word "
                                                              "changed but those that open the arena"}


PROOFS = (
    Proof("api.free", ANY_HEAP, free, more={
        **whole("free"),
        "free_counts_itself_in_any_heap": "the arena counts the call; errno is left alone",
        "what_is_freed_in_any_heap_is_free_or_gone": "what was freed lies in a free block, or went back to the system",
    }, suffix="_in_any_heap"),
    Proof("api.malloc", ANY_HEAP, malloc, more=_places("malloc"), suffix="_in_any_heap"),
    Proof("malloc.place_aligned", ANY_HEAP, aligned, more=_places("aligning"), suffix="_in_any_heap"),
    Proof("malloc.resize_uncopied", ANY_HEAP, resize, more={
        **whole("resizing"),
        "what_cannot_be_resized_in_any_heap_stays": "NULL only if it has no room for the request; and it is as it was",
        "what_is_resized_in_any_heap_holds_the_request": "the block, where it was, holds the request; "
                                                         "the call is counted",
        "resizing_in_any_heap_keeps_the_bytes": "no byte up to the lesser size is written",
    }, suffix="_in_any_heap"),
)
