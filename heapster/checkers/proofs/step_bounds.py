"""How many loads and stores a call takes at most: what a cache serves, and what segregated fit finds.

So both take constant time: a call takes more only where the arena must grow, or a bin is filled or flushed.
"""

from typing import Any

from heapster.checkers.proofs import ANY_HEAP, Proof
from heapster.checkers.proofs.cache import COUNTS, a_stack, show_nothing
from heapster.checkers.proofs.cached_calls import Caller
from heapster.checkers.proofs.classes import least
from heapster.checkers.proofs.layout_spec import CLASS, MIN_BLOCK, NEXT, PAYLOAD, WORD, header, let_wait, longer
from heapster.checkers.proofs.local_heap import Window

LOADS = ("load", "load_any", "load_relaxed", "load_acquire")
STORES = ("store", "store_relaxed", "store_release")
MALLOC_LOADS, MALLOC_STORES = 7, 4      # of a call that a bin serves
FREE_LOADS, FREE_STORES = 9, 4
FIT_LOADS = 23                          # of a search: five of the map; two of each of eight blocks; two of heads
PROBES = 8
SOME = (5, 31, 64, CLASS["count"] - 1)  # classes, of each word of the map one


class StepCount:
    """How often memory is read and written from here on."""

    def __init__(self, m: Any) -> None:
        self.loads = self.stores = 0
        for name in LOADS:
            setattr(m, name, self._reading(getattr(m, name)))
        for name in STORES:
            setattr(m, name, self._writing(getattr(m, name)))

    def _reading(self, load: Any) -> Any:
        def counted(address: Any) -> Any:
            self.loads += 1
            return load(address)
        return counted

    def _writing(self, store: Any) -> Any:
        def counted(address: Any, word: Any) -> None:
            self.stores += 1
            store(address, word)
        return counted

    def so_far(self) -> tuple[int, int]:
        """Loads and stores."""
        return self.loads, self.stores


def malloc(source: Any, path: Any) -> None:
    """Each class that has bins: any bin that has a block."""
    index = path.choose(CLASS["cached"])
    c = Caller(path, index)
    p, (word, count) = c.block(least(index)), a_stack(path)
    c.m.put(c.slot, p + ((count + 1) << 48), "bin")
    let_wait(c.m, p, word)
    c.count_of(0)
    path.require(least(index), "<", c.threshold)
    steps = StepCount(c.m)
    q = source.api.malloc(c.m, least(index) - PAYLOAD)
    loads, stores = steps.so_far()
    path.claim("a_malloc_from_a_bin_takes_so_many_steps", lambda: q == p and loads <= MALLOC_LOADS
               and stores <= MALLOC_STORES)


def free(source: Any, path: Any) -> None:
    """Each class that has bins: any bin that has room."""
    index = path.choose(CLASS["cached"])
    c = Caller(path, index)
    p, (word, count) = c.block(least(index) + longer(source)), a_stack(path)
    limit = path.word("limit", 1, COUNTS)
    path.require(count, "<", limit)
    for place, held in ((c.slot, word), (c.slot + WORD, limit << 48)):
        c.m.put(place, held, "bin")
    show_nothing(path, c.m, p)
    c.count_of(4)
    steps = StepCount(c.m)
    source.api.free(c.m, p)
    loads, stores = steps.so_far()
    path.claim("a_free_into_a_bin_takes_so_many_steps", lambda: c.m.load(c.slot) == p + ((count + 1) << 48)
               and loads <= FREE_LOADS and stores <= FREE_STORES)


def segregated_fit(source: Any, path: Any) -> None:
    """A request of a class of each word of the map; more blocks of it than are probed, of any size, and any others."""
    w, own = Window(path, segregated=True), SOME[path.choose(len(SOME))]
    has_own, above = path.choose(2), (None, own + 1, CLASS["count"] - 1)[path.choose(3)]
    marked = {own} if has_own else set()
    marked |= {above} if above is not None and own < above < CLASS["count"] else set()
    for word in range(4):
        w.m.put(w.at("class_map") + WORD * word, sum(
            1 << each % CLASS["bits"] for each in marked if each // CLASS["bits"] == word), "map")
    for index in marked:
        blocks = [w.span("b", MIN_BLOCK) for _ in range(PROBES + 1 if index == own else 1)]
        for u, v in zip([w.of_class(index), *blocks], [*blocks, w.of_class(index)], strict=True):
            w.m.put(u + NEXT, v, "next")
        for b in blocks:
            size = path.word("size", MIN_BLOCK, 1 << 40, 16) if index == own else least(index)
            w.m.put(b, header(size, w.owner, 0), "header")
    steps = StepCount(w.m)
    source.placement.segregated_fit(w.m, w.arena, least(own))
    loads, stores = steps.so_far()
    path.claim("segregated_fit_takes_so_many_steps", lambda: loads <= FIT_LOADS and stores == 0)


PROOFS = (
    Proof("api.malloc", ANY_HEAP, malloc, more={
        "a_malloc_from_a_bin_takes_so_many_steps": f"at most {MALLOC_LOADS} loads and {MALLOC_STORES} stores",
    }, suffix="_in_so_many_steps"),
    Proof("api.free", ANY_HEAP, free, more={
        "a_free_into_a_bin_takes_so_many_steps": f"at most {FREE_LOADS} loads and {FREE_STORES} stores",
    }, suffix="_in_so_many_steps"),
    Proof("placement.segregated_fit", "4 classes, more blocks than are probed", segregated_fit, more={
        "segregated_fit_takes_so_many_steps": f"at most {FIT_LOADS} loads and no store, however many blocks there are",
    }, suffix="_in_so_many_steps"),
)
