"""Of which build of the source a proof holds: most of both, some of what is built with spans alone, some not of that.

With spans, what is not about runs is proved of a heap without a reservation: blocks are then what they are without
spans, and what is different where a pointer leads into the reservation is proved of runs, of slots, and of each
function that asks.
"""

from enum import Enum

from heapster.checkers.proofs import Proof


class Build(Enum):
    """How the source is read in a proof."""

    PLAIN = "without spans"
    BLOCKS = "with spans, where there is no reservation"
    RUNS = "with spans"


# Proofs that hold of the source without spans alone, by what every proof has.
PLAIN_ALONE = frozenset({
    "classes_class_for_request_stays_within_the_laws",      # of slots, which have no header, it is another
    "malloc_cached_aligned_stays_within_the_laws",          # nothing is aligned by chance
})


def build_of(proof: Proof, *, spans: bool) -> Build:
    """How it reads the source, if what is built with spans is asked about, or not."""
    if proof.spans:
        return Build.RUNS
    return Build.BLOCKS if spans else Build.PLAIN


def is_of(proof: Proof, *, spans: bool) -> bool:
    """Whether it is a proof of that: of all, or of what is built with spans."""
    return not spans or proof.spans or proof.stays not in PLAIN_ALONE
