"""Regions: joining neighbours, growing, giving back. What is proved of `impl/region.py`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from heapster.checkers.proofs import ALL_WORDS, ANY_HEAP, BITS, INTEGERS, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ALL_SIZE_BITS,
    CORRUPT_HEADER,
    FENCE_BYTES,
    FENCE_REGION,
    FIRST_BLOCK,
    FOOTER,
    MAX_REQUEST,
    MIN_BLOCK,
    MMAP,
    MOST,
    PAGE,
    PAYLOAD,
    REGION,
    STATICS,
    TOTALS,
    USED,
    a_block,
    a_size,
    aborts,
    header,
    only,
)
from heapster.checkers.proofs.local_heap import Window
from heapster.machine.symbolic import HIGHEST, LOWEST


def fence_before(source: Any, path: Any) -> None:
    """For each end of a region."""
    end = path.word("end", LOWEST, HIGHEST)
    fence = source.region.fence_before(end)
    path.claim("after_a_fence_payloads_would_be_aligned", lambda: fence + PAYLOAD & ALIGN - 1 == 0)
    path.claim("a_fence_ends_the_region", lambda: end - (fence + FENCE_BYTES) >= 0
               and end - (fence + FENCE_BYTES) < ALIGN)


class Around:
    """A block in its window: free or used neighbours, and any free list through those that are free."""

    def __init__(self, path: Any, used: int = 1) -> None:
        w = self.w = Window(path)
        self.left_free, self.right_free = path.choose(2), path.choose(2)
        self.size, self.owner = a_size(path), w.owner
        self.left_size = a_size(path, "left_size") if self.left_free else 0
        self.right_size = a_size(path, "right_size", 0 if not self.right_free else MIN_BLOCK)
        self.whole = w.span("left" if self.left_free else "b", self.left_size + self.size + self.right_size + 24)
        self.b = self.whole + self.left_size
        self.right = self.b + self.size
        self.end = self.right + (self.right_size if self.right_free else 0)
        w.m.put(self.b, header(self.size, self.owner, used, 1 - self.left_free), "header of b")
        if self.left_free:
            w.free_block(self.whole, self.left_size, "the left")
        if self.right_free:
            w.m.put(self.right, header(self.right_size, self.owner, 0, used), "header of the right")
            w.m.put(self.end + FOOTER, self.right_size, "footer of the right")
        self.last = path.word("last", 0, TOTALS, ALIGN) + USED
        w.m.put(self.end, self.last + (0 if self.right_free else 2 * used), "header after the whole")

    def list_free(self, path: Any) -> None:
        """Put the free neighbours on the list in either order, and the cursor anywhere."""
        free = [self.whole] * self.left_free + [self.right] * self.right_free
        if len(free) == 2 and path.choose(2):
            free.reverse()
        self.w.listed(free)
        self.free, self.cursor = free, [*free, path.word("cursor", 0, TOTALS)][path.choose(len(free) + 1)]
        if not any(self.cursor is b for b in free):
            for b in free:
                path.apart(self.cursor, 1, b, 1)
        self.w.m.put(self.w.at("cursor"), self.cursor, "cursor")
        self.follows = self.cursor
        while any(self.follows is b for b in free):
            self.follows = self.w.after(self.follows)

    @property
    def total(self) -> Any:
        """Bytes of the block and its free neighbours."""
        return self.end - self.whole


def coalesce(source: Any, path: Any) -> None:
    """Each pattern of neighbours, each place on the list that they can have."""
    a = Around(path, used=path.choose(2))
    w, m = a.w, a.w.m
    free_bytes, free_blocks = w.word("free_bytes"), w.word("free_blocks")
    a.list_free(path)
    known = w.links()
    result = source.region.coalesce(m, w.arena, a.b)
    w.without(*a.free)
    absorbed = a.total - a.size
    path.claim("joining_conserves_bytes", lambda:
               result == a.whole and m.load(result) & (1 << 48) - 16 == a.total)
    path.claim("the_whole_has_no_free_neighbour", lambda: m.load(result) == header(a.total, a.owner, 0, 1))
    path.claim("header_and_footer_of_the_whole_agree", lambda: m.load(a.end + FOOTER) == a.total)
    path.claim("the_right_knows_of_the_whole", lambda: m.load(a.end) == a.last)
    path.claim("absorbed_blocks_leave_the_list", lambda: w.is_linked()
               and (not a.left_free or m.load(a.b) & USED == 0)
               and m.load(w.at("cursor")) == a.follows)
    path.claim("joining_counts_what_was_absorbed", lambda:
               m.load(w.at("free_bytes")) == free_bytes - absorbed
               and m.load(w.at("free_blocks")) == free_blocks - len(a.free))
    path.claim("joining_writes_tags_and_links_alone", lambda: only(
        m, a.b, result, a.end, a.end + FOOTER, w.at("cursor"), w.at("free_bytes"), w.at("free_blocks"), *known,
        *w.links()))


def left_neighbour(source: Any, path: Any) -> None:
    """A block whose left neighbour is free."""
    a = Around(path)
    if not a.left_free:
        return
    result = source.region.left_neighbour(a.w.m, a.b)
    path.claim("the_left_neighbour_ends_here", lambda: result + a.left_size == a.b)
    path.claim("the_left_neighbour_is_free", lambda: a.w.m.load(result) & USED == 0)


def left_neighbour_noticing(source: Any, path: Any) -> None:
    """Any footer, and any header in memory where it leads."""
    m, b = path.machine(), a_block(path)
    footer, word = path.word("footer"), path.word("word")
    m.put(b + FOOTER, footer, "footer")
    leads = footer >= MIN_BLOCK and footer & ALIGN - 1 == 0 and footer <= b
    if leads:
        path.require(footer, "<=", b - LOWEST)
        m.put(b - footer, word, "header of the left")
    code = aborts(m, lambda: source.region.left_neighbour(m, b), b + PAYLOAD)
    path.claim("a_false_footer_aborts", lambda: code == (
        0 if leads and word & USED == 0 and word & ALL_SIZE_BITS == footer else CORRUPT_HEADER))


def new_region(source: Any, path: Any) -> None:
    """Memory from anywhere, before any list of regions."""
    w = Window(path)
    m, kind = w.m, 1 + path.choose(2)
    held, newest, newest_is_null = w.word("held"), 0, bool(path.choose(2))
    if not newest_is_null:
        newest = path.word("newest", LOWEST, HIGHEST, ALIGN)
        w.reserve(newest, FIRST_BLOCK)
    m.put(w.at("regions"), newest, "newest region")
    start, length = path.word("start", LOWEST, HIGHEST), path.word("length", 88 + MIN_BLOCK, MOST)
    w.reserve(start, length)
    b = source.region.new_region(m, w.arena, start, length, kind)
    region = b - FIRST_BLOCK
    fence = b + (m.load(b) & ALL_SIZE_BITS)
    end = start + length
    path.claim("a_new_region_is_tiled", lambda: region & ALIGN - 1 == 0
               and start <= region and region - start < ALIGN
               and m.load(b) == header(fence - b, w.owner, 0, 1) and fence - b >= MIN_BLOCK
               and m.load(fence + FOOTER) == fence - b
               and m.load(fence) == header(0, w.owner, 1, 0) and m.load(fence + FENCE_REGION) == region
               and fence + FENCE_BYTES <= end and end - fence - FENCE_BYTES < ALIGN)
    path.claim("a_new_region_is_held", lambda: m.load(w.at("held")) == held + length)
    record = {"next": newest, "prev": 0, "start": start, "length": length, "kind": kind}
    path.claim("a_new_region_is_the_newest", lambda: m.load(w.at("regions")) == region
               and all(m.load(region + REGION[name]) == word for name, word in record.items())
               and (newest_is_null or m.load(newest + REGION["prev"]) == region))
    path.claim("a_new_region_writes_no_other_word", lambda: only(
        m, w.at("held"), w.at("regions"), b, fence + FOOTER, fence, fence + FENCE_REGION,
        *(region + place for place in REGION.values()), *([] if newest_is_null else [newest + REGION["prev"]])))


class Top(NamedTuple):
    """The end of a top region."""

    fence: Any
    end: Any
    region: Any
    length: Any
    held: Any
    brk: Any


def top_of(w: Window, path: Any, b: Any, fence: Any, fence_header: Any) -> Top:
    """A top region whose fence is this, and where the break was left."""
    m = w.m
    end = fence + FENCE_BYTES + path.word("slack", 0, ALIGN - 1)
    region = path.word("region", LOWEST, HIGHEST, ALIGN)
    w.reserve(region, FIRST_BLOCK)
    path.require(region + FIRST_BLOCK, "<=", b)
    length, held = path.word("length", 88 + MIN_BLOCK, MOST), w.word("held")
    m.put(fence, fence_header, "header of the fence")
    m.put(fence + FENCE_REGION, region, "region of the fence")
    m.put(region + REGION["length"], length, "length of the region")
    m.put(w.at("top"), region, "top")
    m.put(w.at("break"), end, "break")
    m.brk = end
    return Top(fence, end, region, length, held, w.at("break"))


def extend_top(source: Any, path: Any) -> None:
    """A top region that ends with a used or a free block, on a list of any length."""
    w = Window(path)
    m, left_free = w.m, path.choose(2)
    left_size = a_size(path, "left_size") if left_free else 0
    more = path.word("more", PAGE, MOST, PAGE)
    whole = w.span("whole", left_size + more + 40)
    fence = whole + left_size
    top = top_of(w, path, whole, fence, header(0, w.owner, 1, 1 - left_free))
    free_bytes, free_blocks = w.word("free_bytes"), w.word("free_blocks")
    w.word("cursor")
    if left_free:
        w.free_block(whole, left_size, "the last block")
    w.listed([whole] * left_free)
    known = w.links()
    result = source.region.extend_top(m, w.arena, more)
    w.without(whole)
    path.claim("the_top_reaches_to_the_new_fence", lambda: result == whole
               and m.load(result) == header(left_size + more, w.owner, 0, 1)
               and m.load(fence + more + FOOTER) == left_size + more and w.is_linked()
               and m.load(fence + more) == header(0, w.owner, 1, 0)
               and m.load(fence + more + FENCE_REGION) == top.region
               and m.load(top.region + REGION["length"]) == top.length + more
               and m.load(w.at("break")) == top.end + more)
    path.claim("extending_counts_the_length", lambda: m.load(w.at("held")) == top.held + more
               and m.load(w.at("free_bytes")) == free_bytes - left_size
               and m.load(w.at("free_blocks")) == free_blocks - left_free)
    path.claim("what_was_a_fence_names_no_region", lambda: m.load(fence + FENCE_REGION) == 0)
    path.claim("extending_writes_no_other_word", lambda: only(
        m, result, fence, fence + FENCE_REGION, fence + more, fence + more + FOOTER, fence + more + FENCE_REGION,
        top.region + REGION["length"], w.at("break"), w.at("held"), w.at("cursor"), w.at("free_bytes"),
        w.at("free_blocks"), *known, *w.links()))


def growth_of(w: Window, path: Any) -> Any:
    """A growth set by the user, or none; the growth in force."""
    is_set = path.choose(2)
    growth = path.word("growth", PAGE, MAX_REQUEST, PAGE) if is_set else 0
    w.m.put(w.statics + STATICS["growth"], growth, "growth")
    return 131072 if not is_set else growth


def grow(source: Any, path: Any) -> None:
    """Any arena, with a top region or none, whatever the system answers."""
    w = Window(path)
    m = w.m
    growth_of(w, path)
    want = path.word("want", 1, MAX_REQUEST + PAGE)
    top = None
    if path.choose(2):
        fence = w.span("fence", FENCE_BYTES)
        top = top_of(w, path, fence, fence, header(0, w.owner))
    else:
        m.put(w.at("top"), 0, "top")
        w.word("held")
    m.put(w.at("regions"), 0, "newest region")
    w.word("free_bytes"), w.word("free_blocks")
    w.listed([])
    b = source.region.grow(m, w.arena, want)
    if b == 0:
        path.claim("growth_fails_only_with_the_system", lambda: len(m.calls) > 0 and m.calls[-1].answer == -1
                   and all(call.answer == -1 for call in m.calls) and only(m))
    else:
        w.with_first(b)
        path.claim("growth_is_listed", w.is_linked)
        path.claim("growth_suffices", lambda: m.load(b) & ALL_SIZE_BITS >= want and m.load(b) & USED == 0)
        path.claim("the_top_grows_unless_the_break_was_moved", lambda: _is_at_the_break(w, top, m.calls[-1]))


def _is_at_the_break(w: Window, top: Top | None, call: Any) -> bool:
    """Whether what sbrk gave is of the old top region, or, if that ended elsewhere, of a new one."""
    if call.name != "sbrk":
        return True
    old = top.region if top and call.answer == top.end else None
    now = w.m.load(w.at("top"))
    return bool(w.m.load(w.at("break")) == call.answer + call.arguments[0]
                and now == (w.m.load(w.at("regions")) if old is None else old))


@contextmanager
def idling(source: Any, idle: Any) -> Iterator[None]:
    """So many bytes may lie idle in the arena."""
    with replaced(source.region, may_return=lambda _, __: idle):
        yield


def surplus(source: Any, path: Any) -> None:
    """Any free block, any growth, whatever may lie idle."""
    w = Window(path)
    growth = growth_of(w, path)
    idle = path.word("idle", 0, TOTALS)
    path.require(growth, "<=", idle)
    b, total = w.span("b", MIN_BLOCK), a_size(path)
    w.m.put(b, header(total, w.owner, 0, 1), "header of b")
    with idling(source, idle):
        extra = source.region.surplus(w.m, w.arena, b)
    path.claim("the_surplus_is_whole_pages", lambda: extra & PAGE - 1 == 0 and extra >= 0)
    path.claim("the_growth_stays", lambda: extra == 0 or total - extra >= growth)
    path.claim("what_may_lie_idle_stays", lambda: extra == 0 if total < idle else total - extra < growth + PAGE)


def trim_top(source: Any, path: Any) -> None:
    """Any last block of a top region, whatever the system answers."""
    w = Window(path)
    m = w.m
    total = a_size(path)
    b = w.span("b", total + 40)
    fence = b + total
    w.free_block(b, total, "b")
    top = top_of(w, path, b, fence, header(0, w.owner, 1, 0))
    extra = path.word("extra", 0, MOST, PAGE)
    path.require(extra + MIN_BLOCK, "<=", total)
    source.region.trim_top(m, w.arena, b, extra)
    lowered = [call for call in m.calls if call.arguments[0] < 0 and call.answer == top.end]
    if not lowered:
        path.claim("without_the_system_nothing_is_trimmed", lambda: only(m))
        return
    end = top.end + lowered[0].arguments[0]
    cut = top.end - end
    path.claim("a_trimmed_block_ends_at_the_fence", lambda:
               m.load(b) == header(total - cut, w.owner, 0, 1) and cut == extra and extra > 0
               and m.load(fence - cut + FOOTER) == total - cut
               and m.load(fence - cut) == header(0, w.owner, 1, 0)
               and m.load(fence - cut + FENCE_REGION) == top.region
               and m.load(w.at("break")) == end and end - (fence - cut) == top.end - fence
               and m.load(top.region + REGION["length"]) == top.length - cut)
    path.claim("trimming_counts_what_is_left", lambda: m.load(w.at("held")) == top.held - cut)


def drop_region(source: Any, path: Any) -> None:
    """Anywhere on the list of regions, whatever the system answers."""
    w = Window(path)
    m = w.m
    places = [path.word(name, LOWEST, HIGHEST, PAGE) for name in ("region", "newer", "older")]
    length = path.word("length", PAGE, MOST, PAGE)
    for place, bytes_ in zip(places, (length, PAGE, PAGE), strict=True):
        w.reserve(place, bytes_)
    has_newer, has_older = path.choose(2), path.choose(2)
    region, newer, older = places[0], places[1] if has_newer else 0, places[2] if has_older else 0
    held = w.word("held")
    for name, word in (("next", older), ("prev", newer), ("start", region), ("length", length)):
        m.put(region + REGION[name], word, name)
    for exists, address, name in ((has_newer, newer, "next"), (has_older, older, "prev")):
        if exists:
            m.put(address + REGION[name], region, name)
    m.put(w.at("regions"), region if not has_newer else path.word("newest", LOWEST, HIGHEST), "newest region")
    gone = source.region.drop_region(m, w.arena, region)
    first = w.at("regions") if not has_newer else newer + REGION["next"]
    if gone:
        path.claim("a_dropped_region_leaves_the_list", lambda: m.calls[-1].answer == 0 and m.load(first) == older
                   and (not has_older or m.load(older + REGION["prev"]) == newer)
                   and m.load(w.at("held")) == held - length
                   and m.calls[-1].arguments[0] == region and m.calls[-1].arguments[1] == length)
    else:
        path.claim("a_region_that_is_kept_stays", lambda: m.calls[-1].answer == -1 and only(m))


def may_drop(source: Any, path: Any) -> None:
    """Any region, its first block or another, whatever may lie idle."""
    w = Window(path)
    free_bytes, kind = w.word("free_bytes"), 1 + path.choose(2)
    idle = path.word("idle", 0, TOTALS)
    region, is_first = w.span("region", FIRST_BLOCK + MIN_BLOCK), path.choose(2)
    w.m.put(region + REGION["kind"], kind, "kind")
    b = region + FIRST_BLOCK if is_first else region + FIRST_BLOCK + a_size(path, "before")
    with idling(source, idle):
        may = source.region.may_drop(w.m, w.arena, region, b)
    path.claim("a_region_is_spared_while_enough_is_free", lambda: only(w.m) and bool(may) == (
        kind == MMAP and is_first == 1 and free_bytes >= idle))


PROOFS = (
    Proof("region.fence_before", ALL_WORDS, fence_before, {
        "after_a_fence_payloads_would_be_aligned": "a payload after it would be aligned",
        "a_fence_ends_the_region": "it ends at or before `end`, by less than ALIGN",
    }, encodings=(INTEGERS, BITS)),
    Proof("region.left_neighbour", ANY_HEAP, left_neighbour, {
        "the_left_neighbour_ends_here": "it ends at b",
        "the_left_neighbour_is_free": "it is free",
    }),
    Proof("region.left_neighbour", ANY_HEAP, left_neighbour_noticing, more={
        "a_false_footer_aborts": "where the footer leads to no free block of its size, it aborts; only there",
    }, suffix="_of_any_footer"),
    Proof("region.coalesce", ANY_HEAP, coalesce, {
        "joining_conserves_bytes": "sizes sum",
        "the_whole_has_no_free_neighbour": "neither neighbour of the whole is free",
        "header_and_footer_of_the_whole_agree": "header and footer agree",
        "the_right_knows_of_the_whole": "the right neighbour knows",
        "absorbed_blocks_leave_the_list": "absorbed blocks are on no list and not USED",
        "joining_counts_what_was_absorbed": "the ledger no longer counts them",
        "joining_writes_tags_and_links_alone":
            "no word outside the blocks, the list and the ledger changes",
    }),
    Proof("region.new_region", ANY_HEAP, new_region, {
        "a_new_region_is_tiled": "the block and the fence tile what alignment leaves",
        "a_new_region_is_held": "HELD_BYTES counts the length",
        "a_new_region_is_the_newest": "it is first on the list of regions",
        "a_new_region_writes_no_other_word": "no other word changes",
    }),
    Proof("region.extend_top", ANY_HEAP, extend_top, {
        "the_top_reaches_to_the_new_fence":
            "the old fence starts a block that reaches to the new one, joined with a free block before it",
        "extending_counts_the_length": "HELD_BYTES counts the length",
        "extending_writes_no_other_word": "no other word changes",
    }, more={
        "what_was_a_fence_names_no_region": "the block shows nothing of where its region begins",
    }),
    Proof("region.grow", ANY_HEAP, grow, {
        "growth_fails_only_with_the_system": "NULL only if the system refused, and then nothing has changed",
        "growth_is_listed": "else the block is first on the list",
        "growth_suffices": "it has at least want bytes",
    }, more={
        "the_top_grows_unless_the_break_was_moved": "what sbrk gives at the end of the top region makes that longer, "
                                                    "and else a new one, which is the top",
    }),
    Proof("region.surplus", ANY_HEAP, surplus, {
        "the_surplus_is_whole_pages": "a multiple of PAGE",
        "the_growth_stays": "what stays is at least the growth",
    }, more={
        "what_may_lie_idle_stays": "nothing of what may lie idle; else what stays is less than the growth and a page",
    }),
    Proof("region.trim_top", ANY_HEAP, trim_top, {
        "a_trimmed_block_ends_at_the_fence": "b ends at the fence",
        "trimming_counts_what_is_left": "HELD_BYTES counts what is left",
        "without_the_system_nothing_is_trimmed":
            "nothing changes if the system refuses or a foreigner has moved the break",
    }),
    Proof("region.may_drop", ANY_HEAP, may_drop, more={
        "a_region_is_spared_while_enough_is_free": "true exactly for a region from mmap whose first block this is, "
                                                   "where as much is free beside it as may lie idle",
    }),
    Proof("region.drop_region", ANY_HEAP, drop_region, {
        "a_dropped_region_leaves_the_list": "on success it is on no list and HELD_BYTES no longer counts it",
        "a_region_that_is_kept_stays": "else nothing changes",
    }),
)
