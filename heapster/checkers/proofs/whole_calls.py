"""Whole operations on every heap of a few blocks: what programs call keeps every invariant of the model."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from heapster.checkers.proofs import Body, Proof
from heapster.checkers.proofs.callee_contracts import Listed, as_listed, break_lowered, by_any_policy, replaced
from heapster.checkers.proofs.heap_reading import Classes
from heapster.checkers.proofs.layout_spec import (
    ALIGN,
    ALL_SIZE_BITS,
    CLASS,
    MAPPED,
    MAX_REQUEST,
    MIN_BLOCK,
    PAYLOAD,
    STATICS,
    USED,
    only,
)
from heapster.checkers.proofs.small_heaps import Small

SETTINGS = ("policy", "threshold", "growth", "arena_limit", "cache", "keep")     # words of the statics


def check(h: Small, path: Any, name: str, *but: Any) -> None:
    """The claims that every operation makes."""
    broken: list[str] = []

    def holds() -> bool:
        broken.extend(h.violations())
        broken.extend(f"a call changes the setting {name}" for name in SETTINGS
                      if (cell := h.m.find(h.statics + STATICS[name])) is not None and cell.now != cell.was)
        return not broken

    path.claim(f"{name}_keeps_every_invariant", holds, lambda: "; ".join(broken))
    path.claim(f"{name}_spares_the_payloads_of_others", lambda: h.spares(*but))


def usable(m: Any, p: Any) -> Any:
    """Bytes from a payload to the end of its block, or -1 if there is no used block."""
    word = m.load(p - PAYLOAD)
    if word & USED == 0:
        return -1
    lead = m.load(p - 2 * PAYLOAD) if word & MAPPED != 0 else 0
    return (word & ALL_SIZE_BITS) - lead - PAYLOAD


class HeapSizes(NamedTuple):
    """How large heaps are: blocks at most in those of one region, of two, and so on."""

    blocks: tuple[int, ...]

    def __str__(self) -> str:
        """The bound that this is."""
        most = self.blocks[0]
        whole = sum(most == other for other in self.blocks)
        if whole == most:
            return f"heaps of up to {most} blocks"
        where = "1 region" if whole == 1 else f"{whole} regions"
        more = [f"{most} in {count}" for count, most in enumerate(self.blocks[whole:], whole + 1)]
        return ", ".join([f"heaps of up to {most} blocks in {where}", *more])


def on_one_list(body: Any, size: HeapSizes) -> Body:
    """The body in heaps whose free blocks are on one list, from which any policy chooses."""
    def run(source: Any, path: Any) -> None:
        with without_caches(source, path), by_any_policy(source, path):
            body(source, path, Small(path, size.blocks))

    return run


def on_lists_by_classes(body: Any, size: HeapSizes, classes: int) -> Body:
    """The body in heaps whose free blocks are on lists by their sizes, whatever the classes of those are."""
    def run(source: Any, path: Any) -> None:
        some = Classes(path, classes)
        with without_caches(source, path), by_any_policy(source, path, some.marked), divided(source, some):
            body(source, path, Small(path, size.blocks, classes=some))

    return run


def on_any_lists(body: Any, size: HeapSizes) -> Body:
    """The body in heaps whose free blocks are on lists of whatever kind and order, by any policy."""
    def run(source: Any, path: Any) -> None:
        lists = Listed(path)
        with without_caches(source, path), as_listed(source, lists):
            body(source, path, Small(path, size.blocks, lists=lists))

    return run


def malloc_by_each_policy(source: Any, path: Any, at_most: HeapSizes) -> None:
    """malloc of each request: by each policy where a block fits; where none does, whatever the system answers."""
    h = Small(path, at_most.blocks, listed=bool(path.choose(2)))
    request = path.word("request", 0, MAX_REQUEST)
    h.serve(request)
    with without_caches(source, path):
        _malloc(source, path, h, request)


@contextmanager
def without_caches(source: Any, path: Any) -> Iterator[None]:
    """Threads keep nothing here: so of which class their bins would be is left open.

    And requests that caches have blocks for are placed as large ones, see `small_requests_are_placed_as_large`;
    and no block is put away, see `without_a_cache_nothing_is_put_away`; and none that the caller has waits, see
    `only_what_waits_aborts`. No step of an arena's epoch changes a block, see `a_step_changes_no_block`: so they are
    left out. The break is lowered or it is not, whoever moves it amid: see `the_break_is_lowered_where_it_is_ours`.
    And as `find` finds whatever fits here, nothing fits further on: see `looking_further_finds_what_fits`,
    `one_list_is_not_searched_twice`.
    """
    def any_class(_: Any) -> Any:
        return path.word("class", 0, CLASS["cached"] - 1)

    def no(*_: Any) -> bool:
        return False

    with (replaced(source.malloc, class_for=any_class, is_small=no, cache_block=no, cache_block_slow=no,
                   check_in_use=no),
          replaced(source.api, leave_plain=no), replaced(source.region, lower_break=partial(break_lowered, path)),
          replaced(source.arena, note_release=lambda *_: None, find_further=lambda *_: 0)):
        yield


@contextmanager
def divided(source: Any, classes: Classes) -> Iterator[None]:
    """Let the source divide sizes so."""
    with replaced(source.freelist, class_of=classes.of):
        yield


def malloc(source: Any, path: Any, h: Small) -> None:
    """malloc of each request, whatever the system answers."""
    _malloc(source, path, h, path.word("request", 0, MAX_REQUEST))


def _malloc(source: Any, path: Any, h: Small, request: Any) -> None:
    p = source.api.malloc(h.m, request)
    if p == 0:
        path.claim("malloc_answers_null_or_enough", lambda: h.m.errno == 12)
        for name in ("acquiring", "placing"):
            path.claim(f"{name}_fails_only_with_the_system", lambda: len(h.m.calls) > 0 and all(
                call.answer == -1 for call in h.m.calls) and only(h.m, *h.openings()))
    else:
        path.claim("malloc_answers_null_or_enough", lambda: usable(h.m, p) >= request and h.m.errno == 0)
    path.claim("acquiring_releases_the_lock", lambda: not h.m.held)
    check(h, path, "malloc")


def free(source: Any, path: Any, h: Small) -> None:
    """free of each used block."""
    used = h.used()
    if not used:
        return
    place = used[path.choose(len(used))]
    source.api.free(h.m, place.b + PAYLOAD)
    path.claim("free_leaves_errno_alone", lambda: h.m.errno == 0)
    path.claim("what_is_released_is_no_block_of_the_callers", lambda: not any(
        block.used and block.address == place.b for block in h.blocks()))
    check(h, path, "free", place.b)


def realloc(source: Any, path: Any, h: Small) -> None:
    """realloc of each used block to each size, whatever the system answers."""
    used = h.used()
    if not used:
        return
    m, place = h.m, used[path.choose(len(used))]
    p, request = place.b + PAYLOAD, path.word("request", 1, MAX_REQUEST)
    freed: list[tuple[Any, int]] = []
    with replaced(source.malloc, free_block=partial(kept_whole, freed)):
        q = source.api.realloc(m, p, request)
    kept = place.size - PAYLOAD
    for name in ("realloc", "moving"):
        if q == 0:
            path.claim(f"a_failed_{name}_leaves_the_block", lambda: m.errno == 12 and m.load(place.b) & USED != 0
                       and m.load(place.b) & ALL_SIZE_BITS == place.size and not m.copies and not freed)
        elif q != p:
            path.claim(f"{name}_keeps_the_bytes", lambda: usable(m, q) >= request and m.copies == [(q, p, kept)]
                       and not m.torn and freed == [(p, 1)])
        elif name == "realloc":
            path.claim("realloc_keeps_the_bytes", lambda: usable(m, q) >= request and not m.copies and not freed)
    check(h, path, "realloc", place.b)


def kept_whole(freed: list[tuple[Any, int]], m: Any, p: Any, _: Any) -> None:
    """Leave the heap as it is, and note what is freed after how many copies: see `impl.malloc.free_block`.

    Every invariant holds of what is left, with the block still used: that freeing it keeps them is a theorem of any
    heap, `free_keeps_every_clause_of_any_heap`.
    """
    if m.load(p - PAYLOAD) & USED == 0:
        m.broken("what is freed is not used")
    freed.append((p, len(m.copies)))


def fit_in_place(source: Any, path: Any, h: Small) -> None:
    """Each used block and legal size."""
    used = h.used()
    if not used:
        return
    m, place, want = h.m, used[path.choose(len(used))], path.word("want", 32, 1 << 46, ALIGN)
    done = source.resize.fit_in_place(m, h.arena, place.b, want)
    size = m.load(place.b) & ALL_SIZE_BITS
    if done:
        path.claim("what_fits_is_no_larger_than_it_must", lambda: want <= size < want + MIN_BLOCK)
    else:
        path.claim("what_does_not_fit_stays", lambda: only(m))


def resize(source: Any, path: Any, h: Small) -> None:
    """Each used block and legal size, whatever the system answers."""
    used = h.used()
    if not used:
        return
    m, place, want = h.m, used[path.choose(len(used))], path.word("want", 32, 1 << 46, ALIGN)
    done = source.resize.resize(m, h.arena, place.b, want, 2)
    word = m.load(place.b)
    if done:
        path.claim("a_resized_block_keeps_its_bytes", lambda: word & ALL_SIZE_BITS >= want
                   and not any(cell.address >= place.b + PAYLOAD and cell.address < place.b + place.size
                               and cell.address < place.b + want for cell in m.written()
                               if not m.elsewhere(cell.address, place.b)))
    else:
        path.claim("a_block_not_resized_stays", lambda: word & ALL_SIZE_BITS == place.size and word & USED != 0)


def _whole(name: str) -> dict[str, str]:
    return {f"{name}_keeps_every_invariant": "every invariant of the model still holds",
            f"{name}_spares_the_payloads_of_others": "no word of another block's payload is written"}


def _mallocs(bound: str, body: Body) -> Proof:
    return Proof("api.malloc", bound, body, {
        "malloc_answers_null_or_enough": "NULL and ENOMEM, or a payload of at least request bytes",
    }, more=_whole("malloc"), also={
        "acquiring_fails_only_with_the_system": (
            "arena.acquire", "NULL only if the system refused, and then nothing has changed"),
        "acquiring_releases_the_lock": ("arena.acquire", "the lock is released"),
        "placing_fails_only_with_the_system": (
            "malloc.place", "NULL only if the system refused, and then nothing has changed but what is kept"),
    })


def _frees(bound: str, body: Body) -> Proof:
    return Proof("api.free", bound, body, more={
        "free_leaves_errno_alone": "errno is left alone", **_whole("free"),
    }, also={
        "what_is_released_is_no_block_of_the_callers": (
            "arena.release", "its bytes are free, or back with the system"),
    })


def _reallocs(bound: str, body: Body) -> Proof:
    return Proof("api.realloc", bound, body, {
        "a_failed_realloc_leaves_the_block": "NULL and ENOMEM, and the old block is unchanged",
        "realloc_keeps_the_bytes": "or the bytes up to the lesser size are kept",
    }, more=_whole("realloc"), also={
        "a_failed_moving_leaves_the_block": ("malloc.move", "NULL and ENOMEM, and the old block is unchanged"),
        "moving_keeps_the_bytes": (
            "malloc.move", "or the old payload's bytes are in the new, as far as there is room"),
    })


def _fits(bound: str, body: Body) -> Proof:
    return Proof("resize.fit_in_place", bound, body, {
        "what_fits_is_no_larger_than_it_must": "on success size(b) is want, or larger by less than MIN_BLOCK",
        "what_does_not_fit_stays": "else nothing changes",
    })


def _resizes(bound: str, body: Body) -> Proof:
    return Proof("resize.resize", bound, body, {
        "a_resized_block_keeps_its_bytes":
            "on success size(b) >= want and its payload up to the lesser size is unchanged",
        "a_block_not_resized_stays": "else b is unchanged",
    })


def second(proof: Proof, suffix: str, *, thorough: bool) -> Proof:
    """Another proof of a function: its theorems' names say so, and it pairs with no clause a second time."""
    claims = {**proof.clauses, **proof.more, **{name: clause for name, (_, clause) in proof.also.items()}}

    def body(source: Any, path: Any) -> None:
        proof.body(source, Renamed(path, suffix))

    return Proof(proof.of, proof.bound, body, more={name + suffix: claim for name, claim in claims.items()},
                 thorough=thorough, suffix=suffix)


