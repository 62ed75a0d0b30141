"""One block: rounding, packing, splitting. What is proved of `impl/block.py`."""

from typing import Any

from heapster.checkers.proofs import ALL_WORDS, ANY_HEAP, BITS, INTEGERS, Proof
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ALL_OWNER_BITS,
    CHECKSUM,
    CHECKSUM_PLACE,
    FOOTER,
    MAX_REQUEST,
    MAX_WORD,
    MIN_BLOCK,
    OWNER_PLACE,
    OWNERS,
    PAYLOAD,
    PREV_USED,
    USED,
    WORD,
    a_block,
    a_size,
    an_owner,
    header,
    only,
)

ENCODINGS = (INTEGERS, BITS)


def round_up(source: Any, path: Any) -> None:
    """For each power of two."""
    to = 1 << path.choose(63)
    n = path.word("n", 0, MAX_WORD - to)
    result = source.block.round_up(n, to)
    path.claim("rounding_gives_a_multiple", lambda: result & to - 1 == 0)
    path.claim("rounding_gives_the_least", lambda: n <= result and result - n < to)


def block_size(source: Any, path: Any) -> None:
    """For each legal request."""
    request = path.word("request", 0, MAX_REQUEST)
    want = source.block.block_size(request)
    path.claim("block_sizes_are_multiples", lambda: want & ALIGN - 1 == 0)
    path.claim("block_sizes_have_a_minimum", lambda: want >= MIN_BLOCK)
    path.claim("blocks_hold_the_request", lambda: want - WORD >= request)
    path.claim("blocks_waste_less_than_a_unit",
               lambda: want == MIN_BLOCK or want - ALIGN - WORD < request)


def payload_of_block_of(source: Any, path: Any) -> None:
    """For each address."""
    p = path.word("p", 0)
    path.claim("payload_and_header_convert_back", lambda: source.block.payload(source.block.block_of(p)) == p)


def payload(source: Any, path: Any) -> None:
    """For each address."""
    b = path.word("b", 0, 1 << 62)
    path.claim("payloads_follow_the_header", lambda: source.block.payload(b) == b + PAYLOAD)


def _parts(path: Any) -> tuple[Any, Any, Any, Any]:
    """Flags, size, owner and checksum, in its place, of any header that is not negative."""
    return (path.word("flags", 0, ALIGN - 1), path.word("size", 0, (1 << OWNER_PLACE) - ALIGN, ALIGN),
            path.word("owner", 0, OWNERS - 1), path.word("checksum", 0, (1 << 9) - 1) << CHECKSUM_PLACE)


def size_in(source: Any, path: Any) -> None:
    """For each header, put together from its parts."""
    flags, size, owner, summed = _parts(path)
    result = source.block.size_in(flags + size + (owner << OWNER_PLACE) + summed)
    path.claim("sizes_are_not_negative", lambda: result >= 0)
    path.claim("sizes_are_multiples", lambda: result & ALIGN - 1 == 0)
    path.claim("sizes_unpack", lambda: result == size)


def owner_in(source: Any, path: Any) -> None:
    """For each header, put together from its parts."""
    flags, size, owner, summed = _parts(path)
    result = source.block.owner_in(flags + size + (owner << OWNER_PLACE) + summed)
    path.claim("owners_unpack", lambda: result == owner << OWNER_PLACE)


def readers(source: Any, path: Any) -> None:
    """For each header in memory."""
    flags, size, owner, summed = _parts(path)
    b = a_block(path)
    m = path.machine()
    m.put(b, flags + size + (owner << OWNER_PLACE) + summed, "header")
    path.claim("the_size_of_a_block_is_its_headers", lambda: source.block.size(m, b) == size)
    path.claim("free_means_not_used", lambda: source.block.is_free(m, b) == (flags & USED == 0))
    path.claim("the_left_is_free_unless_prev_used",
               lambda: source.block.left_is_free(m, b) == (flags & PREV_USED == 0))


