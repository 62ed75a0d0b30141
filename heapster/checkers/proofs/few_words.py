"""Functions of few words: what bits, marks, seals and places are, and who is asked with the words as they are."""

from functools import partial
from typing import Any

from heapster.checkers.proofs import ALL_WORDS, ANY_HEAP, BITS, INTEGERS, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.calls import CALLOC, ENOMEM
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ALL_CHECKSUM_BITS,
    ARENA_BYTES,
    CHECKSUM,
    CLASS,
    DOUBLE_FREE,
    FENCE_BYTES,
    FENCE_REGION,
    LAYOUT,
    MAX_ARENAS,
    MIN_BLOCK,
    MMAP,
    MOST,
    PAGE,
    SBRK,
    STATICS,
    USED,
    WORD,
    a_block,
    a_size,
    header,
    mapped_header,
    only,
    put_mapped,
    seal,
)
from heapster.checkers.proofs.local_heap import Window
from heapster.checkers.proofs.notes import Notes, or_null
from heapster.checkers.proofs.settings_read import AnyStack
from heapster.machine.symbolic import HIGHEST, LOWEST

FREE = 4                        # a kind of calls


# Bits of headers.

def is_intact(source: Any, path: Any) -> None:
    """Each word as a header."""
    m, b, word = path.machine(), a_block(path), path.word("word")
    path.claim("a_header_is_intact_by_its_checksum", lambda: bool(source.block.is_intact(m, b, word)) == bool(
        word & ALL_CHECKSUM_BITS == CHECKSUM) and only(m))


def is_plain(source: Any, path: Any) -> None:
    """Each word as a header."""
    m, b, word = path.machine(), a_block(path), path.word("word")
    path.claim("a_plain_block_is_used_and_intact", lambda: bool(source.block.is_plain(m, b, word)) == bool(
        word & LAYOUT["PLAIN_BITS"] == USED and word & ALL_CHECKSUM_BITS == CHECKSUM) and only(m))


def flags(name: str, source: Any, path: Any) -> None:
    """A block that is used or free, beside one that is."""
    m, b, used, left_used = path.machine(), a_block(path), path.choose(2), path.choose(2)
    m.put(b, header(a_size(path), 0, used, left_used), "header of b")
    told = getattr(source.block, name)(m, b)
    path.claim(f"{name}_by_its_flag", lambda: bool(told) != bool(used if name == "is_free" else left_used) and only(m))


def seal_of(source: Any, path: Any) -> None:
    """Each mapped block, used or free, with any lead."""
    w, lead, head = Window(path), path.word("lead", 40, MOST, ALIGN, 8), mapped_header(
        path.word("length", PAGE, MOST, PAGE), path.choose(2))
    b = w.span("b", MIN_BLOCK)
    put_mapped(w.m, b, lead, head)
    path.claim("a_seal_is_of_the_key_the_place_and_both_words", lambda: source.mapping.seal_of(w.m, b) == seal(
        w.m, b, lead, head) and only(w.m))


# Stacks.

def count(source: Any, path: Any) -> None:
    """Any stack."""
    w = AnyStack(path)
    path.claim("a_stack_counts_its_blocks", lambda: source.stack.count(w.led) == w.count and only(w.m))


def set_below(source: Any, path: Any) -> None:
    """Any payload on any stack."""
    w = AnyStack(path)
    source.stack.set_below(w.m, w.p, w.led)
    path.claim("a_block_leads_to_the_stack_below_it", lambda: w.m.load(w.p) == w.led
               and w.m.load(w.p + WORD) == w.key - w.led - w.p and only(w.m, w.p, w.p + WORD))


def marks(name: str, source: Any, path: Any) -> None:
    """A payload with any link, and a mark that agrees with it or is any other."""
    w = AnyStack(path)
    agreeing = w.key - w.led - w.p
    mark = agreeing if path.choose(2) else path.word("mark", -MOST, MOST)
    w.m.put(w.p, w.led, "link")
    w.m.put(w.p + WORD, mark, "mark")
    told = getattr(source.stack, name)(w.m, w.p)
    path.claim(f"{name}_by_what_agrees_with_key_link_and_place", lambda: bool(told) == bool(
        mark == agreeing and (name == "is_still_marked" or mark < 0)) and only(w.m))


# Places, and what is set.

def map_bit(source: Any, path: Any) -> None:
    """Each class."""
    index = path.choose(CLASS["count"])
    path.claim("a_class_has_a_bit_in_its_word", lambda: source.classes.map_bit(index) == 1 << index % CLASS["bits"])


