"""What machines share on which one thread at a time runs: atomics in one step, system calls refused as planned."""

from .protocol import SYSTEM_CALLS


class SequentialAtomics:
    """Read-modify-writes of plain loads and stores: no other thread runs meanwhile."""

    def load(self, address: int) -> int:
        """See `Machine.load`."""
        raise NotImplementedError

    def store(self, address: int, value: int) -> None:
        """See `Machine.store`."""
        raise NotImplementedError

    def cas_relaxed(self, address: int, expected: int, value: int) -> int:
        """See `Machine.cas_relaxed`."""
        found = self.load(address)
        if found == expected:
            self.store(address, value)
        return found

    def exchange_relaxed(self, address: int, value: int) -> int:
        """See `Machine.exchange_relaxed`."""
        found = self.load(address)
        self.store(address, value)
        return found

    cas_release = cas_relaxed
    exchange_acquire = exchange_relaxed


class PlannedRefusals:
    """System calls that are counted, so that some of them can be refused."""

    def __init__(self) -> None:
        self._made = dict.fromkeys(SYSTEM_CALLS, 0)
        self._refuse: set[tuple[str, int]] = set()
        self._refuses_all: set[str] = set()

    def refuse(self, name: str, nth: int) -> None:
        """Plan that the `nth` call of `name` from now on (1 is the next) is refused; 0: each, until one is planned."""
        self._refuses_all.discard(name)
        if nth == 0:
            self._refuses_all.add(name)
        self._refuse.add((name, self._made[name] + nth))

    def _is_refused(self, name: str) -> bool:
        """Count a call of `name`; whether it is refused."""
        self._made[name] += 1
        return name in self._refuses_all or (name, self._made[name]) in self._refuse
