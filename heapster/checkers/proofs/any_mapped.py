"""Whole operations on blocks with mappings of their own: any list of them, whatever is retained and set aside.

What is retained is not looked at: `RetainedPool` hands out and takes what the functions of `impl/retained.py` promise
to, and counts it. So a call starts from any state in which the record holds just what is used, retained or set aside,
and is shown to leave one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    KEPT,
    LEAD,
    MAPPED_LEAD,
    MAX_REQUEST,
    MIN_BLOCK,
    MOST,
    NEXT,
    NODE,
    PAGE,
    PAYLOAD,
    PREV,
    STATICS,
    TOTALS,
    USED,
    WORD,
    header,
    mapped_header,
    only,
    seal,
)
from heapster.checkers.proofs.mapping import MappedRecord
from heapster.checkers.proofs.under_lock import ThreadWithLock, check_locks, claims_of_locks
from heapster.machine.symbolic import HIGHEST, LOWEST, form_of

MALLOC, CALLOC, REALLOC, ALIGNED, FREE = range(5)       # kinds of calls
LARGE = (64, PAGE, 1 << 34)        # alignments; of each other see `mappings_hold_lead_alignment_and_request`
LATELY = ("used_lately", "used_before", "steps")        # words of the statics that a step may write
TOTALS_OF = ("used_bytes", "used_blocks", "free_bytes", "free_blocks", "held")


class RetainedPool:
    """What is retained and set aside, any mappings: what stands for the functions that keep them."""

    def __init__(self, w: "AnyMapped") -> None:
        self.w, self.path, self.m = w, w.path, w.m
        self.aside: Any = 0                             # by how much more is set aside than before
        self.given: list[tuple[Any, Any]] = []          # start and length of what it was given to keep
        self.handed: list[tuple[Any, Any]] = []         # and of what it handed out

    def _change(self, free: Any, held: Any = 0) -> None:
        """So many bytes more are retained, and held; how many mappings that makes is left open."""
        w, m = self.w, self.m
        if not any(lock == w.arena for lock in m.held):
            m.broken("what is retained changes without its lock")
        bytes_ = m.load(w.at("free_bytes")) + free
        self.path.require(0, "<=", bytes_)
        m.store(w.at("free_bytes"), bytes_)
        m.store(w.at("held"), m.load(w.at("held")) + held)
        m.store(w.at("free_blocks"), self.path.word("retained mappings", 0, TOTALS))

    def _bytes(self, name: str) -> Any:
        return self.path.word(name, 0, MOST, PAGE)

    def _hand(self, start: Any, length: Any) -> Any:
        self.w.reserve(start, length)
        self.m.put(start, length, "length of what was retained")
        self.handed.append((start, length))
        return start

    def take_retained(self, m: Any, record: Any, length: Any) -> Any:
        """See `impl.retained.take_retained`: of what is retained, or was set aside."""
        if self.path.choose(2):
            return 0
        got, back = self._bytes("got"), self._bytes("reclaimed")
        self.path.require(length, "<=", got)
        self.path.require(got - length, "<=", length >> KEPT["spare_shift"])
        self._change(back - got)
        self.aside = self.aside - back
        return self._hand(self.path.word("retained", LOWEST, HIGHEST, PAGE), got)

    def stretch(self, m: Any, record: Any, length: Any) -> Any:
        """See `impl.retained.stretch`: in place, or elsewhere."""
        if self.path.choose(2):
            return 0
        old = self._bytes("stretched")
        self.path.require(old, "<", length)
        self.path.require(length, "<=", old + old)
        self._change(-old, length - old)
        return self._hand(self.path.word("stretched", LOWEST, HIGHEST, PAGE), length)

    def take_retained_at(self, m: Any, record: Any, start: Any, length: Any) -> bool:
        """See `impl.retained.take_retained_at`."""
        if self.path.choose(2):
            return False
        self._change(-length)
        self.w.reserve(start, length)
        self.handed.append((start, length))
        return True

    def retain(self, m: Any, record: Any, start: Any, length: Any) -> None:
        """See `impl.retained.retain`: nobody else touches it from here on."""
        if start & PAGE - 1 != 0 or length & PAGE - 1 != 0 or length <= 0:
            m.broken("what is retained is no whole pages")
        self._change(length)
        self.given.append((start, length))
        m.gone.append((start, length))

    def step(self, m: Any, record: Any) -> None:
        """See `impl.retained.step`: the system gets some of what is retained or set aside; some of it is set aside."""
        back, refused, offered = (self._bytes(name) for name in ("back", "refused", "offered"))
        self._change(-back - refused, -back - offered)
        self.aside = self.aside + refused - offered
        for name in LATELY:
            m.store(self.w.statics + STATICS[name], self.path.word(name, 0, TOTALS))


class AnyMapped(MappedRecord):
    """The record of the mapped blocks, open or new, any list in it, and whatever is retained; and the settings."""

    def __init__(self, path: Any) -> None:
        super().__init__(path, kept=0)
        self.m.shape = self                 # an access to what nothing explains refutes
        self.threshold = path.word("threshold", PAGE, MAX_REQUEST)
        self.m.put(self.statics + STATICS["threshold"], self.threshold, "threshold")
        self.m.put(self.at("calls") + WORD * ALIGNED, path.word("calls", 0, TOTALS), "calls")
        self.pool = RetainedPool(self)

    def _put_kept(self, most: int) -> None:
        """Of the list nothing is said but whether it is open."""
        first = self.path.word("first retained", LOWEST, HIGHEST, PAGE) if self.path.choose(2) else 0
        for place, word in ((NEXT, first), (PREV, first)):
            self.m.put(self.kept_head + place, word, "a link of the head of what is retained")

    @contextmanager
    def standing_in(self, source: Any) -> Iterator[None]:
        """Let what is retained be the pool's."""
        pool = self.pool
        with replaced(source.mapping, take_retained=pool.take_retained, stretch=pool.stretch, retain=pool.retain,
                      take_retained_at=pool.take_retained_at, step=pool.step):
            yield

    def explain(self, address: Any) -> None:
        """See `Shape.explain`: all that the record has is known."""

    def allows(self, address: Any) -> bool:
        """See `Shape.allows`: it lies in what the call got."""
        return any(address >= start and address < start + length
                   for start, length in (*self.mapped_anew(), *self.pool.handed))

    def mapped_anew(self) -> list[tuple[Any, Any]]:
        """Start and length of what the system gave."""
        return [(call.answer, call.arguments[0]) for call in self.m.calls if call.name == "mmap" and call.answer != -1]

    def was(self, name: str) -> Any:
        """What the record said of this before the call."""
        return self.m.find(self.at(name)).was

    def more(self, name: str) -> Any:
        """By how much it says more now."""
        return self.m.load(self.at(name)) - self.was(name)

    def is_balanced(self, length: Any, blocks: int) -> bool:
        """Whether so much more is used, and the record holds just what is used, retained or set aside."""
        return bool(self.more("used_bytes") == length and self.more("used_blocks") == blocks
                    and self.more("held") == length + self.more("free_bytes") + self.pool.aside)

    def is_counted(self, kind: int) -> bool:
        """Whether the record counts one call more of this kind, and none of others."""
        places = [self.at("calls") + WORD * each for each in range(5)]
        return all(self.m.load(place) - self.m.find(place).was == (each == kind) for each, place in enumerate(places))

    def spares(self, *places: Any) -> bool:
        """Whether no lock is held, errno is left alone, and no word changed but these, links, and the record's."""
        calls = [self.at("calls") + WORD * kind for kind in range(5)]
        return not self.m.held and only(
            self.m, *places, *calls, *map(self.at, TOTALS_OF), *(self.statics + STATICS[name] for name in LATELY))

    def openings(self) -> list[Any]:
        """The words that open the record and the lists, which no caller sees."""
        heads = (self.kept_head, self.aside_head)
        return [*(self.at(name) for name in ("head", "next", "prev", "cursor")),
                *(head + place for head in heads for place in (NEXT, PREV))]

    def words_of(self, b: Any) -> list[Any]:
        """The words that the mapped block `b` has before its payload."""
        return [b, b + LEAD, b + NODE, b + NODE + NEXT, b + NODE + PREV]


