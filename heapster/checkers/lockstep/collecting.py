"""Python's search for cycles of objects, less often: checkers make many that live as long as a run, and few cycles."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

MANY_OBJECTS = 30_000           # more than were let go, before Python looks for cycles


@contextmanager
def rarely_collecting() -> Iterator[None]:
    """In here it looks after MANY_OBJECTS."""
    often = gc.get_threshold()
    gc.set_threshold(MANY_OBJECTS, *often[1:])
    try:
        yield
    finally:
        gc.set_threshold(*often)
