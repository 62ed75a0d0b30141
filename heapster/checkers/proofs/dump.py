"""The status dump, line by line: the rest of `impl/stats.py`; and what the walk over a heap is made of."""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ARENA_BYTES,
    ARENA_RECORD,
    CACHE,
    CLASS,
    FIRST_BLOCK,
    KEPT,
    LAYOUT,
    LEAD,
    LOST,
    MAPPED_LEAD,
    MAX_ARENAS,
    MIN_BLOCK,
    MOST,
    NEXT,
    NODE,
    PAGE,
    PAYLOAD,
    PREV,
    REGION,
    STATICS,
    TOTALS,
    WORD,
    a_size,
    aborts,
    header,
    mapped_header,
    only,
)
from heapster.checkers.proofs.local_heap import Window, no_longer_first
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.notes import Notes
from heapster.checkers.proofs.placement import Over
from heapster.machine.symbolic import HIGHEST, LOWEST

ARENA_LINE, REGION_LINE, BLOCK_LINE, MAPPED_LINE, RUN_LINE = 1, 2, 3, 4, 6


class ShownHeap(Window):
    """A heap of which lines are noted."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.notes = Notes()
        self.lines: list[tuple[Any, ...]] = []
        self.m.show = lambda *line: self.lines.append(line)

    def are(self, *lines: tuple[Any, ...]) -> bool:
        """Whether just these lines were written, and no word."""
        return self.lines == list(lines) and only(self.m)


class ShownBlocks:
    """The loop over a region's blocks, cut: any is next, used or free, or the fence."""

    def __init__(self, path: Any) -> None:
        self.path, self.w = path, ShownHeap(path)
        w = self.w
        self.region, self.length = w.span("region", MOST), path.word("length", PAGE, MOST)
        self.first = self.region + FIRST_BLOCK
        self.b = self.first + path.word("before", MIN_BLOCK, MOST, ALIGN)
        self.size, self.used, self.ends = a_size(path), path.choose(2), path.choose(2)
        w.m.put(self.region + REGION["length"], self.length, "length")
        w.m.put(self.b, header(0, w.owner) if self.ends else header(self.size, w.owner, self.used), "header of b")
        self.line = (REGION_LINE, self.region, self.length, 0)

    def enter(self, b: Any) -> list[Any]:
        """The region's own line comes first."""
        self.path.claim("a_region_is_shown_before_its_blocks", lambda: b == self.first and self.w.are(self.line))
        return [self.b]

    def again(self, b: Any) -> None:
        """The block has a line, and the next is next."""
        self.path.claim("each_block_of_a_region_has_a_line", lambda: b == self.b + self.size and self.w.are(
            self.line, (BLOCK_LINE, self.b, self.size, self.used)))
        raise Over


def show_region(source: Any, path: Any) -> None:
    """Any region, a block at a time."""
    s = ShownBlocks(path)
    try:
        cut(source.stats.show_region, s)(s.w.m, s.region)
    except Over:
        return
    path.claim("a_fence_has_no_line", lambda: s.ends == 1 and s.w.are(s.line))


class ShownRegions:
    """The loop over an arena's regions, cut: any is next, or none."""

    def __init__(self, path: Any) -> None:
        self.path, self.w = path, ShownHeap(path)
        w = self.w
        self.is_open, self.region = path.choose(2), w.span("region", PAGE)
        self.older, held, used = path.word("older", LOWEST, HIGHEST, ALIGN), w.word("held"), w.word("used_bytes")
        for place, word in ((w.head + NEXT, w.head if self.is_open else 0), (w.at("regions"), self.region),
                            (self.region + REGION["next"], self.older)):
            w.m.put(place, word, "link")
        self.line = (ARENA_LINE, w.arena, held, used)

    def enter(self, region: Any) -> list[Any]:
        """The arena's own line comes first."""
        self.path.claim("an_arena_is_shown_before_its_regions", lambda: region == self.region
                        and self.w.are(self.line))
        no_longer_first(self.path, self.w.m, self.w.at("regions"))
        return [self.region if self.path.choose(2) else 0]

    def again(self, region: Any) -> None:
        """The region was shown, and the older is next."""
        self.path.claim("each_region_is_shown_under_the_lock", lambda: region == self.older and self.w.are(self.line)
                        and self.w.notes.are(("show_region", self.region)) and self.w.notes.held == [1])
        raise Over


