"""Handing out blocks: what is proved of `impl/arena.py` in heaps of any size; the rest is in `whole`."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ALL_OWNER_BITS,
    ALL_SIZE_BITS,
    CALL_KINDS,
    CHECKSUM,
    CORRUPT_HEADER,
    DOUBLE_FREE,
    FOOTER,
    MIN_BLOCK,
    MOST,
    NEXT,
    OWNER_PLACE,
    PAYLOAD,
    PREV,
    PREV_USED,
    USED,
    a_block,
    aborts,
    an_owner,
    header,
    only,
)
from heapster.checkers.proofs.local_heap import Window

OTHERS = 62             # owners that have one after them
HUGE = 1 << 47          # a block may hold the largest request and the largest alignment
ALIGNMENTS = tuple(1 << place for place in range(4, 47))
SOME_ALIGNMENTS = (16, 32, 64, 4096)


def check_neighbours(source: Any, path: Any) -> None:
    """Any header of a block, and any word right of it."""
    m, b = path.machine(), a_block(path)
    size, word = path.word("size", 0, MOST, ALIGN), path.word("word")
    is_used = path.choose(2)
    owner = an_owner(path)
    m.put(b, header(size, owner, used=is_used), "header of b")
    if size > 0:
        m.put(b + size, word, "header of the right")
    code = aborts(m, lambda: source.arena.check_neighbours(m, b), b + PAYLOAD)
    path.claim("what_was_freed_meanwhile_aborts", lambda: (code == DOUBLE_FREE) == (not is_used))
    path.claim("a_smashed_header_aborts", lambda: not is_used or code == (
        0 if size >= MIN_BLOCK and word & PREV_USED != 0 and word & ALL_OWNER_BITS == owner << OWNER_PLACE
        else CORRUPT_HEADER))


class SideBySide:
    """Two blocks side by side or apart, each as it must be or not; an arena that may be lost."""

    def __init__(self, path: Any) -> None:
        self.is_lost, are_apart, spoilt, self.prev_used = path.choose(2), path.choose(2), path.choose(7), path.choose(2)
        self.w = Window(path, lost=bool(self.is_lost))
        self.m, self.left = self.w.m, self.w.span("left", MOST)
        self.size, right_size = (path.word(name, MIN_BLOCK, MOST // 4, ALIGN) for name in ("size", "right size"))
        self.owner, self.right = path.word("whose", 0, OTHERS), self.left + self.size
        if are_apart:
            self.right = self.right + path.word("gap", ALIGN, MOST // 4, ALIGN)
        self.fits = not are_apart and not spoilt
        self.m.put(self.left, header(self.size, self.owner, int(spoilt != 1), self.prev_used)
                   + CHECKSUM * (spoilt == 2), "header of the left")
        self.m.put(self.right, header(right_size, self.owner + (spoilt == 3), int(spoilt != 4), int(spoilt != 5))
                   + CHECKSUM * (spoilt == 6), "header of the right")
        self.whole = header(self.size + right_size, self.owner, 1, self.prev_used)


def is_joinable(source: Any, path: Any) -> None:
    """Two blocks in the order of their addresses."""
    p = SideBySide(path)
    answer = source.arena.is_joinable(p.m, p.left, p.right)
    path.claim("neighbours_of_one_owner_are_joinable", lambda: bool(answer) == p.fits and only(p.m))


def join_used(source: Any, path: Any) -> None:
    """Two blocks in either order."""
    p = SideBySide(path)
    m, counted = p.m, p.w.at("used_blocks")
    blocks = p.w.word("used_blocks", 1)
    result = source.arena.join_used(m, p.w.arena, *((p.left, p.right) if path.choose(2) else (p.right, p.left)))
    if p.is_lost or not p.fits:
        path.claim("what_is_no_neighbour_is_left", lambda: result == 0 and only(m))
    else:
        path.claim("neighbours_become_one", lambda: result == p.left and m.load(p.right) & USED == 0
                   and m.load(p.left) == p.whole)
        path.claim("making_one_of_two_is_counted", lambda: m.load(counted) == blocks - 1)
        path.claim("making_one_of_two_writes_no_more", lambda: only(m, p.left, p.right, counted))


def open_record(source: Any, path: Any) -> None:
    """A record that is new, or open with any list."""
    w = Window(path)
    m, owner = w.m, w.index << OWNER_PLACE
    is_open = path.choose(2)
    m.put(w.head + NEXT, w.span("first", MIN_BLOCK) if is_open else 0, "first")
    source.arena.open_record(m, w.arena, owner)
    if is_open:
        path.claim("an_open_record_stays", lambda: only(m))
    else:
        path.claim("a_new_record_has_an_empty_list", lambda: m.load(w.head) == header(0, w.index)
                   and m.load(w.head + NEXT) == w.head and m.load(w.head + PREV) == w.head
                   and m.load(w.at("cursor")) == w.head
                   and only(m, w.head, w.head + NEXT, w.head + PREV, w.at("cursor")))


def owner_of(source: Any, path: Any) -> None:
    """Each arena."""
    w = Window(path)
    path.claim("an_arena_is_known_by_its_index", lambda:
               source.arena.owner_of(w.m, w.arena) == w.index << OWNER_PLACE and only(w.m))


def count(source: Any, path: Any) -> None:
    """Each kind of call."""
    w = Window(path)
    kind, calls = path.choose(CALL_KINDS), path.word("calls", 0, 1 << 60)
    w.m.put(w.at("calls") + 8 * kind, calls, "calls")
    used_bytes, used_blocks = w.word("used_bytes"), w.word("used_blocks")
    source.arena.count_call(w.m, w.arena, kind)
    path.claim("calls_are_counted_by_kind", lambda: w.m.load(w.at("calls") + 8 * kind) == calls + 1
               and only(w.m, w.at("calls") + 8 * kind))
    total, blocks = path.word("total", -HUGE, HUGE), path.word("blocks", -1, 1)
    source.arena.count_used(w.m, w.arena, total, blocks)
    path.claim("used_blocks_and_bytes_are_counted", lambda: w.m.load(w.at("used_bytes")) == used_bytes + total
               and w.m.load(w.at("used_blocks")) == used_blocks + blocks)


def align_front(source: Any, path: Any) -> None:
    """Each used block, each alignment; any list for some of them, else one with nothing on it."""
    w = Window(path)
    m, alignment = w.m, ALIGNMENTS[path.choose(len(ALIGNMENTS))]
    total = path.word("total", alignment + ALIGN + MIN_BLOCK, HUGE + (1 << 13), ALIGN)
    b = w.span("b", total)
    m.put(b, header(total, w.owner), "header of b")
    w.listed([], gaps=3 if alignment in SOME_ALIGNMENTS else 1)
    free_bytes, free_blocks = w.word("free_bytes"), w.word("free_blocks")
    rest = source.arena.align_front(m, w.arena, b, alignment)
    path.claim("the_payload_after_a_lead_is_aligned", lambda: rest + PAYLOAD & alignment - 1 == 0)
    lead = rest - b
    if rest == b:
        path.claim("leads_are_legal_blocks", lambda: only(m))
    else:
        w.with_first(b)
        path.claim("leads_are_legal_blocks", lambda: lead >= MIN_BLOCK and lead & ALIGN - 1 == 0
                   and m.load(b) == header(lead, w.owner, 0, 1) and m.load(rest + FOOTER) == lead and w.is_linked()
                   and m.load(w.at("free_bytes")) == free_bytes + lead
                   and m.load(w.at("free_blocks")) == free_blocks + 1)
    path.claim("the_lead_takes_no_more_than_it_must", lambda: lead < alignment + MIN_BLOCK
               and m.load(rest) == header(total - lead, w.owner, 1, 1 if rest == b else 0))


def take(source: Any, path: Any) -> None:
    """Each free block anywhere on its list, for a few alignments."""
    w = Window(path)
    m, alignment = w.m, SOME_ALIGNMENTS[path.choose(len(SOME_ALIGNMENTS))]
    want = path.word("want", MIN_BLOCK, 1 << 46, ALIGN)
    room = want if alignment == ALIGN else want + alignment + ALIGN
    total = path.word("total", MIN_BLOCK, HUGE, ALIGN)
    path.require(room, "<=", total)
    b = w.span("b", total + 8)
    w.free_block(b, total, "b")
    right = path.word("right", 0, HUGE, ALIGN)
    m.put(b + total, header(right, w.owner, 1, 0), "header of the right")
    w.listed([b])
    w.word("free_bytes"), w.word("free_blocks")
    m.put(w.at("cursor"), b if path.choose(2) else w.head, "cursor")
    links = w.links()
    used = source.arena.take(m, w.arena, b, want, alignment)
    w.without(b)
    size = m.load(used) & ALL_SIZE_BITS
    rest, lead = used + size, used - b
    path.claim("what_is_handed_out_is_used", lambda: m.load(used) == header(size, w.owner, 1, 1 if used == b else 0))
    path.claim("what_is_handed_out_holds_enough", lambda: want <= size < want + MIN_BLOCK)
    path.claim("what_is_handed_out_is_aligned", lambda: used + PAYLOAD & alignment - 1 == 0)
    if used != b:
        w.with_first(b)
    if rest != b + total:
        w.with_first(rest)
    path.claim("what_is_cut_off_is_free_and_listed", lambda: w.is_linked()
               and (used == b or lead >= MIN_BLOCK and m.load(b) == header(lead, w.owner, 0, 1)
                    and m.load(used + FOOTER) == lead)
               and (m.load(b + total) == header(right, w.owner, 1, 1) if rest == b + total else
                    m.load(rest) == header(b + total - rest, w.owner, 0, 1)
                    and m.load(b + total + FOOTER) == b + total - rest
                    and m.load(b + total) == header(right, w.owner, 1, 0)))
    path.claim("handing_out_writes_no_more", lambda: only(
        m, b, b + NEXT, b + PREV, used, used + FOOTER, rest, rest + NEXT, rest + PREV, b + total, b + total + FOOTER,
        *links, *w.links(), *(w.at(name) for name in ("free_bytes", "free_blocks", "cursor"))))


def room_for(source: Any, path: Any) -> None:
    """Each legal size and alignment."""
    alignment = ALIGNMENTS[path.choose(len(ALIGNMENTS))]
    want = path.word("want", 0, (1 << 46) + 32)
    room = source.arena.room_for(want, alignment)
    path.claim("the_room_holds_any_lead", lambda: alignment == ALIGN and room == want
               or room >= want + alignment + ALIGN)


PROOFS = (
    Proof("arena.open_record", ANY_HEAP, open_record, {
        "a_new_record_has_an_empty_list": "its list is circular and its cursor on it",
        "an_open_record_stays": "an open record is unchanged",
    }),
    Proof("arena.owner_of", ANY_HEAP, owner_of, more={
        "an_arena_is_known_by_its_index": "the index of the arena, in the bits of a header's owner",
    }),
    Proof("arena.count_call", ANY_HEAP, count, more={
        "calls_are_counted_by_kind": "each kind of call has its own count, and no other word changes",
        "used_blocks_and_bytes_are_counted": "count_used adds to the ledger what it is given",
    }),
    Proof("arena.check_neighbours", ANY_HEAP, check_neighbours, more={
        "what_was_freed_meanwhile_aborts": "a block that is not used aborts as a double free; no other does",
        "a_smashed_header_aborts": "a size below the least, or a right neighbour that is told of a free left or is "
                                   "another owner's, aborts; nothing else does",
    }),
    Proof("arena.is_joinable", ANY_HEAP, is_joinable, more={
        "neighbours_of_one_owner_are_joinable":
            "yes of used blocks side by side that are intact, of one owner, and know each other; of no others",
    }),
    Proof("arena.join_used", ANY_HEAP, join_used, {
        "what_is_no_neighbour_is_left": "NULL only if they are no neighbours that `release` would take, or the arena "
                                        "is lost, and then nothing changes",
        "neighbours_become_one":
            "else it is used, with the bytes of both, and the right one's header is not USED",
        "making_one_of_two_is_counted": "the ledger counts one block less",
        "making_one_of_two_writes_no_more": "no other word changes",
    }),
    Proof("arena.align_front", ANY_HEAP, align_front, {
        "leads_are_legal_blocks": "the lead is absent or a legal block, on the list",
        "the_payload_after_a_lead_is_aligned": "the payload is a multiple of alignment",
        "the_lead_takes_no_more_than_it_must": "the rest loses less than alignment + MIN_BLOCK bytes",
    }),
    Proof("arena.room_for", ANY_HEAP, room_for, more={
        "the_room_holds_any_lead": "the room holds a block of the size wanted after any lead",
    }),
    Proof("arena.take", ANY_HEAP, take, {
        "what_is_handed_out_is_used": "the result is used",
        "what_is_handed_out_holds_enough": "holds want bytes, less than MIN_BLOCK more",
        "what_is_handed_out_is_aligned": "its payload is a multiple of alignment",
        "what_is_cut_off_is_free_and_listed": "what is cut off is free and on the list",
    }, more={"handing_out_writes_no_more": "no word but headers, footers, links and counts changes"}),
)
