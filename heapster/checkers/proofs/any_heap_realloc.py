"""realloc on any heap where a block is left as it is, or moves: by the calls that it consists of.

Those are proved to do on any heap what stands for them here: see `any_heap_calls`, `any_mapped` and `cached_calls`.
"""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.cache import show_nothing
from heapster.checkers.proofs.cached_calls import ENOMEM, Caller
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    CACHE,
    LEAD,
    MAPPED_LEAD,
    MAX_REQUEST,
    MIN_BLOCK,
    MOST,
    PAGE,
    PAYLOAD,
    mapped_header,
    only,
)
from heapster.machine.symbolic import HIGHEST, LOWEST

REALLOC = 2                         # a kind of call


def any_block(c: Caller) -> tuple[Any, Any]:
    """A used block, with a mapping of its own or of an arena: its payload and the bytes of that."""
    path, m = c.path, c.m
    if not path.choose(2):
        size = path.word("size", MIN_BLOCK, MOST, ALIGN)
        return c.block(size), size - PAYLOAD
    length, lead = path.word("length", PAGE, MOST, PAGE), path.word("lead", MAPPED_LEAD, MOST, ALIGN, PAYLOAD)
    path.require(lead + 2 * PAYLOAD, "<=", length)
    b = path.word("mapped", LOWEST, HIGHEST, PAGE) + lead
    c.reserve(b - lead, length)
    m.put(b, mapped_header(length), "header of b")
    m.put(b + LEAD, lead, "lead of b")
    return b + PAYLOAD, length - lead - PAYLOAD


def moves(source: Any, path: Any) -> None:
    """Any block that cannot be made larger where it is, to any request that it has no room for."""
    c = Caller(path, 0)
    request = path.word("request", 1, MAX_REQUEST)
    p, usable = any_block(c)
    path.require(usable, "<", request)
    new = 0
    if path.choose(2):
        new = path.word("new", LOWEST, HIGHEST, ALIGN)
        c.reserve(new, request)
    moved(source, path, c, p, request, new, usable)


def moved(source: Any, path: Any, c: Caller, p: Any, request: Any, new: Any, kept: Any) -> None:
    """What is used at `p` is resized by another, at `new` unless that is NULL, which gets so many bytes."""
    m, done = c.m, list[Any]()

    def allocate(m: Any, *words: Any) -> Any:
        """See `impl.malloc.allocate`."""
        done.append(("allocate", *words))
        if new == 0:
            m.set_errno(ENOMEM)
        return new

    def free_block(m: Any, *words: Any) -> None:
        """See `impl.malloc.free_block`."""
        done.append(("free", *words, len(m.copies)))

    with replaced(source.api, resize_uncopied=lambda *_: 0, leave_plain=lambda *_: False), replaced(
            source.malloc, allocate=allocate, free_block=free_block):
        q = source.api.realloc(m, p, request)
    wanted = ("allocate", request, ALIGN, REALLOC)
    if new == 0:
        path.claim("what_cannot_move_in_any_heap_stays", lambda: q == 0 and done == [wanted] and m.errno == ENOMEM
                   and not m.copies and only(m))
    else:
        path.claim("what_moves_in_any_heap_is_copied_whole", lambda: q == new and m.copies == [(new, p, kept)]
                   and not m.torn and m.errno == 0 and only(m))
        path.claim("what_moved_in_any_heap_is_freed_once_after", lambda: done == [wanted, ("free", p, REALLOC, 1)])


def left(source: Any, path: Any) -> None:
    """Any block that malloc could have given for the request, of a thread that has a cache, and is not told at once.

    Those that are, see `realloc_within_a_class_leaves_the_block`.
    """
    c = Caller(path, 0)
    m, size = c.m, path.word("size", MIN_BLOCK, MOST, ALIGN)
    p, request = c.block(size), path.word("request", 1, MAX_REQUEST)
    path.require(request + PAYLOAD, "<=", size)         # see `what_no_request_gets_serves_none`
    m.put(c.thread + CACHE["registered"], 1, "registered")
    show_nothing(path, m, p)
    place, calls = c.count_of(REALLOC)
    asked: list[Any] = []

    def could_serve(*words: Any) -> bool:
        """See `impl.sized.could_serve`."""
        asked.append(words)
        return True

    with replaced(source.api, leave_plain=lambda *_: False), replaced(source.malloc, could_serve=could_serve):
        q = source.api.realloc(m, p, request)
    path.claim("what_malloc_could_give_is_left_as_it_is", lambda: q == p and asked == [(size, request, ALIGN)]
               and c.is_alone() and m.load(place) == calls + 1 and only(m, place))


PROOFS = (
    Proof("api.realloc", ANY_HEAP, moves, more={
        "what_cannot_move_in_any_heap_stays": "NULL and ENOMEM, and no word changes, if no other block can be had",
        "what_moves_in_any_heap_is_copied_whole": "else all of the payload is in the new block, and no word of the old "
                                                  "changed before",
        "what_moved_in_any_heap_is_freed_once_after": "the old block is freed, once, after its bytes were copied",
    }, suffix="_that_moves"),
    Proof("api.realloc", ANY_HEAP, left, more={
        "what_malloc_could_give_is_left_as_it_is": "the block; the thread counts the call, no other word changes, no "
                                                   "lock is taken, and nobody is asked",
    }, suffix="_that_leaves_it"),
)
