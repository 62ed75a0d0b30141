"""The system's answers to a stretch of steps, each call with the step that made it, and what they add up to."""

from collections.abc import Sequence

from heapster.machine.protocol import Call
from heapster.model.geometry import REFUSED
from heapster.model.system import Divergence, System, gained


class FootprintSystem(System):
    """As `System`, over many steps; it knows how much memory the allocator has."""

    __slots__ = ("_owners", "_step", "bytes", "total")

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0              # got and not given back
        self.total = 0              # calls
        self._owners: Sequence[int] = ()
        self._step = 0

    def expect(self, calls: Sequence[tuple[int, Call]]) -> None:
        """The calls of the stretch that follows."""
        self._calls = [call for _, call in calls]
        self._owners = [owner for owner, _ in calls]
        self._next = 0

    def begin(self, step: int) -> None:
        """The calls that follow are this step's."""
        self._step = step

    def done(self) -> None:
        """Divergence if the allocator made a further call in this step."""
        if self._next < len(self._owners) and self._owners[self._next] <= self._step:
            super().done()

    def _answer(self, name: str, arguments: tuple[int, ...]) -> int:
        if self._next < len(self._owners) and self._owners[self._next] != self._step:
            raise Divergence(f"predicted {name}, the allocator called nothing")
        answer = super()._answer(name, arguments)
        self.total += 1
        if answer != REFUSED:
            self.bytes += gained(name, arguments)
        return answer
