"""The processor time that looking for lines may take in a run: it grows with what the run itself was given."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from heapster.children import processor_seconds
from heapster.wording import counted

SHARE, LEAST = 2.0, 8.0         # times a run's seconds; and seconds at least
OF_TRIES = 0.5                  # of the whole, that is left to try variants in however long it took to compile them
IN_VAIN = 0.5                   # of the whole, that one finding may take while nothing is found


class LineBudget:
    """Counts the time of this process and of all that works for it, while it is told to; `judges` tell their own."""

    def __init__(self, run_seconds: float, judges: Callable[[], float]) -> None:
        self.seconds = max(SHARE * run_seconds, LEAST)
        self._run_seconds, self._judges = run_seconds, judges
        self._until = self.seconds
        self._taken = self._started = self._compiled = 0.0
        self.has_ended = False

    @property
    def most(self) -> float:
        """Seconds that it comes to at most, but for what is being done when they are over."""
        return self.seconds * (1 + OF_TRIES)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count what is done meanwhile."""
        self._started, self._compiled = self._now(), 0.0
        try:
            yield
        finally:
            self._taken += self._now() - self._started
            self._started = 0.0

    @contextmanager
    def compiling(self) -> Iterator[None]:
        """Leave something of it for what comes after."""
        before = self._now()
        try:
            yield
        finally:
            self._compiled += self._now() - before
            self._until = max(self._until, self._now_taken() + OF_TRIES * self.seconds)

    def is_up(self) -> bool:
        """Whether no time is left."""
        is_up = self._now_taken() > self._until
        self.has_ended |= is_up
        return is_up

    def is_in_vain(self) -> bool:
        """Whether what is counted has taken long enough, if nothing was found; compiling is for all that comes."""
        is_over = self._now() - self._started - self._compiled > IN_VAIN * self.seconds
        self.has_ended |= is_over
        return is_over

    def words(self) -> str:
        """For people: that it is over, and how to give it more."""
        return (f"all other ways to write a line: the search ended at its {counted(round(self.seconds), 'second')} of "
                f"processor time (fuzz --seconds {2 * self._run_seconds:g} gives it twice as many)")

    def words_of_tries(self, tries: int) -> str:
        """For people: that not all was tried that is as likely, and how to try more."""
        return (f"all other ways to write a line: {tries} were tried (fuzz --seconds {2 * self._run_seconds:g} tries "
                "twice as many)")

    def _now(self) -> float:
        return processor_seconds() + self._judges()

    def _now_taken(self) -> float:
        return self._taken + (self._now() - self._started if self._started else 0.0)
