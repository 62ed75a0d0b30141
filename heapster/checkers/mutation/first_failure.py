"""`python -m heapster.checkers.mutation.first_failure EXAMPLES SEED [spans]`: fuzz until something is wrong; say what.

A hunter only asks whether: it neither shrinks nor keeps. Exit code 1 if something was wrong, else 0.
"""

import sys

from heapster.checkers.fuzz.campaign import BATCH, SEED_STRIDE, FuzzOptions
from heapster.checkers.fuzz.stateful import Record, live_lives
from heapster.checkers.lockstep.run_trace import on_source
from heapster.checkers.mutation.fault import SPANS
from heapster.checkers.targets.source import with_spans


def first_failure(examples: int, seed: int, *, spans: bool = False) -> str:
    """What goes wrong first in so many examples, in words; nothing if all goes well."""
    options = FuzzOptions()
    make = on_source(with_spans(), spans=True) if spans else on_source()
    record = Record(make, options.policies, options.arenas, options.faults)
    for number in range(-(-examples // BATCH)):
        live_lives(record, seed * SEED_STRIDE + number, min(BATCH, examples - number * BATCH))
        if record.failure:
            return f"FAILED {record.failure[1].code}: {record.failure[1].message}"
    return ""


if __name__ == "__main__":
    said = first_failure(int(sys.argv[1]), int(sys.argv[2]), spans=sys.argv[3:] == [SPANS])
    sys.stdout.write(f"{said}\n" if said else "")
    sys.exit(bool(said))
