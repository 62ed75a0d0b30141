"""What callers say of the blocks that they free: what is proved of `impl/sized.py`, and of who asks it."""

from typing import Any

from heapster.checkers.proofs import ALL_WORDS, ANY_HEAP, BITS, Proof
from heapster.checkers.proofs.arena import ALIGNMENTS
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.classes import least
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    CACHE,
    CLASS,
    KEPT,
    LEAD,
    MAPPED_LEAD,
    MAX_REQUEST,
    MIN_BLOCK,
    MOST,
    PAGE,
    PAYLOAD,
    WRONG_SIZE,
    a_block,
    a_size,
    aborts,
    header,
    longer,
    mapped_header,
    only,
)
from heapster.checkers.proofs.local_heap import Window
from heapster.machine.symbolic import HIGHEST, LOWEST

FREE = 4                                # a kind of calls


def is_made_of(source: Any, path: Any) -> None:
    """Each block and each size that was wanted."""
    total, want = a_size(path), a_size(path, "want")
    made = source.sized.is_made_of(total, want)
    path.claim("a_rest_too_small_for_a_block_stays", lambda: bool(made) == (want <= total < want + MIN_BLOCK))


def could_serve(source: Any, path: Any) -> None:
    """Each request, by the class that its block should be of; each block; aligned as any, or more."""
    index = path.choose(CLASS["cached"] + 1)
    cached, most = index < CLASS["cached"], least(index)
    want = path.word("want", least(index - 1) + ALIGN if cached else CACHE["most_cached"] + ALIGN,
                     most if cached else MOST, ALIGN)
    request = want - PAYLOAD - path.word("unused", 0, MIN_BLOCK - PAYLOAD if index == 0 else ALIGN - 1)
    total, alignment = a_size(path), (ALIGN, 2 * ALIGN)[path.choose(2)]
    serves = bool(source.sized.could_serve(total, request, alignment))
    by_class = cached and alignment == ALIGN
    if cached and longer(source) > 0:       # the slots of its class hold the request
        most = least(index - (index > 0 and bool(request <= least(index - 1)))) + longer(source)
    path.claim("what_a_request_gets_could_serve_it", lambda: serves or not (
        want <= total < want + MIN_BLOCK or by_class and most <= total < most + MIN_BLOCK))
    path.claim("what_no_request_gets_serves_none", lambda: not serves or (
        want <= total < want + MIN_BLOCK or by_class and most <= total < most + MIN_BLOCK))


def could_map(source: Any, path: Any) -> None:
    """Each request and alignment; each mapping."""
    alignment = ALIGNMENTS[path.choose(len(ALIGNMENTS))]
    m, b, lead = path.machine(), a_block(path), path.word("lead", MAPPED_LEAD, MOST, ALIGN, MAPPED_LEAD % ALIGN)
    length, request = path.word("length", PAGE, MOST, PAGE), path.word("request", 0, MAX_REQUEST)
    path.require(lead + PAYLOAD + request, "<=", length)
    m.put(b, mapped_header(length), "header of b")
    m.put(b + LEAD, lead, "lead of b")
    could = bool(source.sized.could_map(m, b, request, alignment))
    need = source.mapping.mapping_length(request, alignment)

    def resized() -> bool:
        return bool(length - PAGE < lead + PAYLOAD + request)

    def mapped() -> bool:
        return bool(need <= length and length - need <= need >> KEPT["spare_shift"])

    path.claim("what_a_mapping_is_resized_to_could_be_asked", lambda: could or not resized())
    path.claim("what_is_mapped_could_be_asked", lambda: could or not mapped())
    path.claim("no_other_mapping_could_be_asked", lambda: only(m) and (
        not could or resized() or mapped()))


def is_of_lost_arena(source: Any, path: Any) -> None:
    """Each arena, lost or not."""
    lost = bool(path.choose(2))
    w = Window(path, lost=lost)
    told = source.sized.is_of_lost_arena(w.m, header(MIN_BLOCK, w.index))
    path.claim("lost_arenas_are_known", lambda: bool(told) == lost)
    path.claim("asking_whether_an_arena_is_lost_changes_nothing", lambda: only(w.m))
    path.claim("asking_whether_an_arena_is_lost_releases_its_lock", lambda: not w.m.held)


def could_be_asked(source: Any, path: Any) -> None:
    """Each block, in an arena or with a mapping of its own; whatever a request for it gets."""
    m, b, request = path.machine(), a_block(path), path.word("request")
    serves, maps, lost, mapped = (bool(path.choose(2)) for _ in range(4))
    if mapped:
        length, lead = path.word("length", PAGE, MOST, PAGE), path.word("lead", MAPPED_LEAD, MOST, ALIGN, 8)
        path.require(lead + PAYLOAD, "<=", length)
        m.put(b + LEAD, lead, "lead of b")
        word, usable = mapped_header(length), length - lead - PAYLOAD
    else:
        total = a_size(path)
        word, usable = header(total, path.word("owner", 0, 63)), total - PAYLOAD
    m.put(b, word, "header of b")
    with replaced(source.sized, could_serve=lambda *_: serves, could_map=lambda *_: maps,
                  is_of_lost_arena=lambda *_: lost):
        could = source.sized.could_be_asked(m, b + PAYLOAD, word, request, ALIGN)
    if request < 0 or request > usable:
        path.claim("no_block_is_asked_for_with_more_than_it_has", lambda: not could and only(m))
    else:
        path.claim("what_a_request_could_have_got_could_be_asked", lambda: bool(could) == (
            maps if mapped else serves or lost) and only(m))