def arena_shown(source: Any, path: Any) -> ShownRegions | None:
    """Show any arena, open or not, a region at a time; what was shown, if that is its end."""
    s = ShownRegions(path)
    try:
        with replaced(source.stats, **s.w.notes.answering(show_region=0, show_runs=0)):
            cut(source.stats.show_arena, s)(s.w.m, s.w.arena)
    except Over:
        return None
    return s


def show_arena(source: Any, path: Any) -> None:
    """Its regions, and no more."""
    if s := arena_shown(source, path):
        path.claim("an_arena_that_is_not_open_has_no_line", lambda: not s.w.m.held and s.w.are(*[s.line] * s.is_open))


class ShownKept:
    """A loop over kept mappings, cut: any is next, or the end of the list."""

    def __init__(self, path: Any, w: ShownHeap, first: str, turn: str) -> None:
        self.path, self.w, self.names = path, w, (first, turn)
        self.head = w.statics + STATICS["kept"]
        self.start, self.length = path.word("k", LOWEST, HIGHEST, PAGE), path.word("length", PAGE, MOST, PAGE)
        w.reserve(self.start, self.length)
        self.node, self.used, self.after = self.start, 0, path.word("after", LOWEST, HIGHEST, WORD)

    def begin(self) -> None:
        """Let it be the first on its list."""
        self.w.m.put(self.head + NEXT, self.node, "first")
        self.w.m.put(self.node + NEXT, self.after, "next")

    def enter(self, **at: Any) -> list[Any]:
        """It begins with the first."""
        [first] = at.values()
        self.path.claim(self.names[0], lambda: first == self.node and self.w.are())
        no_longer_first(self.path, self.w.m, self.head + NEXT)
        return [self.node if self.path.choose(2) else self.head]

    def again(self, **at: Any) -> None:
        """It has a line, and the next is next."""
        [there] = at.values()
        self.path.claim(self.names[1], lambda: there == self.after and self.w.are(
            (MAPPED_LINE, self.start, self.length, self.used)))
        raise Over


def show_kept(source: Any, path: Any) -> None:
    """Any list of kept mappings, one at a time."""
    s = ShownKept(path, ShownHeap(path), "kept_mappings_are_shown_from_the_first", "each_kept_mapping_has_a_line")
    s.w.m.put(s.start, s.length, "length")
    s.begin()
    try:
        cut(source.stats.show_kept, s)(s.w.m, s.head)
    except Over:
        return
    path.claim("each_kept_mapping_has_a_line", s.w.are)


def show_mappings(source: Any, path: Any) -> None:
    """Any list of mapped blocks, one at a time; then what is kept, and what was set aside."""
    w = ShownHeap(path)
    s = ShownKept(path, w, "mapped_blocks_are_shown_from_the_first", "each_mapped_block_has_a_line")
    record, lead = w.statics + STATICS["mappings"], path.word("lead", MAPPED_LEAD, MOST, ALIGN, PAYLOAD)
    path.require(lead + 2 * PAYLOAD, "<=", s.length)
    s.head, s.node, s.used = record + ARENA_RECORD["head"], s.start + lead + NODE, 1
    w.m.put(s.start + lead, mapped_header(s.length), "header of b")
    w.m.put(s.start + lead + LEAD, lead, "lead of b")
    s.begin()
    try:
        with replaced(source.stats, **w.notes.answering(show_kept=0)):
            cut(source.stats.show_mappings, s)(w.m)
    except Over:
        return
    path.claim("what_is_kept_is_shown_after_mapped_blocks", lambda: w.are() and not w.m.held
               and w.notes.held == [1, 1] and w.notes.are(
                   ("show_kept", w.statics + STATICS["kept"]), ("show_kept", w.statics + STATICS["untaken"])))


