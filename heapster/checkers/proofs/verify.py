"""The walk that checks a heap: what is proved of `impl/verify.py`, of any heap, a block or a node at a time.

Of a block whose clauses hold it says nothing; of one that breaks a clause it aborts with that clause's name.
"""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Body, Proof
from heapster.checkers.proofs.cache import a_stack, show_nothing
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ARENA_BYTES,
    FENCE_REGION,
    FIRST_BLOCK,
    FOOTER,
    LAYOUT,
    LEAD,
    MAPPED_LEAD,
    MAX_ARENAS,
    MIN_BLOCK,
    MOST,
    NEXT,
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
    key_of,
    let_wait,
    longer,
    mapped_header,
    only,
)
from heapster.checkers.proofs.local_heap import Window
from heapster.checkers.proofs.loops import cut
from heapster.checkers.proofs.placement import Over

COUNTED = ("held", "used_bytes", "used_blocks", "free_bytes", "free_blocks")


def code_of(*clauses: tuple[str, bool]) -> int:
    """The number of the first clause that does not hold; 0 if all do."""
    return next((int(LAYOUT[name]) for name, holds in clauses if not holds), 0)


def block(source: Any, path: Any) -> None:
    """Any block of any owner, beside any left neighbour or none, with any footer."""
    w = Window(path)
    m, has_left = w.m, path.choose(2)
    size, used, prev_used = a_size(path), path.choose(2), path.choose(2)
    left_size, left_used = a_size(path, "size of the left"), path.choose(2) if has_left else 1
    b = w.span("b", size)
    owner, footer = path.word("its owner", 0, MAX_ARENAS - 1), path.word("footer", 0, MOST)
    m.put(b, header(size, owner, used, prev_used), "header of b")
    if not used:
        m.put(b + size + FOOTER, footer, "footer of b")
    left = 0
    if has_left:
        left = b - left_size
        m.put(left, header(left_size, owner, left_used), "header of the left")
    code = aborts(m, lambda: source.verify.verify_block(m, w.arena, b, left), b + PAYLOAD)
    path.claim("a_block_that_breaks_a_clause_is_named", lambda: code == code_of(
        ("OWNERS_ARE_RIGHT", bool(owner == w.owner)), ("FLAGS_AGREE_WITH_NEIGHBOURS", prev_used == left_used),
        ("NO_TWO_FREE_NEIGHBOURS", bool(left_used or used)), ("BOUNDARY_TAGS_AGREE", bool(used or footer == size))))


class Walking:
    """The loop over a region, cut: a block lies next to be checked, right of one or none; or the fence."""

    def __init__(self, path: Any) -> None:
        self.path, self.w = path, Window(path)
        self.m, w = self.w.m, self.w
        self.record = path.word("region", 1 << 20, 1 << 40, ALIGN)
        self.length = path.word("length", PAGE, MOST, ALIGN)
        w.reserve(self.record, self.length)
        for name, word in (("start", self.record), ("length", self.length)):
            self.m.put(self.record + REGION[name], word, name)
        self.fence = self.record + self.length - 24
        path.require(self.record + FIRST_BLOCK + MIN_BLOCK, "<=", self.fence)
        self.b = self.record + FIRST_BLOCK + path.word("before", 0, MOST, ALIGN)
        self.size, self.left = path.word("size", 0, MOST, ALIGN), path.word("left", 1 << 20, 1 << 40)
        path.require(self.b, "<", self.fence)
        self.m.put(self.b, header(self.size, w.owner), "header of b")
        self.checked: list[Any] = []

    def enter(self, b: Any, left: Any) -> list[Any]:
        """It begins with the first block, which has no left neighbour."""
        self.path.claim("a_region_is_walked_from_its_first_block", lambda: b == self.record + FIRST_BLOCK and left == 0)
        return [self.b, self.left]

    def again(self, b: Any, left: Any) -> None:
        """The block was checked, and the next is next."""
        self.path.claim("each_block_is_checked_beside_its_left", lambda: b == self.b + self.size and left == self.b
                        and self.checked == [(self.w.arena, self.b, self.left)] and only(self.m))
        raise Over


def region(source: Any, path: Any) -> None:
    """Any block of any region, of any size, legal or not."""
    walk = Walking(path)
    m, ended = walk.m, []

    def run() -> None:
        try:
            cut(source.verify.verify_region, walk)(m, walk.w.arena, walk.record)
        except Over:
            ended.append(1)

    with replaced(source.verify, verify_block=lambda _, *words: walk.checked.append(words),
                  fence_before=lambda _: walk.fence):
        code = aborts(m, run, walk.b + PAYLOAD)
    path.claim("a_block_that_does_not_tile_is_named", lambda: code == code_of(
        ("SIZES_ARE_LEGAL", bool(walk.size >= MIN_BLOCK)),
        ("BLOCKS_TILE_THEIR_REGION", bool(walk.b + walk.size <= walk.fence))) and (code != 0 or len(ended) == 1))