class MappingThread(ThreadWithLock):
    """The machine as a thread uses it that calls where blocks have mappings of their own.

    What others change of one is its place on the list. So who has a block may read its header and lead, which are
    written under the lock alone; and so may who just got one.
    """

    def __init__(self, w: AnyMapped, *blocks: tuple[Any, Any]) -> None:
        """Of each block that it owns, the header and the bytes from there on."""
        super().__init__(w.m, w.arena)
        self._w, self._heads = w, set[Any]()
        for b, size in blocks:
            self.get(b, size)

    def get(self, b: Any, size: Any) -> None:
        """The thread has got a block of `size` bytes with this header."""
        self.own(b + PAYLOAD, size)
        self._heads |= {form_of(b), form_of(b + LEAD)}

    def unlock(self, mutex: Any) -> None:
        """See `Machine.unlock`: what is first on the list by now is the caller's."""
        super().unlock(mutex)
        got = [*self._w.mapped_anew(), *self._w.pool.handed]
        if got and not self._heads:
            b, (_, length) = self._m.find(self._w.head + NEXT).now - NODE, got[0]
            self.get(b, length - self._m.find(b + LEAD).now)

    def _may_look(self, address: Any) -> bool:
        return form_of(address) in self._heads

    def _reads(self, address: Any, count: Any = WORD) -> None:
        if form_of(address) not in self._heads:
            super()._reads(address, count)