def status(source: Any, path: Any) -> None:
    """The whole of it, by its parts."""
    w = ShownHeap(path)
    with replaced(source.stats, **w.notes.answering(show_arena=0, show_mappings=0, show_records=0)):
        source.stats.status(w.m)
    arenas = [("show_arena", w.statics + STATICS["arenas"] + ARENA_BYTES * index) for index in range(MAX_ARENAS)]
    path.claim("all_of_a_heap_is_shown", lambda: w.are() and w.notes.are(
        *arenas, ("show_mappings",), ("show_records",)))


# What the walk over a heap is made of.

def verify_cache(source: Any, path: Any) -> None:
    """All bins of the calling thread."""
    w, thread = ShownHeap(path), path.word("thread", LOWEST, HIGHEST, ALIGN)
    w.m.use_thread(thread)
    with replaced(source.verify, least_of_class=lambda index: index, **w.notes.answering(verify_bin=0)):
        source.verify.verify_cache(w.m)
    path.claim("each_bin_is_checked_for_its_size", lambda: w.are() and w.notes.are(*(
        ("verify_bin", thread + CACHE["bins"] + 2 * WORD * index, index) for index in range(CLASS["cached"]))))


def verify_lists(source: Any, path: Any) -> None:
    """One list or many, on which all that was found free is, or not."""
    w, divided, lack = ShownHeap(path), path.choose(2), path.choose(2)
    w.m.find(w.at("segregated")).was = w.m.find(w.at("segregated")).now = divided
    free, left = path.word("free", 0, TOTALS), path.word("left", 0, TOTALS)
    with replaced(source.verify, **w.notes.answering(
            walked_blocks=free, verify_list=left if divided else lack, verify_classes=lack, verify_cursor=0)):
        code = aborts(w.m, lambda: source.verify.verify_lists(w.m, w.arena), w.arena)
    walked = [("walked_blocks", w.arena, True), ("verify_list", w.head, free),
              *[("verify_classes", w.arena, left)] * divided]
    path.claim("lists_that_lack_a_free_block_are_named", lambda: w.are() and code == (
        LAYOUT["FREE_LIST_IS_EXACTLY_THE_FREE_BLOCKS"] if lack else 0)
        and w.notes.are(*walked, *[("verify_cursor", w.arena)] * (not lack)))