class Walked(Walking):
    """The same loop, at its end: any fence is next, of the top that ends at the break or elsewhere, or of no top."""

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        w, size, used = self.w, path.choose(2) * MIN_BLOCK, path.choose(2)
        named, is_top, end = path.word("region of the fence", 0, MOST), path.choose(2), path.word("break", 0, MOST)
        self.m.put(self.fence, header(size, w.owner, used), "header of the fence")
        self.m.put(self.fence + FENCE_REGION, named, "region of the fence")
        self.m.put(w.at("top"), self.record if is_top else 0, "top")
        self.m.put(w.at("break"), end, "break")
        self.is_fence = size == 0 and used and bool(named == self.record)
        self.is_at_break = not is_top or bool(end == self.record + self.length)

    def enter(self, b: Any, left: Any) -> list[Any]:
        """All blocks were walked, or there were none."""
        self.left = self.left if self.path.choose(2) else 0
        return [self.fence, self.left]


def region_end(source: Any, path: Any) -> None:
    """Any fence of any region."""
    walk = Walked(path)
    with replaced(source.verify, verify_block=lambda _, *words: walk.checked.append(words),
                  fence_before=lambda _: walk.fence):
        code = aborts(walk.m, lambda: cut(source.verify.verify_region, walk)(walk.m, walk.w.arena, walk.record),
                      walk.record if walk.is_fence else walk.fence + PAYLOAD)
    path.claim("a_region_that_does_not_end_as_it_must_is_named", lambda: code == code_of(
        ("FENCES_END_THEIR_REGIONS", walk.is_fence), ("THE_TOP_REGION_ENDS_AT_THE_BREAK", walk.is_at_break))
        and walk.checked == [(walk.w.arena, walk.fence, walk.left)])


def ledger(source: Any, path: Any) -> None:
    """Any totals, and any that a walk finds."""
    w = Window(path)
    was = {name: w.word(name) for name in COUNTED}
    found = {name: path.word(f"walked {name}", 0, TOTALS) for name in COUNTED}
    with replaced(source.verify, walked_bytes=lambda m, arena, free: found["free_bytes" if free else "used_bytes"],
                  walked_blocks=lambda m, arena, free: found["free_blocks" if free else "used_blocks"]):
        code = aborts(w.m, lambda: source.verify.verify_ledger(w.m, w.arena, found["held"]), w.arena)
    path.claim("totals_that_no_walk_finds_are_named", lambda: code == code_of(
        ("LEDGERS_EQUAL_RECOMPUTED_TOTALS", all(bool(was[name] == found[name]) for name in COUNTED))))


def mapped(source: Any, path: Any) -> None:
    """Any mapped block, of any lead and length."""
    w = Window(path)
    b, lead = path.word("b", 1 << 20, 1 << 40, ALIGN, PAYLOAD), path.word("lead", 0, 1 << 20)
    length, start = path.word("length", 0, MOST, ALIGN), b - lead
    w.m.put(b, mapped_header(length), "header of b")
    w.m.put(b + LEAD, lead, "lead of b")
    code = aborts(w.m, lambda: source.verify.verify_mapped(w.m, b), b + PAYLOAD)
    whole = start & PAGE - 1 == 0 and length & PAGE - 1 == 0
    path.claim("a_mapped_block_that_does_not_fit_is_named", lambda: code == code_of(
        ("MAPPED_BLOCKS_FIT_THEIR_MAPPINGS", bool(whole and lead >= MAPPED_LEAD and lead + PAYLOAD < length))))


class Listing:
    """The loop over a free list, cut: any block is next, or the list's end; so many may still come."""

    def __init__(self, path: Any) -> None:
        self.path, self.w = path, Window(path)
        self.m, w = self.w.m, self.w
        self.b, self.used = w.span("b", MIN_BLOCK), path.choose(2)
        self.others = [w.span(name, MIN_BLOCK) for name in ("before", "after")]
        self.left, self.count = path.word("left", 0, TOTALS), path.word("count", 0, TOTALS)
        self.agree = path.choose(3)
        before, after = self.others
        for address, word in ((w.head + NEXT, self.b), (self.b + NEXT, after), (self.b + PREV, before),
                              (before + NEXT, self.b if self.agree != 1 else after),
                              (after + PREV, self.b if self.agree != 2 else before)):
            self.m.put(address, word, "link")
        self.m.put(self.b, header(MIN_BLOCK, w.owner, self.used), "header of b")

    def enter(self, b: Any, count: Any) -> list[Any]:
        """It begins with the first."""
        self.path.claim("a_free_list_is_walked_from_its_first", lambda: b == self.b and count == self.count)
        return [self.b if self.path.choose(2) else self.w.head, self.left]

    def again(self, b: Any, count: Any) -> None:
        """One fewer may come, and the next is next."""
        self.path.claim("a_listed_block_is_counted_once", lambda: b == self.others[1] and count == self.left - 1)
        raise Over