def malloc(source: Any, path: Any) -> None:
    """Any request and alignment that are to be mapped, whatever is retained, whatever the system answers."""
    w = AnyMapped(path)
    m, kind = w.m, (MALLOC, CALLOC, REALLOC, ALIGNED)[path.choose(4)]
    alignment = LARGE[path.choose(len(LARGE))] if kind == ALIGNED else ALIGN
    request = path.word("request", 0, MAX_REQUEST)
    path.require(w.threshold, "<=", request + (alignment + ALIGN if kind == ALIGNED else 0))
    if path.choose(2):
        w.listed([], gaps=3 if alignment == ALIGN else 1)
    else:
        w.m.put(w.head + NEXT, 0, "first")
        w.m.put(w.head + PREV, 0, "last")
        w.m.put(w.at("cursor"), 0, "cursor")
    asked: list[Any] = []
    caller = MappingThread(w)

    def acquire(_: Any, *words: Any) -> Any:
        """See `impl.arena.acquire`: it may have a block."""
        asked.append(words)
        if path.choose(2):
            return 0
        b, size = path.word("b", LOWEST, HIGHEST, ALIGN, PAYLOAD), path.word("size", MIN_BLOCK, MOST, ALIGN)
        w.reserve(b, size)
        m.put(b, header(size), "header of b")
        caller.get(b, size)
        return b

    with w.standing_in(source), replaced(source.malloc, acquire=acquire, attach=lambda _: 0,
                                         release_retained=lambda _: False, has_lost_arena=lambda _: False):
        p = _asked(source, caller, kind, alignment, request)
    check_locks(path, caller, "mapping")
    if asked:
        path.claim("what_cannot_be_mapped_is_asked_of_the_arena", lambda: len(asked) == 1 and len(m.calls) > 0 and all(
            call.answer == -1 for call in m.calls) and only(m, *w.openings()) and asked[0][2:] == (alignment, kind)
            and not m.held and (m.errno == 12) == (p == 0 and kind != ALIGNED))
    else:
        _check_mapped(path, w, p, request, alignment, kind)


def _asked(source: Any, m: Any, kind: int, alignment: int, request: Any) -> Any:
    if kind == CALLOC:
        with replaced(source.api, product=lambda *_: request):      # see `the_product_guard_is_exact`
            return source.api.calloc(m, 1, request)
    if kind == ALIGNED:
        with replaced(source.malloc, cached_aligned=lambda *_: 0):  # see `a_block_that_is_not_aligned_stays`
            return source.malloc.place_aligned(m, alignment, request)
    return source.malloc.allocate(m, request, alignment, kind)


