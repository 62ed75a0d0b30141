"""What is promised in the place of what does it: by every placement policy, and by whatever keeps free lists.

`find` is proved to keep this contract on lists of any length, whatever the policy; `link` and `unlink` are,
on one list and on those of classes. So what is proved of the contracts holds of each policy and each kind of
lists, and of every other that keeps them.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any

from heapster.checkers.proofs.layout_spec import ALL_SIZE_BITS, ARENA_RECORD, NEXT, PREV, USED
from heapster.machine.protocol import REFUSED, Call

Heads = Callable[[Any, Any], list[Any]]     # of the free lists of an arena


def any_that_fits(path: Any, heads: Heads, m: Any, arena: Any, want: Any, _: Any) -> Any:
    """Any block of the free lists that has at least `want` bytes; NULL if none has.

    next_fit moves the cursor to the block that it chooses. A heap whose cursor is there already is among
    those that are explored, and what follows cannot tell the two apart: so the cursor stays.
    """
    blocks = []
    for head in heads(m, arena):
        b = m.load(head + NEXT)
        while b != head:
            blocks.append((b, m.load(b) & ALL_SIZE_BITS))
            b = m.load(b + NEXT)
    return _any_of(path, blocks, want)


def _any_of(path: Any, blocks: Sequence[tuple[Any, Any]], want: Any) -> Any:
    chosen = path.choose(len(blocks) + 1)
    if chosen < len(blocks):
        b, size = blocks[chosen]
        path.require(want, "<=", size)
        return b
    for _, size in blocks:
        path.require(size, "<", want)
    return 0


def the_only_head(_: Any, arena: Any) -> list[Any]:
    """The head of the list of all free blocks."""
    return [arena + ARENA_RECORD["head"]]


@contextmanager
def replaced(module: Any, **functions: Any) -> Iterator[None]:
    """Let the module's functions be others for a while."""
    shipped = {name: getattr(module, name) for name in functions}
    for name, function in functions.items():
        setattr(module, name, function)
    try:
        yield
    finally:
        for name, function in shipped.items():
            setattr(module, name, function)


def break_lowered(path: Any, m: Any, brk: Any, extra: Any) -> bool:
    """Lower the break by just that, or do not, where what lay there may be lost: see `impl.region.lower_break`."""
    lowered = bool(path.choose(2))
    if lowered:
        m.gone.append((brk - extra, extra))
        m.brk = brk - extra
    else:
        m.lose(brk - extra, extra)
    m.calls += [Call("sbrk", (0,), brk), Call("sbrk", (-extra,), brk if lowered else REFUSED)]
    return lowered


def by_any_policy(source: Any, path: Any, heads: Heads = the_only_head) -> AbstractContextManager[None]:
    """Let the source choose as any policy may that searches the lists of these heads."""
    return replaced(source.arena, find=partial(any_that_fits, path, heads))


class Listed:
    """Free blocks on lists of whatever kind and in whatever order, as `link` and `unlink` promise to keep them."""

    def __init__(self, path: Any) -> None:
        self.path = path
        self.blocks: list[tuple[Any, Any]] = []     # those that are listed, and their sizes

    def link(self, m: Any, arena: Any, b: Any) -> None:
        """See `impl.freelist.link`."""
        if m.load(b) & USED != 0 or self._place(b) is not None:
            m.broken("what is linked is not free, or on a list")
        size = m.load(b) & ALL_SIZE_BITS
        self.blocks.append((b, size))
        self._relinked(m, arena, size, 1)

    def unlink(self, m: Any, arena: Any, b: Any) -> None:
        """See `impl.freelist.unlink`."""
        place = self._place(b)
        if place is None:
            m.broken("what is unlinked is on no list")
        else:
            _, size = self.blocks[place]
            if m.load(b) & ALL_SIZE_BITS != size:
                m.broken("a block changed its size while it was on a list")
            self._relinked(m, arena, -size, -1)
            del self.blocks[place]

    def find(self, m: Any, arena: Any, want: Any, policy: Any) -> Any:
        """See `any_that_fits`."""
        return _any_of(self.path, self.blocks, want)

    def _place(self, b: Any) -> int | None:
        return next((place for place, (listed, _) in enumerate(self.blocks) if listed == b), None)

    def _relinked(self, m: Any, arena: Any, size: Any, count: int) -> None:
        """The ledger counts it; links may be any."""
        for place, change in (("free_bytes", size), ("free_blocks", count)):
            word = arena + ARENA_RECORD[place]
            m.store(word, m.load(word) + change)
        for b, _ in self.blocks:
            for link in (NEXT, PREV):
                m.store(b + link, self.path.word("link"))

    def violations(self, m: Any) -> Iterator[str]:
        """What is wrong about the blocks that are listed, other than which they are."""
        if any(m.load(b) & ALL_SIZE_BITS != size for b, size in self.blocks):
            yield "a listed block changed its size"


@contextmanager
def as_listed(source: Any, lists: Listed) -> Iterator[None]:
    """Let the source's free lists be these."""
    with ExitStack() as stack:
        stack.enter_context(replaced(source.arena, link=lists.link, unlink=lists.unlink, find=lists.find))
        stack.enter_context(replaced(source.region, link=lists.link, unlink=lists.unlink))
        stack.enter_context(replaced(source.resize, unlink=lists.unlink))
        yield
