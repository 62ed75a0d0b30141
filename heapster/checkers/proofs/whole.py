"""Whole operations on every heap of a few blocks: what programs call keeps every invariant of the model."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from heapster.checkers.proofs import Proof
from heapster.checkers.proofs.choosing import by_any_policy, replaced
from heapster.checkers.proofs.drawing import (
    ALIGN,
    ALL_SIZE_BITS,
    CLASS,
    MAPPED,
    MAX_REQUEST,
    MIN_BLOCK,
    PAYLOAD,
    USED,
    only,
)
from heapster.checkers.proofs.heaps import Classes, Small


def check(h: Small, path: Any, name: str, *but: Any) -> None:
    """The claims that every operation makes."""
    broken: list[str] = []

    def holds() -> bool:
        broken.extend(h.violations())
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


class Size(NamedTuple):
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


def malloc_by_each_policy(source: Any, path: Any, at_most: Size) -> None:
    """malloc of each request: by each policy where a block fits; where none does, whatever the system answers."""
    h = Small(path, at_most.blocks, listed=bool(path.choose(2)))
    request = path.word("request", 0, MAX_REQUEST)
    h.serve(request)
    _malloc(source, path, h, request)


def malloc(source: Any, path: Any, at_most: Size) -> None:
    """malloc of each request, whatever the system answers."""
    h = Small(path, at_most.blocks)
    with by_any_policy(source, path):
        _malloc(source, path, h, path.word("request", 0, MAX_REQUEST))


def malloc_by_classes(source: Any, path: Any, at_most: Size, classes: int) -> None:
    """malloc of each request by segregated fit, whatever the system answers and the classes of sizes are."""
    some = Classes(path, classes)
    h = Small(path, at_most.blocks, listed=bool(path.choose(2)), classes=some)
    request = path.word("request", 0, MAX_REQUEST)
    h.serve(request)
    with divided(source, some):
        _malloc(source, path, h, request)


def free_by_classes(source: Any, path: Any, at_most: Size, classes: int) -> None:
    """free of each used block, whatever the classes of sizes are."""
    some = Classes(path, classes)
    with divided(source, some):
        _free(source, path, Small(path, at_most.blocks, classes=some))


@contextmanager
def without_caches(source: Any, path: Any) -> Iterator[None]:
    """Threads keep nothing here: so of which class their bins would be is left open.

    And requests that caches have blocks for are placed as large ones, see `small_requests_are_placed_as_large`;
    and no block is put away, see `without_a_cache_nothing_is_put_away`.
    """
    def any_class(_: Any) -> Any:
        return path.word("class", 0, CLASS["cached"] - 1)

    def no(*_: Any) -> bool:
        return False

    with replaced(source.api, class_for=any_class, is_small=no, put_away=no, put_away_slowly=no):
        yield


@contextmanager
def divided(source: Any, classes: Classes) -> Iterator[None]:
    """Let the source divide sizes so."""
    with replaced(source.freelist, class_of=classes.of), replaced(source.placement, class_of=classes.of):
        yield


def _malloc(source: Any, path: Any, h: Small, request: Any) -> None:
    with without_caches(source, path):
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


def free(source: Any, path: Any, at_most: Size) -> None:
    """free of each used block."""
    _free(source, path, Small(path, at_most.blocks))


def _free(source: Any, path: Any, h: Small) -> None:
    used = h.used()
    if not used:
        return
    place = used[path.choose(len(used))]
    with without_caches(source, path):
        source.api.free(h.m, place.b + PAYLOAD)
    path.claim("free_leaves_errno_alone", lambda: h.m.errno == 0)
    path.claim("what_is_released_is_no_block_of_the_callers", lambda: not any(
        block.used and block.address == place.b for block in h.blocks()))
    check(h, path, "free", place.b)


def realloc(source: Any, path: Any, at_most: Size) -> None:
    """realloc of each used block to each size, whatever the system answers."""
    h = Small(path, at_most.blocks)
    used = h.used()
    if not used:
        return
    m, place = h.m, used[path.choose(len(used))]
    p, request = place.b + PAYLOAD, path.word("request", 1, MAX_REQUEST)
    with by_any_policy(source, path), without_caches(source, path):
        q = source.api.realloc(m, p, request)
    kept = place.size - PAYLOAD
    for name in ("realloc", "moving"):
        if q == 0:
            path.claim(f"a_failed_{name}_leaves_the_block", lambda: m.errno == 12 and m.load(place.b) & USED != 0
                       and m.load(place.b) & ALL_SIZE_BITS == place.size and not m.copies)
        elif q != p:
            path.claim(f"{name}_keeps_the_bytes", lambda: usable(m, q) >= request and m.copies == [(q, p, kept)])
        elif name == "realloc":
            path.claim("realloc_keeps_the_bytes", lambda: usable(m, q) >= request and not m.copies)
    check(h, path, "realloc", place.b)


def fit_in_place(source: Any, path: Any, at_most: Size) -> None:
    """Each used block and legal size."""
    h = Small(path, at_most.blocks)
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


def resize(source: Any, path: Any, at_most: Size) -> None:
    """Each used block and legal size, whatever the system answers."""
    h = Small(path, at_most.blocks)
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


def _mallocs(size: Size, body: Any, by: str) -> Proof:
    return Proof("api.malloc", f"{size}, {by}", partial(body, at_most=size), {
        "malloc_answers_null_or_enough": "NULL and ENOMEM, or a payload of at least request bytes",
    }, more=_whole("malloc"), also={
        "acquiring_fails_only_with_the_system": (
            "arena.acquire", "NULL only if the system refused, and then nothing has changed"),
        "acquiring_releases_the_lock": ("arena.acquire", "the lock is released"),
        "placing_fails_only_with_the_system": (
            "api.place", "NULL only if the system refused, and then nothing has changed but what is kept"),
    })


def _frees(size: Size, body: Any = free, by: str = "") -> Proof:
    return Proof("api.free", f"{size}, {by}" if by else str(size), partial(body, at_most=size), more={
        "free_leaves_errno_alone": "errno is left alone", **_whole("free"),
    }, also={
        "what_is_released_is_no_block_of_the_callers": (
            "arena.release", "its bytes are free, or back with the system"),
    })


def _reallocs(size: Size) -> Proof:
    return Proof("api.realloc", f"{size}, {ANY_POLICY}", partial(realloc, at_most=size), {
        "a_failed_realloc_leaves_the_block": "NULL and ENOMEM, and the old block is unchanged",
        "realloc_keeps_the_bytes": "or the bytes up to the lesser size are kept",
    }, more=_whole("realloc"), also={
        "a_failed_moving_leaves_the_block": ("api.move", "NULL and ENOMEM, and the old block is unchanged"),
        "moving_keeps_the_bytes": ("api.move", "or the old payload's bytes are in the new"),
    })


def _resizes(size: Size) -> tuple[Proof, ...]:
    return (
        Proof("resize.fit_in_place", str(size), partial(fit_in_place, at_most=size), {
            "what_fits_is_no_larger_than_it_must": "on success size(b) is want, or larger by less than MIN_BLOCK",
            "what_does_not_fit_stays": "else nothing changes",
        }),
        Proof("resize.resize", str(size), partial(resize, at_most=size), {
            "a_resized_block_keeps_its_bytes":
                "on success size(b) >= want and its payload up to the lesser size is unchanged",
            "a_block_not_resized_stays": "else b is unchanged",
        }),
    )


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


def _by_classes(size: Size, classes: int, suffix: str, *, thorough: bool) -> tuple[Proof, ...]:
    by = f"{classes} classes"
    return (
        second(_mallocs(size, partial(malloc_by_classes, classes=classes), by), suffix, thorough=thorough),
        second(_frees(size, partial(free_by_classes, classes=classes), by), suffix, thorough=thorough))


EACH_POLICY, ANY_POLICY = "each policy", "any policy"
PROOFS = (
    _mallocs(Size((3,)), malloc_by_each_policy, EACH_POLICY),
    second(_mallocs(Size((3, 2)), malloc, ANY_POLICY), "_by_any_policy", thorough=False),
    _frees(Size((3, 3))),
    _reallocs(Size((3,))),
    *_resizes(Size((3,))),
    *_by_classes(Size((2,)), 2, "_by_classes", thorough=False),
)
LARGER = "_in_larger_heaps"
THOROUGH = tuple(second(proof, LARGER, thorough=True) for proof in (
    _mallocs(Size((4, 4)), malloc, ANY_POLICY), _frees(Size((4, 4))), _reallocs(Size((4, 3))),
    *_resizes(Size((4, 4))))) + _by_classes(Size((3, 3)), 3, "_by_more_classes", thorough=True)
