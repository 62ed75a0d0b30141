"""The orders of atomic operations, and the machine's atomic operations by order: what all readings take them from."""

from collections.abc import Mapping
from typing import NamedTuple

RELAXED, ACQUIRE, RELEASE, ACQ_REL, SEQ_CST = 0, 1, 2, 3, 7     # bits: acquires, releases, is in the one order of all
SEQUENTIAL = SEQ_CST & ~ACQ_REL
ORDER_NAMES: Mapping[int, str] = {      # as LLVM writes them
    RELAXED: "monotonic", ACQUIRE: "acquire", RELEASE: "release", ACQ_REL: "acq_rel", SEQ_CST: "seq_cst"}


class Atomic(NamedTuple):
    """An atomic operation of the machine."""

    kind: str                   # "load", "store", "cas" or "exchange"
    order: int
    weaker: str = ""            # the same operation without the order

    @property
    def failed(self) -> int:
        """The order of a compare-and-swap that does not swap: a load."""
        return self.order & ~RELEASE & ~SEQUENTIAL


ATOMICS: Mapping[str, Atomic] = {
    "load_relaxed": Atomic("load", RELAXED),
    "load_acquire": Atomic("load", ACQUIRE, "load_relaxed"),
    "store_relaxed": Atomic("store", RELAXED),
    "store_release": Atomic("store", RELEASE, "store_relaxed"),
    "cas_relaxed": Atomic("cas", RELAXED),
    "cas_release": Atomic("cas", RELEASE, "cas_relaxed"),
    "exchange_relaxed": Atomic("exchange", RELAXED),
    "exchange_acquire": Atomic("exchange", ACQUIRE, "exchange_relaxed"),
}
