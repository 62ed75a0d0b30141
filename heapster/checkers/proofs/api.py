"""What programs call: what is proved of `impl/api.py` by itself; whole operations are in `whole`."""

from typing import Any

from heapster.checkers.proofs import ALL_WORDS, ANY_HEAP, BITS, INTEGERS, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ALL_CHECKSUM_BITS,
    ARENA_BYTES,
    CACHE,
    CHECKSUM,
    CLASS,
    INVALID_POINTER,
    LEAD,
    MAX_REQUEST,
    MAX_WORD,
    MIN_BLOCK,
    MOST,
    PAGE,
    PAYLOAD,
    STATICS,
    USE_AFTER_FREE,
    USED,
    WORD,
    a_block,
    a_size,
    aborts,
    header,
    mapped_header,
    only,
)
from heapster.checkers.proofs.local_heap import Window
from heapster.machine.symbolic import HIGHEST, LOWEST

HALF = 31       # bits of the lesser half in which the product guard takes its factors apart


def is_refused(source: Any, path: Any) -> None:
    """Each size_t, those above PTRDIFF_MAX as negative words."""
    request = path.word("request")
    refused = source.malloc.is_refused(request)
    path.claim("every_size_above_ptrdiff_max_is_refused", lambda: refused or request >= 0)
    path.claim("only_impossible_sizes_are_refused", lambda: refused == (request < 0 or request > MAX_REQUEST))


def _of_halves(path: Any, name: str) -> Any:
    """A size_t up to PTRDIFF_MAX: 2**31 times its upper half plus its lower half."""
    upper, lower = path.word(f"upper {name}", 0, (1 << 32) - 1), path.word(f"lower {name}", 0, (1 << HALF) - 1)
    return upper * (1 << HALF) + lower


def product_of_sorted(source: Any, path: Any) -> None:
    """Each pair of size_t up to PTRDIFF_MAX, the lesser first."""
    a, b = _of_halves(path, "a"), _of_halves(path, "b")
    path.require(1, "<=", a)
    path.require(a, "<=", b)
    result = source.api.product_of_sorted(a, b)
    path.claim("the_product_of_sorted_factors_is_exact", lambda: path.is_product(result, a, b, MAX_WORD))


def product(source: Any, path: Any) -> None:
    """Each pair of size_t."""
    factors = []
    for name in ("a", "b"):
        if path.choose(2):
            factors.append(path.word(name, -1 << 63, -1))
        else:
            factors.append(_of_halves(path, name))
    a, b = factors
    result = source.api.product(a, b)
    if a == 0 or b == 0:
        path.claim("the_product_guard_is_exact", lambda: result == 0)
    elif a < 0 or b < 0:
        path.claim("the_product_guard_is_exact", lambda: result == -1)
    else:
        path.claim("the_product_guard_is_exact", lambda: path.is_product(result, a, b, MAX_WORD))


def header_of(source: Any, path: Any) -> None:
    """Each payload of a used block of an arena."""
    b, size, owner = a_block(path), a_size(path), path.word("owner", 0, 63)
    m = path.machine()
    m.put(b, header(size, owner, 1, path.choose(2)), "header of b")
    word = source.malloc.header_of(m, b + PAYLOAD, USE_AFTER_FREE)
    path.claim("a_used_block_is_recognised", lambda: word == m.load(b) and only(m))
    path.claim("its_owner_is_its_arena", lambda: source.malloc.arena_of(m, word) == m.statics() + STATICS["arenas"]
               + owner * ARENA_BYTES)


def header_of_noticing(source: Any, path: Any) -> None:
    """Each pointer to memory, and each header before it."""
    p, word = path.word("p", LOWEST + ALIGN, HIGHEST), path.word("header")
    m, aligned = path.machine(), p & ALIGN - 1 == 0
    if aligned:
        m.put(p - PAYLOAD, word, "header")
    code = aborts(m, lambda: source.malloc.header_of(m, p, USE_AFTER_FREE), p)
    if not aligned or word < MIN_BLOCK or word & ALL_CHECKSUM_BITS != CHECKSUM:
        path.claim("what_is_no_payload_aborts", lambda: code == INVALID_POINTER)
    elif word & USED == 0:
        path.claim("what_is_free_aborts", lambda: code == USE_AFTER_FREE)
    else:
        path.claim("what_is_no_payload_aborts", lambda: code == 0)


def header_of_nowhere(source: Any, path: Any) -> None:
    """Each pointer to where no program has memory: of the system, of the first pages, or of no meaning."""
    places = ((-1 << 62, -ALIGN), (0, LOWEST), (HIGHEST << 2, MAX_WORD - ALIGN))
    m, p = path.machine(), path.word("p", *places[path.choose(len(places))], ALIGN)
    code = aborts(m, lambda: source.malloc.header_of(m, p, USE_AFTER_FREE), p)
    path.claim("what_no_program_has_is_not_read", lambda: code == INVALID_POINTER and not m.cells)


