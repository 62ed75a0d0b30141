"""A forked child that answers once: with what its work comes to, or with what it raised."""

import os
import pickle
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn, TypeVar

from heapster import children
from heapster.results import HarnessError

T = TypeVar("T")

CHUNK = 1 << 16                 # bytes to read of an answer at once


class Raised(NamedTuple):
    """What the work raised instead of an answer."""

    words: str
    error: Exception            # or one that says the same, if it cannot be sent


def begin(work: Callable[[], Any]) -> tuple[int, int]:
    """Fork a child that sends what `work` comes to, which can be pickled: its pid, and the end of a pipe to read."""
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    child = children.fork()
    if child == 0:
        os.close(reading)
        _answer(work, writing)
    os.close(writing)
    return child, reading


def answered(data: bytes) -> Any:
    """What a child answered, of all that it sent; `Raised` if it raised something."""
    return pickle.loads(data)   # noqa: S301  our own child wrote it


def _answer(work: Callable[[], Any], writing: int) -> NoReturn:
    """In a child: answer and end at once, without the parent's exit handlers."""
    try:
        try:
            data = pickle.dumps(work())
        except Exception as error:  # noqa: BLE001  # not eaten: raised again in the parent
            data = pickle.dumps(_raised(error))
        with open(writing, "wb") as pipe:
            pipe.write(data)
    finally:
        os._exit(0)


def _raised(error: Exception) -> Raised:
    words = f"{type(error).__name__}: {error}"
    try:
        pickle.loads(pickle.dumps(error))       # noqa: S301  what was just written
    except Exception:  # noqa: BLE001  # whatever keeps it from being sent
        return Raised(words, HarnessError(words))
    return Raised(words, error)