def arena_at(source: Any, path: Any) -> None:
    """Each arena."""
    s, index = path.word("statics", LOWEST, HIGHEST, ALIGN), path.word("index", 0, MAX_ARENAS - 1)
    path.claim("arenas_lie_side_by_side", lambda: source.settings.arena_at(s, index) == (
        s + STATICS["arenas"] + ARENA_BYTES * index))


def attached_at(source: Any, path: Any) -> None:
    """Each arena."""
    s, index = path.word("statics", LOWEST, HIGHEST, ALIGN), path.word("index", 0, MAX_ARENAS - 1)
    path.claim("counts_of_threads_lie_side_by_side", lambda: source.settings.attached_at(s, index) == (
        s + STATICS["attached"] + WORD * index))


def or_default(source: Any, path: Any) -> None:
    """Each two words."""
    word, default = path.word("word"), path.word("default")
    path.claim("what_is_not_set_is_the_default", lambda: source.settings.or_default(word, default) == (
        default if word == 0 else word))


def set_hardened(source: Any, path: Any) -> None:
    """Each word."""
    w, word = Window(path), path.word("hardened")
    place = w.statics + STATICS["hardened"]
    source.settings.set_hardened(w.m, word)
    path.claim("a_heap_is_hardened_by_any_word_but_0", lambda: w.m.load(place) == (0 if word == 0 else -1)
               and only(w.m, place))


def least(source: Any, path: Any) -> None:
    """Each two words."""
    a, b = path.word("a"), path.word("b")
    result = source.malloc.least(a, b)
    path.claim("the_lesser_of_two_is_answered", lambda: result == (a if a < b else b))


def list_for(source: Any, path: Any) -> None:
    """A free block of any size, on the only list or on that of its class."""
    w, notes, size = Window(path, segregated=bool(path.choose(2))), Notes(), a_size(path)
    index, head, b = path.word("class", 0, CLASS["count"] - 1), a_block(path, "head"), w.span("b", MIN_BLOCK)
    w.m.put(b, header(size, w.owner, 0), "header of b")
    divided = w.m.load(w.at("segregated")) != 0

    def class_of(asked: Any) -> Any:
        """See `impl.classes.class_of`."""
        return index if asked == size else w.m.broken("the class of another size is asked for")

    with replaced(source.freelist, class_of=class_of, **notes.answering(open_class=head)):
        found = source.freelist.list_for(w.m, w.arena, b)
    path.claim("a_free_block_belongs_on_the_list_of_its_class", lambda: only(w.m) and (
        found == head and notes.are(("open_class", w.arena, index)) if divided else found == w.head and not notes.done))


def out_of_memory(source: Any, path: Any) -> None:
    """At any time."""
    m = path.machine()
    answer = source.malloc.out_of_memory(m)
    path.claim("who_has_no_memory_says_so", lambda: answer == 0 and m.errno == ENOMEM and only(m))


# Who is asked.

def calloc_slow(source: Any, path: Any) -> None:
    """Each request, whatever is placed, in a heap that is hardened or not."""
    m, notes, request, p = path.machine(), Notes(), path.word("request"), or_null(path, "placed")
    hardened = bool(path.choose(2))
    with replaced(source.api, is_hardened=lambda _: hardened, **notes.answering(malloc_slow=p, zero_payload=0)):
        answer = source.api.calloc_slow(m, request)
    zeroed = [("zero_payload", p)] * (not hardened and p != 0)
    path.claim("what_is_placed_for_calloc_is_made_zero", lambda: bool(answer == p) and only(m) and notes.are(
        ("malloc_slow", request, ALIGN, CALLOC), *zeroed))


def free_other(source: Any, path: Any) -> None:
    """NULL, or any payload."""
    m, notes, p = path.machine(), Notes(), or_null(path, "p")
    with replaced(source.api, **notes.answering(free_slow=0)):
        source.api.free_other(m, p)
    path.claim("null_is_freed_by_nobody", lambda: only(m) and notes.are(
        *[("free_slow", p, FREE)] * (p != 0)))