def usable_size(source: Any, path: Any) -> None:
    """Each used block, also one with a mapping of its own; and NULL."""
    m, b = path.machine(), a_block(path)
    if path.choose(2):
        size = a_size(path)
        m.put(b, header(size, path.word("owner", 0, 63)), "header of b")
        expected = size - PAYLOAD
    else:
        length, lead = path.word("length", PAGE, MOST, PAGE), path.word("lead", 40, MOST, ALIGN, 8)
        path.require(lead + PAYLOAD, "<=", length)
        m.put(b, mapped_header(length), "header of b")
        m.put(b + LEAD, lead, "lead of b")
        expected = length - lead - PAYLOAD
    path.claim("usable_bytes_end_with_the_block", lambda: source.api.usable_size(m, b + PAYLOAD) == expected)
    path.claim("null_has_no_usable_bytes", lambda: source.api.usable_size(m, 0) == 0)


def place_small(source: Any, path: Any) -> None:
    """Each request that caches have blocks for, each threshold, whatever the arena answers; threads keep nothing."""
    w = Window(path)
    m, thread = w.m, path.word("thread", LOWEST, HIGHEST, ALIGN)
    w.reserve(thread, CACHE["thread_bytes"])
    m.use_thread(thread)
    for place, word in ((thread, w.arena), (thread + CACHE["registered"], 0), (w.statics + STATICS["cache"], 0),
                        (w.statics + STATICS["threshold"], path.word("threshold", PAGE, MAX_REQUEST))):
        m.put(place, word, "setting")
    request, answer = path.word("request", 0, MAX_REQUEST), path.choose(2) * w.span("b", MIN_BLOCK)
    asked: list[Any] = []

    def acquire(_: Any, *words: Any) -> Any:
        asked.append(words)
        return answer

    index = path.word("class", 0, CLASS["cached"] - 1)
    m.put(thread + CACHE["bins"] + 2 * WORD * index, 0, "bin")
    with replaced(source.malloc, acquire=acquire, class_for_request=lambda _: index):
        if not source.malloc.is_small(m, request):
            return
        small = source.malloc.place_small(m, request, 0)
        large = source.malloc.place_large(m, request, ALIGN, 0)
    path.claim("small_requests_are_placed_as_large", lambda: len(asked) == 2 and all(
        one == other for one, other in zip(*asked, strict=True)) and small == large and not m.calls and only(m))


def is_power_of_two(source: Any, path: Any) -> None:
    """Each word, by its highest bit."""
    place = path.choose(65)
    if place == 64:
        path.claim("powers_of_two_are_known", lambda: source.api.is_power_of_two(-1 << 63))
    elif place == 63:
        n = path.word("n", (-1 << 63) + 1, 0)
        path.claim("no_other_negative_word_is_a_power_of_two", lambda: not source.api.is_power_of_two(n))
    else:
        n = path.word("n", 1 << place, (2 << place) - 1)
        path.claim("powers_of_two_are_known", lambda: source.api.is_power_of_two(n) == (n == 1 << place))


PROOFS = (
    Proof("malloc.is_refused", ALL_WORDS, is_refused, {
        "every_size_above_ptrdiff_max_is_refused": "true for every size_t above PTRDIFF_MAX",
    }, more={
        "only_impossible_sizes_are_refused": "true exactly above 2**46",
    }, encodings=(INTEGERS, BITS)),
    Proof("api.product", ALL_WORDS, product, {
        "the_product_guard_is_exact":
            "-1 exactly when the true product of the size_t values does not fit, else the product",
    }, encodings=(INTEGERS,)),
    Proof("api.product_of_sorted", ALL_WORDS, product_of_sorted, more={
        "the_product_of_sorted_factors_is_exact": "-1 exactly when it does not fit, else the product",
    }),
    Proof("malloc.header_of", ANY_HEAP, header_of, more={
        "a_used_block_is_recognised": "the header of a used block is answered, and nothing changes",
        "its_owner_is_its_arena": "arena_of leads to the record of the owner",
    }),
    Proof("malloc.header_of", ANY_HEAP, header_of_noticing, more={
        "what_is_no_payload_aborts": "a pointer that is not aligned, or whose header is none, aborts; no other does",
        "what_is_free_aborts": "a block that is free aborts, as what its caller says",
    }, suffix="_of_any_pointer"),
    Proof("malloc.header_of", ALL_WORDS, header_of_nowhere, more={
        "what_no_program_has_is_not_read": "a pointer to where no program has memory aborts, and nothing is read there",
    }, suffix="_of_a_pointer_to_nowhere"),
    Proof("api.usable_size", ANY_HEAP, usable_size, more={
        "usable_bytes_end_with_the_block": "from the payload to the end of the block or mapping",
        "null_has_no_usable_bytes": "0 for NULL",
    }),
    Proof("malloc.place_small", ANY_HEAP, place_small, more={
        "small_requests_are_placed_as_large": "where threads keep nothing, the arena is asked as for a large request",
    }),
    Proof("api.is_power_of_two", ALL_WORDS, is_power_of_two, more={
        "powers_of_two_are_known": "true for each power of two that a size_t can hold, false between them",
        "no_other_negative_word_is_a_power_of_two": "false for 0, and for size_t values above 2**63",
    }, encodings=(BITS,)),
)
