"""The parts of what is done with a mapped block, one by one: the rest of `impl/mapping.py`, on any list."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    CALL_KINDS,
    LEAD,
    LOST,
    MAPPED_LEAD,
    MOST,
    NEXT,
    NODE,
    PAGE,
    PAYLOAD,
    PREV,
    STATICS,
    TOTALS,
    WORD,
    mapped_header,
    only,
    put_mapped,
    seal,
)
from heapster.checkers.proofs.local_heap import Window
from heapster.checkers.proofs.notes import Notes
from heapster.machine.symbolic import HIGHEST, LOWEST

MAPPED_FLAGS = 3                    # of the head of the mapped blocks' list
MOST_HELD = 1 << 50


class SteppedMapping(Window):
    """A mapped block of any length, and any lead, on any list, which may be lost; and its record."""

    def __init__(self, path: Any, *, lost: int = 0) -> None:
        super().__init__(path)
        self.notes, self.lost = Notes(), lost
        self.arena = self.statics + STATICS["mappings"]
        self.head = self.at("head")
        self.m.put(self.head, MAPPED_FLAGS + LOST * lost, "header of the head")
        self.length, self.lead = path.word("length", PAGE, MOST, PAGE), path.word(
            "lead", MAPPED_LEAD, MOST, ALIGN, PAYLOAD)
        path.require(self.lead + 2 * PAYLOAD, "<=", self.length)
        self.start = path.word("start", LOWEST, HIGHEST, PAGE)
        self.reserve(self.start, self.length)
        self.b = self.start + self.lead
        put_mapped(self.m, self.b, self.lead, mapped_header(self.length))
        self.ledger = {name: self.word(name, MOST, MOST_HELD) for name in ("held", "used_bytes", "used_blocks")}
        self.extra = PAGE * path.word("extra pages", 1, 1 << 30)

    def counts(self, **more: Any) -> bool:
        """Whether the record counts so much more, and else what it did."""
        return all(bool(self.m.load(self.at(name)) == was + more.get(name, 0)) for name, was in self.ledger.items())

    def is_whole(self, b: Any, length: Any) -> bool:
        """Whether a sealed block with the lead of this one lies there, in a mapping of so many bytes."""
        load = self.m.load
        return bool(load(b) == mapped_header(length) and load(b + LEAD) == self.lead
                    and load(b + NODE) == seal(self.m, b, self.lead, mapped_header(length)))

    def writes(self, *places: Any) -> bool:
        """Whether no word but these and the ledger's changed."""
        return only(self.m, *places, *(self.at(name) for name in self.ledger))


def seal_block(source: Any, path: Any) -> None:
    """Any mapped block whose seal is anything."""
    w = SteppedMapping(path)
    w.m.find(w.b + NODE).was = w.m.find(w.b + NODE).now = path.word("anything")
    told = source.mapping.seal_of(w.m, w.b)
    source.mapping.seal(w.m, w.b)
    path.claim("a_seal_is_of_place_header_and_lead", lambda: w.is_whole(w.b, w.length)
               and told == w.m.load(w.b + NODE) and only(w.m, w.b + NODE))


def mapped_usable(source: Any, path: Any) -> None:
    """Any mapped block."""
    w = SteppedMapping(path)
    usable = source.mapping.mapped_usable(w.m, w.b)
    path.claim("a_mapped_payload_ends_with_its_mapping", lambda: w.b + PAYLOAD + usable == w.start + w.length
               and only(w.m))


def map_anew(source: Any, path: Any) -> None:
    """Any length, whatever the system answers."""
    w = SteppedMapping(path)
    start = source.mapping.map_anew(w.m, w.arena, w.extra)
    [call] = w.m.calls
    path.claim("a_new_mapping_is_held", lambda: (call.name, call.arguments) == ("mmap", (w.extra,)) and (
        start == 0 and only(w.m) if call.answer == -1 else
        start == call.answer and w.m.load(start) == w.extra and w.counts(held=w.extra) and w.writes(start)))