def tell_right(source: Any, path: Any, used: int, name: str) -> None:
    """For each header in memory, a fence's too."""
    right = a_block(path, "right")
    size, owner = a_size(path, low=0), an_owner(path)
    is_used, prev_used = path.choose(2), path.choose(2)
    m = path.machine()
    m.put(right, header(size, owner, is_used, prev_used), "header")
    (source.block.set_prev_used if used else source.block.clear_prev_used)(m, right)
    path.claim(f"a_block_is_told_of_{name}", lambda: m.load(right) & PREV_USED == used * PREV_USED)
    path.claim(f"telling_of_{name}_changes_no_more", lambda:
               m.load(right) == header(size, owner, is_used, used) and only(m, right))


def _header(path: Any, m: Any, b: Any, used: int | None = None) -> tuple[Any, Any, int]:
    """Put an arbitrary header at b: its size, owner and whether its left is used."""
    size, owner, prev_used = a_size(path, "old"), an_owner(path), path.choose(2)
    m.put(b, header(size, owner, path.choose(2) if used is None else used, prev_used), "header of b")
    return size, owner, prev_used


def write_used(source: Any, path: Any) -> None:
    """Over each old header."""
    b, total = a_block(path), a_size(path, "total")
    m = path.machine()
    _, owner, prev_used = _header(path, m, b)
    source.block.write_used(m, b, total)
    after = m.load(b)
    path.claim("a_used_header_states_its_size", lambda: after & ((1 << 48) - 16) == total and after & USED != 0)
    path.claim("using_a_block_keeps_owner_and_left", lambda: after == header(total, owner, 1, prev_used))
    path.claim("using_a_block_writes_its_header_alone", lambda: only(m, b))


def write_free(source: Any, path: Any) -> None:
    """Over each old header, before each right neighbour."""
    b, total = a_block(path), a_size(path, "total")
    m = path.machine()
    _, owner, _ = _header(path, m, b)
    right, right_used, right_prev = a_size(path, "right", low=0), path.choose(2), path.choose(2)
    m.put(b + total, header(right, owner, right_used, right_prev), "header of the right")
    source.block.write_free(m, b, total)
    path.claim("a_free_header_states_its_size", lambda:
               m.load(b) & ~ALL_OWNER_BITS == total + PREV_USED + CHECKSUM)
    path.claim("freeing_a_block_keeps_its_owner", lambda: m.load(b) & ALL_OWNER_BITS == owner << OWNER_PLACE)
    path.claim("a_free_block_has_a_footer", lambda: m.load(b + total + FOOTER) == total)
    path.claim("the_right_knows_of_a_free_block", lambda:
               m.load(b + total) == header(right, owner, right_used, 0))
    path.claim("freeing_a_block_writes_its_tags_alone", lambda: only(m, b, b + total + FOOTER, b + total))


def write_header(source: Any, path: Any) -> None:
    """Each header, over any other."""
    flags, size, owner, _ = _parts(path)
    b, m = a_block(path), path.machine()
    m.put(b, path.word("old"), "header of b")
    word = flags + size + (owner << OWNER_PLACE)
    source.block.write_header(m, b, word)
    path.claim("a_written_header_is_intact", lambda: source.block.is_intact(m, b, m.load(b)))
    path.claim("writing_a_header_adds_its_checksum_alone", lambda: m.load(b) == word + CHECKSUM and only(m, b))


def split(source: Any, path: Any) -> None:
    """Each used block, cut to each legal size."""
    b, want = a_block(path), a_size(path, "want")
    m = path.machine()
    old, owner, prev_used = _header(path, m, b, used=1)
    path.require(want, "<=", old)
    rest = source.block.split(m, b, want)
    size = m.load(b) & (1 << 48) - 16
    if rest == 0:
        path.claim("split_conserves_bytes", lambda: size == old)
        path.claim("split_leaves_no_stub", lambda: old - want < MIN_BLOCK)
    else:
        rest_header = m.load(rest)
        path.claim("split_conserves_bytes", lambda:
                   rest == b + want and size == want and rest_header & (1 << 48) - 16 == old - want)
        path.claim("split_leaves_no_stub", lambda: rest_header & (1 << 48) - 16 >= MIN_BLOCK)
        path.claim("the_rest_is_used_and_owned", lambda: rest_header == header(old - want, owner, 1, 1))
    path.claim("split_keeps_flags_and_owner", lambda: m.load(b) == header(size, owner, 1, prev_used))
    path.claim("split_writes_two_headers_alone", lambda: only(m, b, b + want))