def _check_mapped(path: Any, w: AnyMapped, p: Any, request: Any, alignment: int, kind: int) -> None:
    """What is claimed of a block that was mapped."""
    m, b = w.m, p - PAYLOAD
    length, start = m.load(b) - mapped_header(0), b - m.load(b + LEAD)
    w.with_first(b + NODE)
    mapped = w.mapped_anew()
    path.claim("a_mapped_block_has_a_mapping_of_its_own", lambda: len(mapped) + len(w.pool.handed) == 1 and all(
        bool(start == first) and bool(length == count) for first, count in (*mapped, *w.pool.handed)))
    path.claim("a_mapped_block_of_any_heap_is_for_the_request", lambda: p & alignment - 1 == 0
               and start + MAPPED_LEAD <= b and p + request <= start + length and p < start + length
               and m.load(b + NODE) == seal(m, b, m.load(b + LEAD), m.load(b)))
    path.claim("mapping_keeps_the_list_and_the_totals", lambda: w.is_linked() and w.is_balanced(length, 1)
               and w.is_counted(kind))
    path.claim("mapping_spares_the_rest_of_any_heap", lambda: w.spares(
        *w.words_of(b), *w.links(), *w.openings(), start) and m.errno == 0)
    wiped = [(target, count) for target, byte, count in m.fills if byte == 0]
    path.claim("a_mapped_block_is_zero_for_calloc", lambda: kind != CALLOC or any(
        bool(target == p) and bool(target + count == start + length)
        for target, count in (m.zeroed if mapped else wiped)))


def free(source: Any, path: Any) -> None:
    """Any block with a mapping of its own, anywhere on the list."""
    w = AnyMapped(path)
    m, (b, lead, length) = w.m, w.mapped(path)
    node = b + NODE
    w.listed([node], gaps=3)
    links = w.links()
    w.without(node)
    caller = MappingThread(w, (b, length - lead))
    with w.standing_in(source):
        source.api.free(caller, b + PAYLOAD)
    check_locks(path, caller, "unmapping")
    path.claim("the_mapping_of_what_is_freed_is_retained_whole", lambda: len(w.pool.given) == 1
               and w.pool.given[0][0] == b - lead and w.pool.given[0][1] == length and not w.pool.handed)
    path.claim("what_was_mapped_is_used_no_more", lambda: m.find(b).now & USED == 0)
    path.claim("unmapping_keeps_the_list_and_the_totals", lambda: _is_linked(w) and w.is_balanced(-length, -1)
               and w.is_counted(FREE))
    path.claim("unmapping_spares_the_rest_of_any_heap", lambda: w.spares(*w.words_of(b), *links) and m.errno == 0)


def _is_linked(w: AnyMapped) -> bool:
    """Whether the list is as it should be, in memory of which some went back."""
    find = w.m.find
    return all(bool(find(u + NEXT).now == v) and bool(find(v + PREV).now == u) for u, v in w.adjacent())


def resize(source: Any, path: Any) -> None:
    """Any block with a mapping of its own to any request, in place or moved by the system."""
    w = AnyMapped(path)
    m, (b, lead, length) = w.m, w.mapped(path)
    held, request = path.word("held word"), path.word("request", 1, MAX_REQUEST)
    m.put(b + PAYLOAD, held, "what it holds")
    node = b + NODE
    w.listed([node], gaps=3)
    links = w.links()
    caller = MappingThread(w, (b, length - lead))
    with w.standing_in(source):
        p = source.malloc.resize_uncopied(caller, b + PAYLOAD, request)
    check_locks(path, caller, "resizing_a_mapping")
    moved = [call for call in m.calls if call.name == "remap"]
    if p == 0:
        path.claim("a_mapping_of_any_heap_that_cannot_grow_stays", lambda: only(m) and not m.held
                   and lead + PAYLOAD + request > length and len(moved) == 1 and moved[0].answer == -1)
        return
    now = p - PAYLOAD
    w.circle = [now + NODE if u is node else u for u in w.circle]
    size, start = m.load(now) - mapped_header(0), now - lead
    path.claim("a_resized_mapping_of_any_heap_holds_the_request", lambda: m.load(now + LEAD) == lead
               and lead + PAYLOAD + request <= size and size - (lead + PAYLOAD + request) < PAGE
               and m.load(now + NODE) == seal(m, now, lead, m.load(now)) and m.load(p) == held)
    path.claim("a_resized_mapping_has_just_its_pages", lambda: _has_its_pages(w, b - lead, length, start, size, moved))
    path.claim("resizing_a_mapping_keeps_the_list_and_the_totals", lambda: w.is_linked()
               and w.is_balanced(size - length, 0) and w.is_counted(REALLOC))
    path.claim("resizing_a_mapping_spares_the_rest_of_any_heap", lambda: w.spares(
        *w.words_of(now), *links, *w.links()) and m.errno == 0)


