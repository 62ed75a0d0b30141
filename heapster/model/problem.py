"""One form for all that the specification, the invariants, the lock-step and the schedules find wrong."""

from typing import NamedTuple


class Problem(NamedTuple):
    """Something that must not be; a finding is one with its trace."""

    code: str           # of the rule or the invariant that is broken: `heapster explain CODE`
    message: str        # how, without raw addresses
    where: int = 0      # the address that it is about, for whoever can name it; 0: none