PROOFS = (
    Proof("block.round_up", ALL_WORDS, round_up, {
        "rounding_gives_a_multiple": "the result is a multiple of to",
        "rounding_gives_the_least": "n <= result < n + to",
    }, encodings=(INTEGERS, BITS)),
    Proof("block.block_size", ALL_WORDS, block_size, {
        "block_sizes_are_multiples": "a multiple of ALIGN",
        "block_sizes_have_a_minimum": "at least MIN_BLOCK",
        "blocks_hold_the_request": "holds the request and a header",
        "blocks_waste_less_than_a_unit": "no smaller legal size does",
    }, encodings=ENCODINGS),
    Proof("block.payload", ALL_WORDS, payload, more={
        "payloads_follow_the_header": "the payload starts 8 bytes after the header",
    }, encodings=ENCODINGS),
    Proof("block.block_of", ALL_WORDS, payload_of_block_of, {
        "payload_and_header_convert_back": "payload(block_of(p)) == p",
    }, encodings=ENCODINGS),
    Proof("block.size_in", ALL_WORDS, size_in, {
        "sizes_are_not_negative": "0 <= result",
        "sizes_are_multiples": "a multiple of ALIGN",
        "sizes_unpack": "no flag, no owner and no checksum shows in it",
    }, encodings=ENCODINGS),
    Proof("block.owner_in", ALL_WORDS, owner_in, {
        "owners_unpack": "no flag, no size and no checksum shows in it",
    }, encodings=ENCODINGS),
    Proof("block.size", ANY_HEAP, readers, more={
        "the_size_of_a_block_is_its_headers": "the size is bits 4 to 47 of the header",
        "free_means_not_used": "is_free tells bit 0",
        "the_left_is_free_unless_prev_used": "left_is_free tells bit 1",
    }),
    Proof("block.set_prev_used", ANY_HEAP, lambda s, p: tell_right(s, p, 1, "used"), {
        "a_block_is_told_of_used": "PREV_USED is set in its header",
        "telling_of_used_changes_no_more": "nothing else changes",
    }),
    Proof("block.clear_prev_used", ANY_HEAP, lambda s, p: tell_right(s, p, 0, "free"), {
        "a_block_is_told_of_free": "PREV_USED is clear in its header",
        "telling_of_free_changes_no_more": "nothing else changes",
    }),
    Proof("block.write_header", ANY_HEAP, write_header, {
        "a_written_header_is_intact": "it is intact",
        "writing_a_header_adds_its_checksum_alone": "no other word changes",
    }),
    Proof("block.write_used", ANY_HEAP, write_used, {
        "a_used_header_states_its_size": "the header states total and USED",
        "using_a_block_keeps_owner_and_left": "owner and PREV_USED are unchanged",
        "using_a_block_writes_its_header_alone": "no other word changes",
    }, encodings=ENCODINGS),
    Proof("block.write_free", ANY_HEAP, write_free, {
        "a_free_header_states_its_size": "the header states total, PREV_USED and not USED",
        "freeing_a_block_keeps_its_owner": "the owner is unchanged",
        "a_free_block_has_a_footer": "the footer is total",
        "the_right_knows_of_a_free_block": "the right neighbour knows",
        "freeing_a_block_writes_its_tags_alone": "no other word changes",
    }, encodings=ENCODINGS),
    Proof("block.split", ANY_HEAP, split, {
        "split_conserves_bytes": "the sizes sum to the old size",
        "split_keeps_flags_and_owner": "the flags and owner of `b` are unchanged",
        "split_leaves_no_stub": "the rest is absent or at least MIN_BLOCK",
        "the_rest_is_used_and_owned": "it is used, of the same owner, and its left neighbour is used",
        "split_writes_two_headers_alone": "no other word changes",
    }, encodings=ENCODINGS),
)