def check_stated(source: Any, path: Any) -> None:
    """Any payload, any request and alignment, in a heap that is hardened or not."""
    m, notes, p, word = path.machine(), Notes(), a_block(path, "p"), path.word("header")
    request, alignment, stated = path.word("request"), path.word("alignment"), path.word("stated")
    hardened = bool(path.choose(2))
    with replaced(source.api, is_hardened=lambda _: hardened, **notes.answering(
            check_asked_hardened=0, stated_alignment=stated, header_of=word, check_asked=0)):
        source.api.check_stated(m, p, request, alignment)
    path.claim("what_is_stated_is_checked_by_the_kind_of_heap", lambda: only(m) and notes.are(*(
        [("stated_alignment", p, alignment), ("check_asked_hardened", p, request, stated)] if hardened else
        [("header_of", p, DOUBLE_FREE), ("check_asked", p, word, request, alignment)])))


def valloc(source: Any, path: Any) -> None:
    """Each request."""
    m, notes, request, p = path.machine(), Notes(), path.word("request"), or_null(path, "placed")
    with replaced(source.api, **notes.answering(aligned_alloc=p)):
        answer = source.api.valloc(m, request)
    path.claim("valloc_aligns_to_a_page", lambda: bool(answer == p) and only(m) and notes.are(
        ("aligned_alloc", PAGE, request)))


def grow_by_mmap(source: Any, path: Any) -> None:
    """Each length, whatever the system answers."""
    w, notes, length, b = Window(path), Notes(), path.word("length", PAGE, MOST, PAGE), a_block(path)
    with replaced(source.region, **notes.answering(new_region=b)):
        answer = source.region.grow_by_mmap(w.m, w.arena, length)
    [call] = w.m.calls
    refused = bool(call.answer == -1)
    path.claim("a_mapping_becomes_a_region", lambda: only(w.m) and call.arguments == (length,) and bool(
        answer == (0 if refused else b)) and notes.are(
            *[] if refused else [("new_region", w.arena, call.answer, length, MMAP)]))


def grow_by_sbrk(source: Any, path: Any) -> None:
    """An arena with a top or none, whose break is where it was left or not, whatever the system answers."""
    w, notes, length, b = Window(path), Notes(), path.word("length", PAGE, MOST, PAGE), a_block(path)
    top, newest, brk = or_null(path, "top"), a_block(path, "newest"), path.word("break", LOWEST, HIGHEST, ALIGN)
    mapped, extended = or_null(path, "mapped"), a_block(path, "extended")
    for name, word in (("top", top), ("regions", newest), ("break", brk)):
        w.m.put(w.at(name), word, name)
    w.m.brk = brk if path.choose(2) else None
    with replaced(source.region, **notes.answering(grow_by_mmap=mapped, extend_top=extended, new_region=b)):
        answer = source.region.grow_by_sbrk(w.m, w.arena, length)
    [call] = w.m.calls
    if call.answer == -1:
        path.claim("where_the_break_stays_memory_is_mapped", lambda: only(w.m) and bool(answer == mapped)
                   and notes.are(("grow_by_mmap", w.arena, length)))
    elif top != 0 and call.answer == brk:
        path.claim("the_top_grows_where_it_ends_at_the_break", lambda: only(w.m) and bool(answer == extended)
                   and notes.are(("extend_top", w.arena, length)))
    else:
        path.claim("what_a_foreigner_parts_is_a_new_top", lambda: bool(answer == b) and notes.are(
            ("new_region", w.arena, call.answer, length, SBRK)) and w.m.load(w.at("top")) == newest
            and w.m.load(w.at("break")) == call.answer + length and only(w.m, w.at("top"), w.at("break")))


def settle(source: Any, path: Any) -> None:
    """A block that ends before another, or at the fence of the top or of another region, which may go or not."""
    w, notes, size = Window(path), Notes(), a_size(path)
    freed, whole, extra = a_block(path, "freed"), w.span("b", MIN_BLOCK), path.word("extra", 0, MOST, PAGE)
    fence, region, at_end = whole + size, a_block(path, "region"), path.choose(2)
    path.require(fence + FENCE_BYTES, "<=", HIGHEST)
    w.reserve(fence, FENCE_BYTES)
    w.m.put(whole, header(size, w.owner, 0), "header of b")
    w.m.put(fence, header(0 if at_end else a_size(path, "right"), w.owner), "header of the right")
    w.m.put(fence + FENCE_REGION, region, "region of the fence")
    w.m.put(w.at("top"), region if path.choose(2) else 0, "top")
    may, went = bool(path.choose(2)), bool(path.choose(2))
    with replaced(source.region, **notes.answering(
            coalesce=whole, surplus=extra, trim_top=0, may_drop=may, drop_region=went, link=0)):
        source.region.settle(w.m, w.arena, freed)
    asked: list[tuple[Any, ...]] = [("coalesce", w.arena, freed)]
    if at_end and w.m.load(w.at("top")) == region:
        asked += [("surplus", w.arena, whole), ("trim_top", w.arena, whole, extra)]
    elif at_end:
        asked += [("may_drop", w.arena, region, whole), *[("drop_region", w.arena, region)] * may]
    is_gone = len(asked) == 3 and asked[-1][0] == "drop_region" and went
    path.claim("what_settles_is_whole_and_listed_unless_its_region_goes", lambda: only(w.m) and notes.are(
        *asked, *[] if is_gone else [("link", w.arena, whole)]))