def check_asked(source: Any, path: Any) -> None:
    """Each word as an alignment, by its highest bit, and each address; whatever could have been asked for."""
    place, could = path.choose(65), bool(path.choose(2))
    if place > 62:
        alignment = path.word("alignment", -1 << 63, 0)
    else:
        alignment = path.word("alignment", 1 << place, (2 << place) - 1)
    m, p = path.machine(), path.word("p", LOWEST + ALIGN, HIGHEST, ALIGN)
    asked: list[Any] = []

    def could_be_asked(*words: Any) -> bool:
        asked.append(words[-1])
        return could

    with replaced(source.sized, could_be_asked=could_be_asked):
        code = aborts(m, lambda: source.sized.check_asked(m, p, 0, 0, alignment), p)
    legal = place <= 62 and alignment == 1 << min(place, 62) and p & (1 << min(place, 62)) - 1 == 0
    if not legal:
        path.claim("an_alignment_that_is_none_aborts", lambda: code == WRONG_SIZE)
    else:
        path.claim("what_cannot_have_been_asked_for_aborts", lambda: code == (0 if could else WRONG_SIZE)
                   and asked == [max(1 << place, ALIGN)])
    path.claim("checking_what_was_asked_changes_nothing", lambda: only(m))


def _freed(source: Any, path: Any, call: Any, *asked: Any) -> tuple[bool, bool]:
    """Whether a call checks what it is told of a block, and then frees this; and whether it does nothing with NULL."""
    m, p = path.machine(), a_block(path) + PAYLOAD
    order: list[Any] = []
    with replaced(source.api, check_asked=lambda _, *words: order.append(("check", *words)), header_of=lambda *_: 3,
                  free_block=lambda _, *words: order.append(("free", *words))):
        call(m, 0)
        nothing = not order
        call(m, p)
    does = [("check", p, 3, *asked), ("free", p, FREE)]
    return len(order) == 2 and all(
        one == other for done, due in zip(order, does, strict=True)
        for one, other in zip(done, due, strict=True)) and only(m), nothing


def free_sized(source: Any, path: Any) -> None:
    """Each size; NULL, and any block."""
    request = path.word("request")
    frees, nothing = _freed(source, path, lambda m, p: source.api.free_sized(m, p, request), request, ALIGN)
    path.claim("free_sized_frees_what_it_has_checked", lambda: frees)
    path.claim("free_sized_of_null_does_nothing", lambda: nothing)


def free_aligned_sized(source: Any, path: Any) -> None:
    """Each size and alignment; NULL, and any block."""
    alignment, request = path.word("alignment"), path.word("request")
    frees, nothing = _freed(source, path, lambda m, p: source.api.free_aligned_sized(m, p, alignment, request),
                            request, alignment)
    path.claim("free_aligned_sized_frees_what_it_has_checked", lambda: frees)
    path.claim("free_aligned_sized_of_null_does_nothing", lambda: nothing)


PROOFS = (
    Proof("sized.is_made_of", ALL_WORDS, is_made_of, {
        "a_rest_too_small_for_a_block_stays": "true exactly if want <= total < want + MIN_BLOCK",
    }),
    Proof("sized.could_serve", ALL_WORDS, could_serve, {
        "what_a_request_gets_could_serve_it":
            "true for the block that the request needs, and for one of the least size of a class that holds it where "
            "that may be cached, each with a rest that is too small for a block",
        "what_no_request_gets_serves_none": "false for all others",
    }),
    Proof("sized.could_map", ALL_WORDS, could_map, {
        "what_a_mapping_is_resized_to_could_be_asked": "true for what `resize_mapped` makes of the request",
        "what_is_mapped_could_be_asked": "true for what `map_block` does, up to a quarter too large",
        "no_other_mapping_could_be_asked": "false for all others",
    }),
    Proof("sized.is_of_lost_arena", ANY_HEAP, is_of_lost_arena, {
        "asking_whether_an_arena_is_lost_changes_nothing": "no word changes",
        "asking_whether_an_arena_is_lost_releases_its_lock": "the lock is released",
    }, more={
        "lost_arenas_are_known": "true exactly if the arena that owns the block is lost",
    }),
    Proof("sized.could_be_asked", ANY_HEAP, could_be_asked, {
        "no_block_is_asked_for_with_more_than_it_has": "false if fewer bytes are usable than `request`",
        "what_a_request_could_have_got_could_be_asked":
            "else true exactly if such a request could have got it, or its arena is lost",
    }),
    Proof("sized.check_asked", ALL_WORDS, check_asked, {
        "an_alignment_that_is_none_aborts": "it aborts if alignment is no power of two that divides p",
        "what_cannot_have_been_asked_for_aborts": "else exactly if not could_be_asked",
        "checking_what_was_asked_changes_nothing": "no word changes",
    }, encodings=(BITS,)),
    Proof("api.free_sized", ALL_WORDS, free_sized, {
        "free_sized_frees_what_it_has_checked": "it aborts, with the block as it was, where no such request could have "
                                                "got it",
    }, more={
        "free_sized_of_null_does_nothing": "nothing is asked of NULL",
    }),
    Proof("api.free_aligned_sized", ALL_WORDS, free_aligned_sized, {
        "free_aligned_sized_frees_what_it_has_checked":
            "it aborts as free_sized, or where `alignment` could not have been asked for",
    }, more={
        "free_aligned_sized_of_null_does_nothing": "nothing is asked of NULL",
    }),
)