class Renamed:
    """A path whose claims bear the names of a second proof."""

    def __init__(self, path: Any, suffix: str) -> None:
        self._path, self._suffix = path, suffix

    def __getattr__(self, name: str) -> Any:
        return getattr(self._path, name)

    def claim(self, name: str, holds: Any, why: Any = str) -> None:
        """See `Path.claim`."""
        self._path.claim(name + self._suffix, holds, why)


EACH_POLICY, ANY_POLICY = "each policy", "any policy"


def _of_one_list(make: Callable[[str, Body], Proof], body: Any, *blocks: int, by: str = "") -> Proof:
    size = HeapSizes(blocks)
    return make(f"{size}, {by}" if by else str(size), on_one_list(body, size))


def _of_classes(make: Callable[[str, Body], Proof], body: Any, *blocks: int, classes: int) -> Proof:
    size = HeapSizes(blocks)
    return make(f"{size}, {classes} classes", on_lists_by_classes(body, size, classes))


def _of_any_lists(make: Callable[[str, Body], Proof], body: Any, *blocks: int) -> Proof:
    size = HeapSizes(blocks)
    return make(f"{size}, any lists", on_any_lists(body, size))


PROOFS = (
    _mallocs(f"{HeapSizes((3,))}, {EACH_POLICY}", partial(malloc_by_each_policy, at_most=HeapSizes((3,)))),
    second(_of_one_list(_mallocs, malloc, 3, 2, by=ANY_POLICY), "_by_any_policy", thorough=False),
    _of_one_list(_frees, free, 3, 2),
    _of_one_list(_reallocs, realloc, 3, by=ANY_POLICY),
    _of_one_list(_fits, fit_in_place, 3),
    _of_one_list(_resizes, resize, 3),
    *(second(proof, "_on_any_lists", thorough=False) for proof in (
        _of_any_lists(_mallocs, malloc, 3, 2), _of_any_lists(_frees, free, 3, 2), _of_any_lists(_reallocs, realloc, 3),
        _of_any_lists(_fits, fit_in_place, 3), _of_any_lists(_resizes, resize, 3))),
)
THOROUGH = (
    *(second(proof, "_in_larger_heaps", thorough=True) for proof in (
        _of_one_list(_mallocs, malloc, 4, 4, by=ANY_POLICY), _of_one_list(_frees, free, 4, 4),
        _of_one_list(_reallocs, realloc, 4, 3, by=ANY_POLICY), _of_one_list(_fits, fit_in_place, 4, 4),
        _of_one_list(_resizes, resize, 4, 4))),
    *(second(proof, "_by_classes", thorough=True) for proof in (
        _of_classes(_mallocs, malloc, 3, 3, classes=3), _of_classes(_frees, free, 3, 3, classes=3))),
    *(second(proof, "_on_any_lists_in_larger_heaps", thorough=True) for proof in (
        _of_any_lists(_mallocs, malloc, 4, 4), _of_any_lists(_frees, free, 4, 4),
        _of_any_lists(_reallocs, realloc, 4, 4), _of_any_lists(_fits, fit_in_place, 4, 4),
        _of_any_lists(_resizes, resize, 4, 4))),
)
