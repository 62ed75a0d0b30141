"""The scheduler that follows what is written."""

from collections.abc import Sequence
from typing import Any

from heapster.machine.traced import STEP_LIMIT, Old, Segment


class Follow:
    """The schedule that is written; after its end, whoever runs goes on, or the first that can.

    `old` says which accesses meet an older write than the newest.
    """

    def __init__(self, segments: Sequence[Segment], old: Sequence[Old] = ()) -> None:
        self._segments = iter(segments)
        self._old = {each.question: each.back for each in old}
        self._questions = 0
        self._is_met = True

    def choose(self, m: Any, me: int, kind: str, target: int) -> int:
        """See `Chooser.choose`."""
        enabled = m.enabled()
        if me in enabled and m.steps != m.stop:
            return me
        if not enabled:
            raise m.deadlock()
        segment = next(self._segments, None)
        if segment is None:
            m.stop = STEP_LIMIT
            return me if me in enabled else int(enabled[0])
        m.stop = STEP_LIMIT if segment.points is None else m.steps + segment.points
        if segment.thread in enabled:
            return segment.thread
        self._is_met = False
        return int(enabled[0])

    def pick(self, m: Any, number: int) -> int:
        """See `Chooser.pick`."""
        self._questions += 1
        back = self._old.pop(self._questions, 0)
        self._is_met = self._is_met and back < number
        return min(back, number - 1)

    def fits(self) -> bool:
        """Whether all that is written could be done."""
        return self._is_met and not self._old and next(self._segments, None) is None
