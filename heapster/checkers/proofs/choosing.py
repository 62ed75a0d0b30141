"""What is promised in the place of what does it; what every placement policy promises, in that of `placement.find`.

`find` is proved to keep this contract on lists of any length, whatever the policy. So what is proved of
the contract holds of each policy, and of every other that keeps it.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

from heapster.checkers.proofs.drawing import ALL_SIZE_BITS, ARENA_RECORD, NEXT


def any_that_fits(path: Any, m: Any, arena: Any, want: Any, _: Any) -> Any:
    """Any block of the free list that has at least `want` bytes; NULL if none has.

    next_fit moves the cursor to the block that it chooses. A heap whose cursor is there already is among
    those that are explored, and what follows cannot tell the two apart: so the cursor stays.
    """
    head = arena + ARENA_RECORD["head"]
    blocks, b = [], m.load(head + NEXT)
    while b != head:
        blocks.append((b, m.load(b) & ALL_SIZE_BITS))
        b = m.load(b + NEXT)
    chosen = path.choose(len(blocks) + 1)
    if chosen < len(blocks):
        b, size = blocks[chosen]
        path.require(want, "<=", size)
        return b
    for _, size in blocks:
        path.require(size, "<", want)
    return 0


@contextmanager
def replaced(module: Any, **functions: Callable[..., Any]) -> Iterator[None]:
    """Let the module's functions be others for a while."""
    shipped = {name: getattr(module, name) for name in functions}
    for name, function in functions.items():
        setattr(module, name, function)
    try:
        yield
    finally:
        for name, function in shipped.items():
            setattr(module, name, function)


def by_any_policy(source: Any, path: Any) -> AbstractContextManager[None]:
    """Let the source choose as any policy may."""
    return replaced(source.arena, find=partial(any_that_fits, path))
