"""What the public calls ask of those that place blocks, and what they answer: the rest of `impl/api.py`."""

from typing import Any

from heapster.checkers.proofs import ALL_WORDS, Proof
from heapster.checkers.proofs.callee_contracts import replaced
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    CACHE,
    MAPPED,
    MAX_ARENAS,
    MAX_REQUEST,
    PAGE,
    PAYLOAD,
    STATICS,
    WORD,
    a_block,
    a_size,
    header,
    only,
)
from heapster.checkers.proofs.local_heap import Window
from heapster.machine.symbolic import HIGHEST, LOWEST

ENOMEM, EINVAL = 12, 22
CALLOC, ALIGNED = 1, 3              # kinds of calls
POWERS = (*(1 << place for place in range(63)), -1 << 63)


class Asked:
    """Something in the place of a function: what it was asked, and any answer, which may be NULL."""

    def __init__(self, path: Any, name: str, offset: int = 0) -> None:
        self.answer = a_block(path, name) + offset if path.choose(2) else 0
        self.words: list[tuple[Any, ...]] = []

    def __call__(self, _: Any, *words: Any) -> Any:
        """Note what was asked."""
        self.words.append(words)
        return self.answer

    def once(self, *words: Any) -> bool:
        """Whether it was asked for this, once."""
        return len(self.words) == 1 and all(one == other for one, other in zip(self.words[0], words, strict=True))


def is_small(source: Any, path: Any) -> None:
    """Each word as a request, each threshold."""
    w, request, threshold = Window(path), path.word("request"), path.word("threshold", PAGE, MAX_REQUEST)
    w.m.put(w.statics + STATICS["threshold"], threshold, "threshold")
    small = source.malloc.is_small(w.m, request)
    path.claim("small_is_what_caches_may_have", lambda: bool(small) == (
        request >= 0 and request <= CACHE["most_cached"] - WORD and request < threshold) and only(w.m))


def place_aligned(source: Any, path: Any) -> None:
    """Each power of two, each word as a request."""
    m, alignment, request = path.machine(), POWERS[path.choose(len(POWERS))], path.word("request")
    cached, place = Asked(path, "cached"), Asked(path, "placed")
    with replaced(source.malloc, cached=cached, place=place,
                  cached_aligned=lambda m, *words: cached(m, *words, ALIGNED)):
        p = source.malloc.place_aligned(m, alignment, request)
    legal = request >= 0 and request <= MAX_REQUEST and 0 <= alignment <= MAX_REQUEST
    wanted = (request, max(alignment, ALIGN), ALIGNED)
    if not legal:
        path.claim("what_is_refused_asks_nobody", lambda: p == 0 and not cached.words and not place.words)
    elif cached.answer != 0:
        path.claim("a_cached_block_is_aligned_too", lambda: p == cached.answer and cached.once(*wanted))
    else:
        path.claim("blocks_are_placed_as_they_are_to_be_aligned", lambda: place.once(*wanted)
                   and p == (place.answer + PAYLOAD if place.answer != 0 else 0) and only(m) and m.errno == 0)


def aligned_alloc(source: Any, path: Any) -> None:
    """A power of two or none, whatever is placed."""
    m, placed = path.machine(), Asked(path, "placed")
    power, alignment, request = path.choose(2), path.word("alignment"), path.word("request")
    with replaced(source.api, place_aligned=placed, is_power_of_two=lambda _: bool(power)):
        p = source.api.aligned_alloc(m, alignment, request)
    path.claim("aligned_alloc_says_why_it_fails", lambda: m.errno == (
        EINVAL if not power else 0 if placed.answer != 0 else ENOMEM))
    path.claim("aligned_alloc_answers_what_is_placed", lambda: only(m) and (
        placed.once(alignment, request) and p == placed.answer if power else p == 0 and not placed.words))


def posix_memalign(source: Any, path: Any) -> None:
    """A power of two or none, whatever is placed; where the address goes, anything lies."""
    m, placed, out = path.machine(), Asked(path, "placed"), path.word("out", LOWEST, HIGHEST, WORD)
    power, alignment, request = path.choose(2), path.word("alignment"), path.word("request")
    with replaced(source.api, place_aligned=placed, is_power_of_two=lambda _: bool(power)):
        code = source.api.posix_memalign(m, out, alignment, request)
    if not power or alignment & WORD - 1 != 0:
        path.claim("posix_memalign_says_why_it_fails", lambda: code == EINVAL and not placed.words)
    else:
        path.claim("posix_memalign_says_why_it_fails", lambda: placed.once(alignment, request)
                   and code == (0 if placed.answer != 0 else ENOMEM))
    path.claim("posix_memalign_leaves_errno_and_the_rest", lambda: m.errno == 0 and (
        m.load(out) == placed.answer and only(m, out) if code == 0 else only(m)))


def pvalloc(source: Any, path: Any) -> None:
    """Each word as a request."""
    m, placed, request = path.machine(), Asked(path, "placed"), path.word("request")
    with replaced(source.api, aligned_alloc=placed):
        p = source.api.pvalloc(m, request)
    if request < 0 or request > MAX_REQUEST:
        path.claim("pvalloc_places_whole_pages", lambda: p == 0 and m.errno == ENOMEM and not placed.words)
        return
    asked = placed.words[0][1]
    path.claim("pvalloc_places_whole_pages", lambda: p == placed.answer and placed.words[0][0] == PAGE
               and asked & PAGE - 1 == 0 and request <= asked < request + PAGE)


