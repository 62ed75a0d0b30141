"""Whole operations on every heap of a few blocks: what programs call keeps every invariant of the model."""

from collections.abc import Callable
from typing import Any

from heapster.checkers.proofs import Proof
from heapster.checkers.proofs.drawing import ALL_SIZE_BITS, MAPPED, MAX_REQUEST, PAYLOAD, USED
from heapster.checkers.proofs.heaps import Small


def check(h: Small, path: Any, name: str, *but: Any) -> None:
    """The claims that every operation makes."""
    broken: list[str] = []

    def holds() -> bool:
        broken.extend(h.violations())
        return not broken

    path.claim(f"{name}_keeps_every_invariant", holds)
    path.claim(f"{name}_spares_the_payloads_of_others", lambda: h.spares(*but))


def usable(m: Any, p: Any) -> Any:
    """Bytes from a payload to the end of its block, or -1 if there is no used block."""
    word = m.load(p - PAYLOAD)
    if word & USED == 0:
        return -1
    lead = m.load(p - 2 * PAYLOAD) if word & MAPPED != 0 else 0
    return (word & ALL_SIZE_BITS) - lead - PAYLOAD


def malloc(source: Any, path: Any, blocks: int, regions: int) -> None:
    """malloc of each request: by each policy where a block fits; where none does, whatever the system answers."""
    h = Small(path, blocks, regions, listed=bool(path.choose(2)))
    request = path.word("request", 0, MAX_REQUEST)
    h.serve(request)
    p = source.api.malloc(h.m, request)
    if p == 0:
        path.claim("malloc_answers_null_or_enough", lambda: h.m.errno == 12)
        path.claim("malloc_fails_only_with_the_system", lambda: len(h.m.calls) > 0 and all(
            call.answer == -1 for call in h.m.calls))
    else:
        path.claim("malloc_answers_null_or_enough", lambda: usable(h.m, p) >= request and h.m.errno == 0)
    check(h, path, "malloc")


def free(source: Any, path: Any, blocks: int, regions: int) -> None:
    """free of each used block."""
    h = Small(path, blocks, regions)
    used = h.used()
    if not used:
        return
    place = used[path.choose(len(used))]
    source.api.free(h.m, place.b + PAYLOAD)
    path.claim("free_leaves_errno_alone", lambda: h.m.errno == 0)
    check(h, path, "free", place.b)


def realloc(source: Any, path: Any, blocks: int, regions: int) -> None:
    """realloc of each used block to each size: where a block fits; where none does, whatever the system answers."""
    h = Small(path, blocks, regions, listed=bool(path.choose(2)))
    used = h.used()
    if not used:
        return
    m, place = h.m, used[path.choose(len(used))]
    p, request = place.b + PAYLOAD, path.word("request", 1, MAX_REQUEST)
    h.serve(request)
    q = source.api.realloc(m, p, request)
    if q == 0:
        path.claim("realloc_keeps_the_block_or_its_bytes", lambda: m.errno == 12 and m.load(place.b) & USED != 0
                   and m.load(place.b) & ALL_SIZE_BITS == place.size and not m.copies)
    elif q == p:
        path.claim("realloc_keeps_the_block_or_its_bytes", lambda: usable(m, q) >= request and not m.copies)
    else:
        path.claim("realloc_keeps_the_block_or_its_bytes", lambda: usable(m, q) >= request and m.copies == [
            (q, p, place.size - PAYLOAD)])
    check(h, path, "realloc", place.b)


def _proof(of: str, operation: Callable[..., None], blocks: int, regions: int, clauses: dict[str, str],
           more: dict[str, str]) -> Proof:
    name = operation.__name__
    return Proof(of, f"heaps of up to {blocks} blocks", lambda s, p: operation(s, p, blocks, regions), clauses, more={
        f"{name}_keeps_every_invariant": "every invariant of the model still holds",
        f"{name}_spares_the_payloads_of_others": "no word of another block's payload is written",
        **more})


PROOFS = (
    _proof("api.malloc", malloc, 3, 1, {
        "malloc_answers_null_or_enough": "NULL and ENOMEM, or a payload of at least request bytes",
    }, {"malloc_fails_only_with_the_system": "NULL only if the system refused"}),
    _proof("api.free", free, 3, 1, {}, {"free_leaves_errno_alone": "errno is left alone"}),
    _proof("api.realloc", realloc, 3, 1, {
        "realloc_keeps_the_block_or_its_bytes":
            "NULL and ENOMEM, and the old block is unchanged; or the bytes up to the lesser size are kept",
    }, {}),
)
