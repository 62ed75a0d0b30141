"""A forked child that answers: with what its work comes to, or with what it raised; some tell things meanwhile.

A child that serves does one piece of work after the other: it is handed pieces, a frame each, and writes frames: `Said`
for what the work tells, then its answer, then the processor time that it took.
"""

import os
import pickle
import sys
from collections.abc import Callable, Iterator
from functools import partial
from traceback import format_tb
from typing import IO, Any, NamedTuple, NoReturn

from heapster import children
from heapster.results import HarnessError, TargetError, UsageError

CHUNK = 1 << 16                 # bytes to read of an answer at once
LENGTH = 8                      # bytes that say how long a frame is, before each

SAYS_WHOSE = (UsageError, TargetError)    # of an error that cannot be sent, this much is: whose affair it is

Tell = Callable[[Any], None]


class Raised(NamedTuple):
    """An error that the work raised instead of an answer."""

    words: str
    error: Exception            # or one that says the same, if it cannot be sent


class Said(NamedTuple):
    """A message of the work before its answer."""

    value: Any


def begin(work: Callable[[], Any]) -> tuple[int, int]:
    """Fork a child that sends what `work` comes to, which can be pickled: its pid, and the end of a pipe to read."""
    return _fork(lambda pipe: pipe.write(pickled(work)))


def begin_serving(work: Callable[[Any, Tell], Any]) -> tuple[int, int, int]:
    """Fork a child that serves until it is ended: its pid, where it is handed pieces, and the end of a pipe to read."""
    asked, asking = os.pipe()
    child, reading = _fork(lambda pipe: _serve(work, asked, pipe))
    os.close(asked)
    return child, asking, reading


def _serve(work: Callable[[Any, Tell], Any], asked: int, pipe: IO[bytes]) -> None:
    with open(asked, "rb") as pieces:
        while (frame := read_frame(pieces)) is not None:
            answer_timed(partial(work, pickle.loads(frame)), pipe)      # noqa: S301  our own parent wrote it


def answered(data: bytes) -> Any:
    """Read a child's message; `Raised` if it raised something."""
    return pickle.loads(data)   # noqa: S301  our own child wrote it


def answer_timed(work: Callable[[Tell], Any], pipe: IO[bytes]) -> None:
    """Do the work; write what it tells, what it answers, and the processor time that it took, a frame each."""
    before = children.processor_seconds()
    write_frame(pipe, pickled(partial(work, lambda value: write_frame(pipe, pickle.dumps(Said(value))))))
    write_frame(pipe, pickle.dumps(children.processor_seconds() - before))


def read_frame(pipe: IO[bytes]) -> bytes | None:
    """The next frame; None at the end."""
    length = pipe.read(LENGTH)
    return pipe.read(int.from_bytes(length, "little")) if len(length) == LENGTH else None


def write_frame(pipe: IO[bytes], data: bytes) -> None:
    """Write bytes with their length before them, at once."""
    pipe.write(len(data).to_bytes(LENGTH, "little") + data)
    pipe.flush()


def taken_frames(data: bytearray) -> Iterator[bytes]:
    """The frames that are there whole, which are taken out of the data."""
    while len(data) >= LENGTH:
        end = LENGTH + int.from_bytes(data[:LENGTH], "little")
        if len(data) < end:
            return
        frame = bytes(data[LENGTH:end])
        del data[:end]
        yield frame


def pickled(work: Callable[[], Any]) -> bytes:
    """The work's answer, pickled; `Raised` if it raises or comes to what cannot be."""
    try:
        return pickle.dumps(work())
    except Exception as error:  # noqa: BLE001  # not eaten: raised again where the answer is read
        return pickle.dumps(_raised(error))


def _fork(answer: Callable[[IO[bytes]], Any]) -> tuple[int, int]:
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    child = children.fork()
    if child == 0:
        os.close(reading)
        _answer(answer, writing)
    os.close(writing)
    return child, reading


def _answer(answer: Callable[[IO[bytes]], Any], writing: int) -> NoReturn:
    """In a child: answer and end at once, without the parent's exit handlers."""
    try:
        with open(writing, "wb") as pipe:
            answer(pipe)
    finally:
        os._exit(0)


def _raised(error: Exception) -> Raised:
    words = f"{type(error).__name__}: {error}"
    error.add_note(f"in a child:\n{''.join(format_tb(error.__traceback__))}")
    try:
        pickle.loads(pickle.dumps(error))       # noqa: S301  what was just written
    except Exception:  # noqa: BLE001  # whatever keeps it from being sent
        kind = next((kind for kind in SAYS_WHOSE if isinstance(error, kind)), None)
        return Raised(words, kind(str(error)) if kind else HarnessError(words))
    return Raised(words, error)