def list_mapped(source: Any, path: Any) -> None:
    """Any block, on any list or one that is lost, any kind of call."""
    w = SteppedMapping(path, lost=path.choose(2))
    kind, calls = path.choose(CALL_KINDS), path.word("calls", 0, TOTALS)
    place = w.at("calls") + WORD * kind
    w.m.put(place, calls, "calls")
    w.circle = [w.head]
    w.listed([], gaps=2)
    node, counted = w.b + NODE, {"used_bytes": w.length, "used_blocks": 1}
    after = w.after(w.head)
    with replaced(source.mapping, **w.notes.answering(step=0)):
        source.mapping.list_mapped(w.m, w.arena, w.b, kind)
    links = [] if w.lost else [node + NEXT, node + PREV, w.head + NEXT, after + PREV]
    if not w.lost:
        w.with_first(node)
    path.claim("a_new_mapped_block_is_first_and_counted", lambda: w.is_linked() and w.counts(**counted)
               and w.m.load(place) == calls + 1 and w.notes.are(("step", w.arena)) and w.writes(place, *links))


def make_zero(source: Any, path: Any) -> None:
    """Any mapped block, new or not."""
    w, fresh = SteppedMapping(path), bool(path.choose(2))
    source.mapping.make_zero(w.m, w.b, fresh)
    all_of_it = w.length - w.lead - PAYLOAD
    path.claim("all_of_a_mapped_payload_is_zero", lambda: only(w.m) and (
        w.m.zeroed == [(w.b + PAYLOAD, all_of_it)] and not w.m.fills if fresh else
        w.m.fills == [(w.b + PAYLOAD, 0, all_of_it)] and not w.m.zeroed))


def become(source: Any, path: Any) -> None:
    """Any block, any length."""
    w = SteppedMapping(path)
    source.mapping.become(w.m, w.arena, w.b, w.extra)
    path.claim("a_block_of_another_length_is_sealed_and_counted", lambda: w.is_whole(w.b, w.extra)
               and w.counts(used_bytes=w.extra - w.length) and w.writes(w.b, w.b + NODE))


def extend(source: Any, path: Any) -> None:
    """Whether or not what lies after the mapping was retained."""
    w, retained = SteppedMapping(path), bool(path.choose(2))
    with replaced(source.mapping, **w.notes.answering(take_retained_at=retained, become=0)):
        done = source.mapping.extend(w.m, w.arena, w.b, w.extra)
    path.claim("a_mapping_takes_in_what_was_retained_after_it", lambda: bool(done) == retained and only(w.m)
               and w.notes.are(("take_retained_at", w.arena, w.start + w.length, w.extra),
                               *[("become", w.arena, w.b, w.length + w.extra)] * retained))


def remap_block(source: Any, path: Any) -> None:
    """Any place on any list, or on one that is lost; whatever the system answers."""
    w = SteppedMapping(path, lost=path.choose(2))
    node = w.b + NODE
    w.circle = [w.head]
    w.listed([node], gaps=2)
    known = w.links()
    now = source.mapping.remap_block(w.m, w.arena, w.b, w.extra)
    [call] = w.m.calls
    asked = (call.name, call.arguments) == ("remap", (w.start, w.length, w.length + w.extra))
    if call.answer == -1:
        path.claim("a_mapping_that_the_system_extends_stays_on_its_list", lambda: now == 0 and asked and only(w.m))
        return
    if not w.lost:
        w.circle = [now + NODE if u is node else u for u in w.circle]
    path.claim("a_mapping_that_the_system_extends_stays_on_its_list", lambda: asked and now == call.answer + w.lead
               and (w.lost or w.is_linked()) and w.is_whole(now, w.length + w.extra)
               and w.counts(used_bytes=w.extra, held=w.extra) and w.writes(now, now + NODE, *known))


def grow_mapped(source: Any, path: Any) -> None:
    """What was retained, or what the system does."""
    w, done, now = SteppedMapping(path), bool(path.choose(2)), path.choose(2) * path.word("now", LOWEST, HIGHEST, ALIGN)
    with replaced(source.mapping, **w.notes.answering(extend=done, remap_block=now)):
        b = source.mapping.grow_mapped(w.m, w.arena, w.b, w.extra)
    words = (w.arena, w.b, w.extra)
    path.claim("what_was_retained_is_taken_before_the_system_is_asked", lambda: b == (w.b if done else now)
               and only(w.m) and w.notes.are(("extend", *words), *[("remap_block", *words)] * (not done)))


