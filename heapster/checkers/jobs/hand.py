"""The hand of a worker of a cluster: a process of its own, which does one piece of work after the other.

It reads frames: a pickled work, or nothing where that is the one before, and a pickled piece. It serves as a forked
child does, see `forked`. So a piece runs in the main thread of a process that has no other, may fork and hear signals
as anywhere, and can be ended in the middle with all that it has started.
"""

import os
import pickle
import sys
from functools import partial
from typing import Any

from heapster.checkers.jobs.forked import Tell, answer_timed, read_frame
from heapster.signals import leave_to_parent


def main() -> None:
    """Work until nobody gives work any more."""
    leave_to_parent()
    pipe = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())       # what targets print is no answer
    given: bytes = b""
    while (frame := read_frame(sys.stdin.buffer)) is not None:
        work, piece = pickle.loads(frame)       # noqa: S301  the worker whose hand this is has it from its coordinator
        given = work or given
        answer_timed(partial(_done, given, piece), pipe)


def _done(work: bytes, piece: bytes, tell: Tell) -> Any:
    global _last                                # noqa: PLW0603  what the work has opened serves the next piece as well
    if _last is None or _last[0] != work:
        _last = work, pickle.loads(work)        # noqa: S301  as above
    return _last[1](pickle.loads(piece), tell)  # noqa: S301  as above


_last: tuple[bytes, Any] | None = None


if __name__ == "__main__":
    main()