def free_list(source: Any, path: Any) -> None:
    """Any block on any list: free or not, linked both ways or not, while any number may still come."""
    walk = Listing(path)
    m, answers = walk.m, []

    def run() -> None:
        try:
            answers.append(cut(source.verify.verify_list, walk)(m, walk.w.head, walk.count))
        except Over:
            answers.append(None)

    code = aborts(m, run, walk.b + PAYLOAD)
    if answers and answers[0] is not None:
        path.claim("a_free_list_that_ends_says_how_many_lack", lambda: answers[0] == walk.left and code == 0)
    else:
        path.claim("a_listed_block_that_breaks_a_clause_is_named", lambda: code == code_of(
            ("FREE_LIST_IS_LINKED_BOTH_WAYS", walk.agree == 0),
            ("FREE_LIST_IS_EXACTLY_THE_FREE_BLOCKS", bool(not walk.used and walk.left > 0))))


class Emptying:
    """The loop over a bin, cut: any block is on top of what is left of it, or nothing is."""

    def __init__(self, path: Any) -> None:
        self.path, self.w = path, Window(path)
        self.m, w = self.w.m, self.w
        self.size, self.total, self.used = a_size(path), a_size(path, "total"), path.choose(2)
        self.p, self.slot = w.span("b", MIN_BLOCK) + PAYLOAD, w.span("bin", 2 * WORD)
        self.marked, self.counted = path.choose(2), path.choose(2)
        self.m.put(self.p - PAYLOAD, header(self.size, w.index, self.used), "header of b")
        self.rest, count = a_stack(path)
        if self.marked:
            let_wait(self.m, self.p, self.rest)
        else:
            show_nothing(path, self.m, self.p)
        self.word = self.p + ((count + 2 - self.counted) << 48)
        self.m.put(self.slot, self.word, "bin")
        key_of(self.m)

    def enter(self, word: Any) -> list[Any]:
        """It begins with the top."""
        self.path.claim("a_bin_is_walked_from_its_top", lambda: word == self.word)
        return [self.word if self.path.choose(2) else 0]

    def again(self, word: Any) -> None:
        """What is below is next."""
        self.path.claim("a_bin_is_walked_to_its_end", lambda: word == self.rest)
        raise Over


def one_bin(source: Any, path: Any) -> None:
    """Any block in any bin: of its size or not, used or not, marked or not, counted or not."""
    walk = Emptying(path)
    m, ended = walk.m, []

    def run() -> None:
        try:
            cut(source.verify.verify_bin, walk)(m, walk.slot, walk.total)
            ended.append(1)
        except Over:
            pass

    code = aborts(m, run, walk.p)
    if not ended:
        path.claim("a_block_in_a_bin_that_breaks_a_clause_is_named", lambda: code == code_of(
            ("BINS_HOLD_BLOCKS_OF_THEIR_SIZE", bool(walk.size == walk.total + longer(source)) and walk.used == 1),
            ("STACKS_COUNT_THEIR_BLOCKS", bool(walk.marked and walk.counted))))


def everything(source: Any, path: Any) -> None:
    """The whole walk, by its parts."""
    w, done = Window(path), []
    with replaced(source.verify, verify_cache=lambda m: done.append("cache"),
                  verify_arena=lambda m, arena: done.append(arena), verify_mappings=lambda m: done.append("mappings")):
        source.verify.verify(w.m)
    arenas = [w.statics + STATICS["arenas"] + ARENA_BYTES * index for index in range(MAX_ARENAS)]
    path.claim("all_of_a_heap_is_checked", lambda: done[0] == "cache" and done[-1] == "mappings"
               and len(done) == MAX_ARENAS + 2 and all(bool(one == other) for one, other in zip(
                   done[1:-1], arenas, strict=True)) and only(w.m))


