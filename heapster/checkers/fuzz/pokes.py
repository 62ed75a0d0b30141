"""Words that callers write where they have no block, drawn: before a block, in it once it is freed, beside it.

Each draw writes one word, or two, and goes on with the call that must notice it, or with any.
"""

from collections.abc import Callable, Iterator, Sequence
from random import Random

from heapster.model.geometry import HEADER, MAPPED_LEAD, PAGE, WORD
from heapster.model.operation import Step

SIZES = (0, 24, 40, 200, 600, 3000)
WORDS = (0, 1, 0x20, 0x31, 0x33, 0x41, 0x43, 1 << 48 | 0x33, 0x4141414141414141, 1 << 63, (1 << 64) - 1)
FIRST, SECOND, THIRD, FOURTH = range(4)         # handles, from the first that is fresh
Words = Callable[[], int]


def poked(rng: Random, fresh: int, places: Sequence[int]) -> Iterator[Step]:
    """Some blocks, a word written where none is the caller's, and calls that look there; `fresh` is no handle yet.

    A word may also be one of `places`: addresses that the program knows, of blocks that it has or had.
    """
    def word() -> int:
        return rng.choice(places) if places and rng.random() < 0.4 else rng.choice((*WORDS, rng.getrandbits(64)))

    draw = rng.choice((_used, _mapped, _cached, _remote, _beside, _between, _retained, _anywhere))
    yield from draw(rng, fresh, word)


def _poke(word: int, handle: int, offset: int) -> Step:
    return Step("poke", (word,), operand=handle, offset=offset)


def _taken(rng: Random, handle: int, fresh: int) -> Iterator[Step]:
    """The block is freed, or resized."""
    if rng.random() < 0.3:
        yield Step("realloc", (rng.choice((0, 30, 100, 5000)),), fresh, handle)
    else:
        yield Step("free", operand=handle)


def _used(rng: Random, fresh: int, word: Words) -> Iterator[Step]:
    yield Step("malloc", (rng.choice(SIZES),), fresh)
    yield _poke(word(), fresh, -HEADER)
    yield from _taken(rng, fresh, fresh + SECOND)


def _mapped(rng: Random, fresh: int, word: Words) -> Iterator[Step]:
    yield Step("threshold", (PAGE,))
    yield Step("malloc", (3 * PAGE,), fresh)
    yield _poke(word(), fresh, rng.choice((-1, -2, -3, -4, -5)) * WORD)
    yield from _taken(rng, fresh, fresh + SECOND)


def _cached(rng: Random, fresh: int, word: Words) -> Iterator[Step]:
    size = rng.choice(SIZES)
    yield Step("cache", (1 << 16,))
    yield from (Step("malloc", (size,), fresh + place) for place in (FIRST, SECOND))
    freed = rng.sample((FIRST, SECOND), rng.choice((1, 2)))
    yield from (Step("free", operand=fresh + place) for place in freed)
    if rng.random() < 0.3:
        yield Step("cache", (0,))
    yield _poke(word(), fresh + rng.choice((freed[-1], *freed)), rng.choice((-1, 0, 0, 1, 1)) * WORD)
    verb, numbers = rng.choice((("malloc", (size,)), ("calloc", (1, size))))
    yield from (Step(verb, numbers, fresh + place) for place in (THIRD, FOURTH))


def _remote(rng: Random, fresh: int, word: Words) -> Iterator[Step]:
    size = rng.choice(SIZES)
    yield from (Step("thread", (40,)), Step("arenas", (2,)), Step("cache", (1 << 16,)))
    yield from (Step("malloc", (size,), fresh), Step("thread", (41,)))
    yield Step("free", operand=fresh)
    yield _poke(word(), fresh, rng.choice((0, 1)) * WORD)
    yield from (Step("thread", (40,)), Step("malloc", (size,), fresh + THIRD))


def _beside(rng: Random, fresh: int, word: Words) -> Iterator[Step]:
    """A free block, beside one that is freed to its arena at once."""
    size = rng.choice(SIZES)
    yield from (Step("malloc", (size,), fresh + place) for place in (FIRST, SECOND, THIRD, FOURTH))
    yield Step("free", operand=fresh + SECOND)
    last = max(size + HEADER, 2 * WORD) + -(size + HEADER) % (2 * WORD) - 2 * WORD      # from the payload: the footer
    yield _poke(rng.choice((word(), 0x42)), fresh + SECOND, rng.choice((-HEADER, 0, WORD, last)))
    yield Step("free", operand=fresh + rng.choice((FIRST, THIRD)))
    yield from (Step("malloc", (size,), fresh + place) for place in (FIRST, SECOND))


def _between(rng: Random, fresh: int, word: Words) -> Iterator[Step]:
    """A header between two blocks, of which the left one is freed to its arena at once."""
    yield from (Step("malloc", (rng.choice(SIZES),), fresh + place) for place in (FIRST, SECOND, THIRD))
    yield _poke(rng.choice((0x31, 0x32, 1 << 48 | 0x33, word())), fresh + SECOND, -HEADER)
    yield Step("free", operand=fresh)
    yield Step("malloc", (rng.choice(SIZES),), fresh + FOURTH)


def _retained(rng: Random, fresh: int, word: Words) -> Iterator[Step]:
    yield from (Step("threshold", (PAGE,)), Step("keep", (1 << 20,)))
    yield from (Step("malloc", (5 * PAGE,), fresh), Step("free", operand=fresh))
    yield _poke(word(), fresh, rng.choice((WORD, 2 * WORD)) - MAPPED_LEAD - HEADER)
    yield Step("malloc", (rng.choice((PAGE, 4 * PAGE, 8 * PAGE)),), fresh + SECOND)


def _anywhere(rng: Random, fresh: int, word: Words) -> Iterator[Step]:
    """Blocks, of which some are freed; a word or two written around one of them; any calls."""
    handles = [fresh + place for place in range(6)]
    yield from (Step("malloc", (rng.choice(SIZES),), handle) for handle in handles)
    live = rng.sample(handles, 4)
    yield from (Step("free", operand=handle) for handle in handles if handle not in live)
    for _ in range(rng.choice((1, 1, 2))):
        yield _poke(word(), rng.choice(handles), rng.randrange(-4, 8) * WORD)
    for place in range(8):
        if live and rng.random() < 0.4:
            yield Step("free", operand=live.pop())
        else:
            yield Step("malloc", (rng.choice(SIZES),), handles[-1] + 1 + place)