def _proof(of: str, bound: str, body: Any, theorem: str, claim: str, *encodings: str) -> Proof:
    return Proof(of, bound, body, more={theorem: claim}, encodings=encodings or (INTEGERS,))


PROOFS = (
    _proof("block.is_intact", ALL_WORDS, is_intact, "a_header_is_intact_by_its_checksum", "no word changes",
           INTEGERS, BITS),
    _proof("block.is_plain", ALL_WORDS, is_plain, "a_plain_block_is_used_and_intact",
           "and of no mapping, lost arena or size that bins do not have", BITS),
    *(_proof(f"block.{name}", ANY_HEAP, partial(flags, name), f"{name}_by_its_flag", "no word changes")
      for name in ("is_free", "left_is_free")),
    _proof("mapping.seal_of", ANY_HEAP, seal_of, "a_seal_is_of_the_key_the_place_and_both_words",
           "the key less the place, the header without its checksum, and the lead"),
    _proof("stack.count", ANY_HEAP, count, "a_stack_counts_its_blocks", "in the upper bits of its word"),
    _proof("stack.set_below", ANY_HEAP, set_below, "a_block_leads_to_the_stack_below_it",
           "and is marked; no other word changes"),
    *(_proof(f"stack.{name}", ANY_HEAP, partial(marks, name), f"{name}_by_what_agrees_with_key_link_and_place",
             "true exactly of a mark that does; no word changes") for name in ("is_marked", "is_still_marked")),
    _proof("classes.map_bit", ALL_WORDS, map_bit, "a_class_has_a_bit_in_its_word", "by its place there"),
    _proof("settings.arena_at", ALL_WORDS, arena_at, "arenas_lie_side_by_side", "their records, by their indices"),
    _proof("settings.attached_at", ALL_WORDS, attached_at, "counts_of_threads_lie_side_by_side",
           "a word for each arena"),
    _proof("settings.or_default", ALL_WORDS, or_default, "what_is_not_set_is_the_default", "0 is what is not set"),
    _proof("settings.set_hardened", ALL_WORDS, set_hardened, "a_heap_is_hardened_by_any_word_but_0",
           "no other word changes"),
    _proof("malloc.least", ALL_WORDS, least, "the_lesser_of_two_is_answered", "as signed words"),
    _proof("freelist.list_for", ANY_HEAP, list_for, "a_free_block_belongs_on_the_list_of_its_class",
           "or on the only one"),
    _proof("malloc.out_of_memory", ALL_WORDS, out_of_memory, "who_has_no_memory_says_so", "NULL and ENOMEM"),
    _proof("api.calloc_slow", ALL_WORDS, calloc_slow, "what_is_placed_for_calloc_is_made_zero",
           "unless it is of a hardened heap, which zeroes what is freed"),
    _proof("api.free_other", ALL_WORDS, free_other, "null_is_freed_by_nobody", "anything else by free_slow"),
    _proof("api.check_stated", ALL_WORDS, check_stated, "what_is_stated_is_checked_by_the_kind_of_heap",
           "as it was stated"),
    _proof("api.valloc", ALL_WORDS, valloc, "valloc_aligns_to_a_page", "aligned_alloc is asked, and answers"),
    _proof("region.grow_by_mmap", ANY_HEAP, grow_by_mmap, "a_mapping_becomes_a_region",
           "of the whole length; NULL where the system refuses"),
    Proof("region.grow_by_sbrk", ANY_HEAP, grow_by_sbrk, more={
        "where_the_break_stays_memory_is_mapped": "of the same length, where sbrk is refused",
        "the_top_grows_where_it_ends_at_the_break": "by the length",
        "what_a_foreigner_parts_is_a_new_top": "which ends at the new break; no other word changes"}),
    _proof("region.settle", ANY_HEAP, settle, "what_settles_is_whole_and_listed_unless_its_region_goes",
           "the top gives back what it can spare, another region goes if it may and the system takes it"),
)