def calloc(source: Any, path: Any) -> None:
    """Whatever the product is, and whatever is placed: in an arena, or with a mapping of its own."""
    m, placed, size = path.machine(), Asked(path, "placed", PAYLOAD), a_size(path)
    product, count, each = path.word("product", -1), path.word("count"), path.word("each")
    mapped, p = path.choose(2), placed.answer
    if p != 0:
        owner = 0 if mapped else path.word("owner", 0, MAX_ARENAS - 1)
        m.put(p - PAYLOAD, header(size, owner) + MAPPED * mapped, "header")
    with replaced(source.api, cached=lambda *_: 0, malloc_slow=placed, product=lambda *_: product):
        q = source.api.calloc(m, count, each)
    path.claim("calloc_places_the_product", lambda: q == p and placed.once(product, ALIGN, CALLOC))
    path.claim("calloc_zeroes_all_that_is_not_new", lambda: m.fills == (
        [(p, 0, size - PAYLOAD)] if p != 0 and not mapped else []))


def realloc(source: Any, path: Any) -> None:
    """NULL, or no bytes, or too many."""
    m, malloc, free = path.machine(), Asked(path, "placed"), Asked(path, "nothing")
    p, request = path.choose(2) * a_block(path), path.word("request")
    if p != 0:
        path.require(request, "<=", 0) if path.choose(2) else path.require(MAX_REQUEST, "<", request)
    with replaced(source.api, malloc=malloc, free=free, leave_plain=lambda *_: False):
        q = source.api.realloc(m, p, request)
    if p == 0:
        path.claim("realloc_of_null_is_malloc", lambda: q == malloc.answer and malloc.once(request) and not free.words)
    elif request == 0:
        path.claim("realloc_to_nothing_frees", lambda: q == 0 and free.once(p) and not malloc.words)
    else:
        path.claim("realloc_of_too_much_leaves_all", lambda: q == 0 and m.errno == ENOMEM and only(m)
                   and not free.words and not malloc.words)


def reallocarray(source: Any, path: Any) -> None:
    """Whatever the product is."""
    m, resized, product = path.machine(), Asked(path, "resized"), path.word("product", -1)
    p, count, each = a_block(path), path.word("count"), path.word("each")
    with replaced(source.api, realloc=resized, product=lambda *_: product):
        q = source.api.reallocarray(m, p, count, each)
    path.claim("reallocarray_reallocs_the_product", lambda: (
        q == 0 and m.errno == ENOMEM and not resized.words if product < 0 else
        q == resized.answer and resized.once(p, product)))


PROOFS = (
    Proof("malloc.is_small", ALL_WORDS, is_small, more={
        "small_is_what_caches_may_have": "true exactly for requests that a block of a cached size holds, below the "
                                         "threshold",
    }),
    Proof("malloc.place_aligned", ALL_WORDS, place_aligned, more={
        "what_is_refused_asks_nobody": "NULL for a request or an alignment that no block ever has",
        "a_cached_block_is_aligned_too": "else a cached block, of the alignment, at least ALIGN",
        "blocks_are_placed_as_they_are_to_be_aligned": "else the payload of what is placed, so aligned, or NULL",
    }),
    Proof("api.aligned_alloc", ALL_WORDS, aligned_alloc, more={
        "aligned_alloc_says_why_it_fails":
            "errno is EINVAL for no power of two, ENOMEM if nothing is placed, else stays",
        "aligned_alloc_answers_what_is_placed": "what is placed for the alignment and the request, or NULL",
    }),
    Proof("api.posix_memalign", ALL_WORDS, posix_memalign, more={
        "posix_memalign_says_why_it_fails": "EINVAL for no power of two or less than a word, ENOMEM if nothing is "
                                            "placed, else 0",
        "posix_memalign_leaves_errno_and_the_rest": "the address is stored on success; nothing else changes, nor errno",
    }),
    Proof("api.pvalloc", ALL_WORDS, pvalloc, more={
        "pvalloc_places_whole_pages": "the least whole pages that hold the request, at a page; NULL and ENOMEM if "
                                      "no block ever has so many",
    }),
    Proof("api.calloc", ALL_WORDS, calloc, more={
        "calloc_places_the_product": "what is placed for the product",
        "calloc_zeroes_all_that_is_not_new": "its whole payload is zeroed, but for a new mapping's",
    }),
    Proof("api.realloc", ALL_WORDS, realloc, more={
        "realloc_of_null_is_malloc": "NULL is allocated",
        "realloc_to_nothing_frees": "no bytes: the block is freed, and NULL",
        "realloc_of_too_much_leaves_all": "more bytes than any block has: NULL and ENOMEM, and nothing changes",
    }, suffix="_of_special_cases"),
    Proof("api.reallocarray", ALL_WORDS, reallocarray, more={
        "reallocarray_reallocs_the_product": "realloc of the product; NULL and ENOMEM, nothing asked, if there is none",
    }),
)