class Summing:
    """The loop over the regions, cut: any region of up to two blocks is next, or none; so much was found before."""

    def __init__(self, path: Any, name: str) -> None:
        self.path, self.w, self.name = path, Window(path), name
        self.m, w = self.w.m, self.w
        self.m.most_unknown = 0                 # a walk past the region's blocks, or before them, refutes
        self.blocks = [(a_size(path), path.choose(2)) for _ in range(path.choose(3))]
        self.record = w.span("region", sum((size for size, _ in self.blocks), FIRST_BLOCK + ALIGN))
        b = self.record + FIRST_BLOCK
        for size, used in (*self.blocks, (0, 1)):
            self.m.put(b, header(size, w.index, used), "header")
            b = b + size
        self.older, self.before = path.word("older", 1 << 20, 1 << 40), path.word("before", 0, TOTALS)
        self.m.put(self.record + REGION["next"], self.older, "next")
        self.m.put(w.at("regions"), self.record, "regions")
        self.is_free, self.of_each = bool(path.choose(2)), (lambda size: size) if name == "bytes" else (lambda _: 1)

    def enter(self, region: Any, **found: Any) -> list[Any]:
        """It begins with the newest region."""
        [[name, found_]] = found.items()
        self.path.claim(f"{self.name}_are_walked_from_the_newest_region", lambda: region == self.record and found_ == 0)
        there = self.record if self.path.choose(2) else 0
        return [word for _, word in sorted({name: self.before, "region": there}.items())]

    def again(self, region: Any, **found: Any) -> None:
        """What the region has of them was added; the older is next."""
        [found_] = found.values()
        more = sum(self.of_each(size) for size, used in self.blocks if used != self.is_free)
        self.path.claim(f"{self.name}_of_each_region_are_added", lambda: region == self.older
                        and found_ == self.before + more and only(self.m))
        raise Over


def walked(name: str) -> Body:
    """Any regions, of up to two blocks each, one at a time."""
    def body(source: Any, path: Any) -> None:
        loop = Summing(path, name)
        try:
            found = cut(getattr(source.verify, f"walked_{name}"), loop)(loop.m, loop.w.arena, loop.is_free)
        except Over:
            return
        path.claim(f"{name}_that_were_walked_are_answered", lambda: found == loop.before and only(loop.m))

    return body


PROOFS = (
    *(Proof(f"verify.walked_{name}", "regions of up to 2 blocks", walked(name), more={
        f"{name}_are_walked_from_the_newest_region": "it begins with the newest region",
        f"{name}_of_each_region_are_added": "each turn adds what a region has of them, and goes on to the older",
        f"{name}_that_were_walked_are_answered": "at the end the sum is answered"}) for name in ("bytes", "blocks")),
    Proof("verify.verify_block", ANY_HEAP, block, more={
        "a_block_that_breaks_a_clause_is_named": "it aborts with the clause that the block breaks, and only then"}),
    Proof("verify.verify_region", ANY_HEAP, region, more={
        "a_region_is_walked_from_its_first_block": "it begins with the first block",
        "each_block_is_checked_beside_its_left": "each turn checks a block beside the one before, and goes on",
        "a_block_that_does_not_tile_is_named": "it aborts on a size that is not legal, or that leaves the region"}),
    Proof("verify.verify_region", ANY_HEAP, region_end, more={
        "a_region_that_does_not_end_as_it_must_is_named": "after its last block comes its fence; the top ends at "
                                                          "the break"}, suffix="_to_its_end"),
    Proof("verify.verify_ledger", ANY_HEAP, ledger, more={
        "totals_that_no_walk_finds_are_named": "it aborts if any total is another than the walk's, and only then"}),
    Proof("verify.verify_mapped", ANY_HEAP, mapped, more={
        "a_mapped_block_that_does_not_fit_is_named": "it aborts if the block does not fit its mapping, and only then"}),
    Proof("verify.verify_list", ANY_HEAP, free_list, more={
        "a_free_list_is_walked_from_its_first": "it begins with the first",
        "a_listed_block_is_counted_once": "each turn counts a block, and goes on to the next",
        "a_listed_block_that_breaks_a_clause_is_named": "it aborts on a block that is not free, not linked both "
                                                        "ways, or one too many",
        "a_free_list_that_ends_says_how_many_lack": "at the end it answers how many are lacking"}),
    Proof("verify.verify_bin", ANY_HEAP, one_bin, more={
        "a_bin_is_walked_from_its_top": "it begins with the top",
        "a_bin_is_walked_to_its_end": "each turn goes on to what is below",
        "a_block_in_a_bin_that_breaks_a_clause_is_named": "it aborts on a block of another size, free, not marked, or "
                                                          "not counted, and only then"}),
    Proof("verify.verify", ANY_HEAP, everything, more={
        "all_of_a_heap_is_checked": "the thread's bins, each arena and the mapped blocks, once each"}),
)