def cut_off(source: Any, path: Any) -> None:
    """Any whole pages of a mapping, but not all."""
    w = SteppedMapping(path)
    path.require(w.extra + w.lead + PAYLOAD, "<=", w.length)
    with replaced(source.mapping, **w.notes.answering(become=0, retain=0)):
        source.mapping.cut_off(w.m, w.arena, w.b, w.extra)
    path.claim("what_is_cut_off_a_mapping_is_retained", lambda: only(w.m) and w.notes.are(
        ("become", w.arena, w.b, w.length - w.extra), ("retain", w.arena, w.start + w.length - w.extra, w.extra)))


def unmap_by_parts(source: Any, path: Any) -> None:
    """Any mapped block on any list, any kind of call."""
    w = SteppedMapping(path)
    kind, before, after = path.choose(CALL_KINDS), w.span("before", PAGE), w.span("after", PAGE)
    for link, other in ((NEXT, after), (PREV, before)):
        w.m.put(w.b + NODE + link, other, "link")
    for place, other in ((before + NEXT, w.b + NODE), (after + PREV, w.b + NODE)):
        w.m.put(place, other, "link")
    calls, place = path.word("calls", 0, TOTALS), w.at("calls") + WORD * 4
    w.m.put(place, calls, "calls")
    with replaced(source.mapping, **w.notes.answering(retain=0, step=0)):
        source.mapping.unmap_block(w.m, w.b, kind)
    path.claim("an_unmapped_block_is_counted_and_retained_whole", lambda: w.counts(used_bytes=-w.length, used_blocks=-1)
               and w.notes.are(("retain", w.arena, w.start, w.length), ("step", w.arena)) and w.notes.held == [1, 1]
               and not w.m.held and w.m.load(place) == calls + (kind == 4)
               and w.m.load(w.b) == mapped_header(w.length, 0) and w.writes(place, w.b, before + NEXT, after + PREV))


PROOFS = (
    Proof("mapping.seal", ANY_HEAP, seal_block, more={
        "a_seal_is_of_place_header_and_lead": "of the key too; no other word changes"}),
    Proof("mapping.mapped_usable", ANY_HEAP, mapped_usable, more={
        "a_mapped_payload_ends_with_its_mapping": "it is all of the mapping from the payload on"}),
    Proof("mapping.map_anew", ANY_HEAP, map_anew, more={
        "a_new_mapping_is_held": "of as many bytes, which stand there; NULL, nothing changed, if the system refused"}),
    Proof("mapping.list_mapped", ANY_HEAP, list_mapped, more={
        "a_new_mapped_block_is_first_and_counted": "and the call is counted, and a step is made; a list that is lost "
                                                   "stays as it is"}),
    Proof("mapping.make_zero", ANY_HEAP, make_zero, more={
        "all_of_a_mapped_payload_is_zero": "it is filled, or known to be zero where it is new"}),
    Proof("mapping.become", ANY_HEAP, become, more={
        "a_block_of_another_length_is_sealed_and_counted": "its header says the length, and no other word changes"}),
    Proof("mapping.extend", ANY_HEAP, extend, more={
        "a_mapping_takes_in_what_was_retained_after_it": "just behind it, and as much as it lacks"}),
    Proof("mapping.remap_block", ANY_HEAP, remap_block, more={
        "a_mapping_that_the_system_extends_stays_on_its_list": "it is sealed and counted where it is then; NULL, and "
                                                               "nothing changes, if the system refused"}),
    Proof("mapping.grow_mapped", ANY_HEAP, grow_mapped, more={
        "what_was_retained_is_taken_before_the_system_is_asked": "and the system is asked only where that is not "
                                                                 "enough"}),
    Proof("mapping.cut_off", ANY_HEAP, cut_off, more={
        "what_is_cut_off_a_mapping_is_retained": "its last pages; the block has the rest, and nothing else changes"}),
    Proof("mapping.unmap_block", ANY_HEAP, unmap_by_parts, more={
        "an_unmapped_block_is_counted_and_retained_whole": "under the lock, its call counted if it is one of free"},
          suffix="_by_its_parts"),
)