def _has_its_pages(w: AnyMapped, old: Any, length: Any, start: Any, size: Any, moved: list[Any]) -> bool:
    """Whether it grew by what was retained after it or by the system's, or what it lost is retained."""
    pool = w.pool
    if size < length:
        return bool(start == old and len(pool.given) == 1 and not pool.handed and not moved
                    and pool.given[0][0] == old + size and pool.given[0][1] == length - size)
    if pool.handed:
        return bool(start == old and pool.handed[0][0] == old + length and pool.handed[0][1] == size - length
                    and not moved)
    if size == length:
        return bool(start == old and not moved and not pool.given)
    return bool(len(moved) == 1 and moved[0].arguments == (old, length, size) and moved[0].answer == start)


PROOFS = (
    Proof("api.malloc", f"{ANY_HEAP}, {1 + len(LARGE)} alignments", malloc, more={
        "a_mapped_block_has_a_mapping_of_its_own": "all of what the system gave, or of what was retained",
        "a_mapped_block_of_any_heap_is_for_the_request": "it holds the request, aligned, in its mapping, and is sealed",
        "mapping_keeps_the_list_and_the_totals": "it is first on the list, and counted, as the call is; the record "
                                                 "holds just what is used, retained or set aside",
        **claims_of_locks("mapping"),
        "mapping_spares_the_rest_of_any_heap": "no other word changed, no lock is held, and errno is left alone",
        "a_mapped_block_is_zero_for_calloc": "calloc's payload is zero, whatever its mapping held",
        "what_cannot_be_mapped_is_asked_of_the_arena": "only if the system refused, and then no word changed but "
                                                       "those that open the lists",
    }, suffix="_of_a_mapping"),
    Proof("api.free", ANY_HEAP, free, more={
        "the_mapping_of_what_is_freed_is_retained_whole": "all of its mapping is retained, once, and nobody touches it "
                                                          "any more",
        "what_was_mapped_is_used_no_more": "its header says so",
        "unmapping_keeps_the_list_and_the_totals": "it is on no list; it is no longer counted, the call is; the record "
                                                   "holds just what is used, retained or set aside",
        **claims_of_locks("unmapping"),
        "unmapping_spares_the_rest_of_any_heap": "no other word changed, no lock is held, and errno is left alone",
    }, suffix="_of_a_mapping"),
    Proof("malloc.resize_uncopied", ANY_HEAP, resize, more={
        "a_mapping_of_any_heap_that_cannot_grow_stays": "NULL only if it must grow and the system refused, and then "
                                                        "no word changed",
        "a_resized_mapping_of_any_heap_holds_the_request": "it holds the request in as few pages as it can, and what "
                                                           "it held; it is sealed",
        "a_resized_mapping_has_just_its_pages": "what it lost is retained, what it gained was retained after it or is "
                                                "the system's",
        "resizing_a_mapping_keeps_the_list_and_the_totals": "it is on the list where it was; totals and calls agree",
        **claims_of_locks("resizing_a_mapping"),
        "resizing_a_mapping_spares_the_rest_of_any_heap": "no other word changed, no lock is held, and errno is left "
                                                          "alone",
    }, suffix="_of_a_mapping"),
)
