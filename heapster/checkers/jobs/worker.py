"""A worker of a cluster: hands a piece to its hand, passes on what that tells, and stops what is unwanted."""

import os
import pickle
import sys
from contextlib import suppress
from pathlib import Path
from select import select
from tempfile import TemporaryDirectory
from threading import local
from typing import Any, NamedTuple
from uuid import uuid4

from heapster import children
from heapster.checkers.jobs.forked import CHUNK, Said, answered, taken_frames, write_frame
from heapster.checkers.jobs.travel import Goods
from heapster.results import HarnessError

LOOK = 0.3                      # seconds between two looks whether the piece is still wanted
ENDING = frozenset({"closing", "closed", "failed", "stopping", "stopped"})      # of a worker: it waits for its threads


class Delivered(NamedTuple):
    """The answer of a piece, and all that it told."""

    attempt: str                # which of the times that it was done, if a worker died
    told: list[bytes]           # all that it told, pickled: also what was told under way
    answer: bytes               # pickled
    seconds: float              # of processor time


class Hand:
    """A process that works in the folder of some goods; what it leaves behind when it is ended goes with it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.work = folder, b""
        self._temporary = TemporaryDirectory(prefix="heapster-hand-", ignore_cleanup_errors=True)
        self.child = children.start([sys.executable, "-m", "heapster.checkers.jobs.hand"], cwd=folder,
                                    env={**os.environ, "TMPDIR": self._temporary.name}, stdin=children.PIPE,
                                    stdout=children.PIPE, stderr=children.DEVNULL)

    def end(self) -> None:
        """End it, and all that it has started."""
        children.dismiss(self.child)
        self._temporary.cleanup()


_own = local()                  # a hand for each thread of the worker


def do_pieces(goods: Goods, work: bytes, pieces: list[bytes], topic: str) -> list[Delivered]:
    """Do pieces that are handed out together; see `do_piece`."""
    return [do_piece(goods, work, piece, topic) for piece in pieces]


def do_piece(goods: Goods, work: bytes, piece: bytes, topic: str) -> Delivered:
    """Do a piece in the hand of this thread; what it tells is an event of the topic, as it comes.

    Raises HarnessError if the hand ends without an answer. Ends the hand if the piece is wanted no more.
    """
    hand = _hand_in(goods.unpacked())
    try:
        assert hand.child.stdin
        with suppress(BrokenPipeError):
            write_frame(hand.child.stdin, pickle.dumps((b"" if hand.work == work else work, piece)))
        hand.work = work
        return _heard(hand, topic)
    except BaseException:
        hand.end()
        _own.hand = None
        raise


def _hand_in(folder: Path) -> Hand:
    hand: Hand | None = getattr(_own, "hand", None)
    if hand is None or hand.folder != folder or hand.child.poll() is not None:
        if hand is not None:
            hand.end()
        hand = _own.hand = Hand(folder)
    return hand


def _heard(hand: Hand, topic: str) -> Delivered:
    from distributed import get_worker  # noqa: PLC0415  loaded where it is there, on workers
    worker = get_worker()
    key = worker.get_current_task()
    attempt = uuid4().hex
    data, told, answers = bytearray(), list[bytes](), list[bytes]()
    assert hand.child.stdout
    while len(answers) < 2:
        if not select([hand.child.stdout], [], [], LOOK)[0]:
            if not _is_wanted(worker, key):
                raise HarnessError("the piece is wanted no more")
            continue
        part = os.read(hand.child.stdout.fileno(), CHUNK)
        if not part:
            raise HarnessError(f"the process of a piece ended without an answer ({children.exit_code(hand.child)})")
        data += part
        for frame in taken_frames(data):
            if not answers and isinstance(answered(frame), Said):
                worker.log_event(topic, {"attempt": attempt, "place": len(told), "said": frame})
                told.append(frame)
            else:
                answers.append(frame)
    return Delivered(attempt, told, answers[0], float(answered(answers[1])))


def _is_wanted(worker: Any, key: Any) -> bool:
    """Whether whoever gave the piece is still there and wants it. A worker without scheduler is told nothing."""
    task = worker.state.tasks.get(key)
    return worker.status.name not in ENDING and task is not None and task.state in ("executing", "long-running")