class CheckedRegions(ShownRegions):
    """The loop over an arena's regions, cut: so many bytes were found before."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        w, self.lost = self.w, path.choose(2)
        self.before, self.length = path.word("found before", 0, TOTALS), path.word("length", PAGE, MOST)
        w.m.find(w.head).was = w.m.find(w.head).now = header(0, w.owner) + LOST * self.lost
        w.m.put(self.region + REGION["length"], self.length, "length")

    def enter(self, region: Any, **found: Any) -> list[Any]:
        """It begins with the newest."""
        [held] = found.values()
        self.path.claim("regions_are_checked_from_the_newest", lambda: region == self.region and held == 0)
        no_longer_first(self.path, self.w.m, self.w.at("regions"))
        return [self.before, self.region if self.path.choose(2) else 0]

    def again(self, region: Any, **found: Any) -> None:
        """It was checked, and its bytes count; the older is next."""
        [held] = found.values()
        self.path.claim("each_region_is_checked_and_counted_as_held", lambda: region == self.older and self.w.are()
                        and held == self.before + self.length
                        and self.w.notes.are(("verify_region", self.w.arena, self.region)))
        raise Over


def verify_arena(source: Any, path: Any) -> None:
    """Any arena, open or not, lost or not, a region at a time."""
    c = CheckedRegions(path)
    w = c.w
    try:
        with replaced(source.verify, **w.notes.answering(verify_region=0, verify_lists=0, verify_ledger=0)):
            cut(source.verify.verify_arena, c)(w.m, w.arena)
    except Over:
        return
    checked = c.is_open and not c.lost
    path.claim("an_arenas_lists_and_totals_are_checked", lambda: w.are() and not w.m.held and w.notes.are(*(
        [("verify_lists", w.arena), ("verify_ledger", w.arena, c.before)] if checked else ())))


class WalkedIdle:
    """The loop over a list of kept mappings, cut: any node is next, right or wrong, or the end."""

    def __init__(self, path: Any) -> None:
        self.path, self.w = path, ShownHeap(path)
        w = self.w
        self.head, self.untaken = w.statics + STATICS["kept"], bool(path.choose(2))
        self.k, self.length = w.span("k", PAGE) - PAYLOAD, path.word("length", -MOST, MOST, ALIGN)
        self.mark, self.true = path.choose(4) - 1, (path.choose(2), path.choose(2))
        before, self.after = (w.span(name, MIN_BLOCK) for name in ("before", "after"))
        for place, word in ((self.head + NEXT, self.k), (self.k, self.length), (self.k + KEPT["mark"], self.mark),
                            (self.k + NEXT, self.after), (self.k + PREV, before),
                            (before + NEXT, self.k if self.true[0] else self.after),
                            (self.after + PREV, self.k if self.true[1] else self.after)):
            w.m.put(place, word, "word")
        self.total = path.word("total before", 0, TOTALS)

    def enter(self, k: Any, total: Any) -> list[Any]:
        """It begins with the newest."""
        self.path.claim("kept_mappings_are_checked_from_the_newest", lambda: k == self.k and total == 0)
        no_longer_first(self.path, self.w.m, self.head + NEXT)
        return [self.k if self.path.choose(2) else self.head, self.total]

    def again(self, k: Any, total: Any) -> None:
        """Its bytes count, and the next is next."""
        self.path.claim("each_kept_mapping_is_counted_once", lambda: k == self.after
                        and total == self.total + self.length)
        raise Over

    def wrong(self) -> int:
        """The clause that the node breaks first."""
        whole = self.k & PAGE - 1 == 0 and self.length & PAGE - 1 == 0 and self.length > 0
        names = (("MAPPED_LIST_IS_LINKED_BOTH_WAYS", all(self.true)), ("MAPPED_BLOCKS_FIT_THEIR_MAPPINGS", bool(whole)),
                 ("KEPT_MAPPINGS_KEEP_TO_THEIR_BOUNDS", (self.mark == -1) == self.untaken))
        return next((int(LAYOUT[name]) for name, holds in names if not holds), 0)


def verify_idle(source: Any, path: Any) -> None:
    """Any list of kept mappings, or of those set aside, one at a time."""
    idle, answers = WalkedIdle(path), []

    def run() -> None:
        try:
            answers.append(cut(source.verify.verify_idle, idle)(idle.w.m, idle.head, idle.untaken))
        except Over:
            answers.append(None)

    code = aborts(idle.w.m, run, idle.k)
    if answers and answers[0] is not None:
        path.claim("the_bytes_of_kept_mappings_are_answered", lambda: answers[0] == idle.total and idle.w.are())
    else:
        path.claim("a_kept_mapping_that_breaks_a_clause_is_named", lambda: code == idle.wrong())


def verify_kept(source: Any, path: Any) -> None:
    """Whatever is kept, set aside and counted."""
    w, record = ShownHeap(path), path.word("record", LOWEST, HIGHEST, ALIGN)
    w.reserve(record, ARENA_BYTES)
    names = ("free_bytes", "free_blocks", "held", "used_bytes")
    counted = {name: path.word(name, 0, TOTALS) for name in names}
    for name, word in counted.items():
        w.m.put(record + ARENA_RECORD[name], word, name)
    total, aside, count, much = *(path.word(name, 0, TOTALS) for name in ("total", "aside", "count")), path.choose(2)
    with replaced(source.verify, **w.notes.answering(
            verify_idle=[total, aside], listed=count, too_much=bool(much))):
        code = aborts(w.m, lambda: source.verify.verify_kept(w.m, record), record)
    agrees = counted["free_bytes"] == total and counted["free_blocks"] == count and (
        counted["held"] == total + aside + counted["used_bytes"])
    path.claim("what_is_kept_and_not_counted_is_named", lambda: w.are() and code == (
        LAYOUT["LEDGERS_EQUAL_RECOMPUTED_TOTALS"] if not agrees else
        LAYOUT["KEPT_MAPPINGS_KEEP_TO_THEIR_BOUNDS"] if much else 0) and w.notes.done[:2] == [
            ("verify_idle", w.statics + STATICS["kept"], False), ("verify_idle", w.statics + STATICS["untaken"], True)])


PROOFS = (
    Proof("stats.show_region", ANY_HEAP, show_region, more={
        "a_region_is_shown_before_its_blocks": "with its length",
        "each_block_of_a_region_has_a_line": "each turn shows a block, its size and whether it is used, and goes on",
        "a_fence_has_no_line": "it ends with the fence"}),
    Proof("stats.show_arena", ANY_HEAP, show_arena, more={
        "an_arena_is_shown_before_its_regions": "with what it holds and uses",
        "each_region_is_shown_under_the_lock": "each turn shows a region, and goes on to the older",
        "an_arena_that_is_not_open_has_no_line": "and the lock is released"}),
    Proof("stats.show_kept", ANY_HEAP, show_kept, more={
        "kept_mappings_are_shown_from_the_first": "it begins with the first",
        "each_kept_mapping_has_a_line": "each turn shows a mapping, its length and that nobody uses it"}),
    Proof("stats.show_mappings", ANY_HEAP, show_mappings, more={
        "mapped_blocks_are_shown_from_the_first": "it begins with the first",
        "each_mapped_block_has_a_line": "each turn shows a mapping, its length and whether it is used",
        "what_is_kept_is_shown_after_mapped_blocks": "both lists, under the lock, which is released"}),
    Proof("stats.status", ANY_HEAP, status, more={
        "all_of_a_heap_is_shown": "each arena and the mappings, once"}),
    Proof("verify.verify_cache", ANY_HEAP, verify_cache, more={
        "each_bin_is_checked_for_its_size": "each, once"}),
    Proof("verify.verify_lists", ANY_HEAP, verify_lists, more={
        "lists_that_lack_a_free_block_are_named": "and only those; then the cursor is checked"}),
    Proof("verify.verify_arena", ANY_HEAP, verify_arena, more={
        "regions_are_checked_from_the_newest": "it begins with the newest",
        "each_region_is_checked_and_counted_as_held": "each turn checks a region, and goes on to the older",
        "an_arenas_lists_and_totals_are_checked": "of an arena that is open and not lost; the lock is released"}),
    Proof("verify.verify_idle", ANY_HEAP, verify_idle, more={
        "kept_mappings_are_checked_from_the_newest": "it begins with the newest",
        "each_kept_mapping_is_counted_once": "each turn counts a mapping, and goes on",
        "a_kept_mapping_that_breaks_a_clause_is_named": "it aborts on a false link, on no whole pages, and on a wrong "
                                                        "mark, and only then",
        "the_bytes_of_kept_mappings_are_answered": "at the end the sum is answered"}),
    Proof("verify.verify_kept", ANY_HEAP, verify_kept, more={
        "what_is_kept_and_not_counted_is_named": "it aborts if a total is wrong, or too much is kept, and only then"}),
)
