"""`python -m heapster.checkers.mutation.first_failure EXAMPLES SEED TARGET...`: fuzz until something is wrong.

A hunter only asks whether: it says what, and neither shrinks nor keeps. Exit code 1 if something was wrong, else 0.
"""

import sys

from heapster.checkers.fuzz.campaign import BATCH, SEED_STRIDE, FuzzOptions
from heapster.checkers.fuzz.stateful import Record, live_lives
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import make_for


def first_failure(examples: int, seed: int, target: str) -> str:
    """What goes wrong first in so many examples, in words; nothing if all goes well."""
    options = FuzzOptions()
    record = Record(make_for(grammar.parse(target)), options.policies, options.arenas, options.faults)
    for number in range(-(-examples // BATCH)):
        live_lives(record, seed * SEED_STRIDE + number, min(BATCH, examples - number * BATCH))
        if record.failure:
            return f"FAILED {record.failure[1].code}: {record.failure[1].message}"
    return ""


if __name__ == "__main__":
    asked = (first_failure(int(sys.argv[1]), int(sys.argv[2]), target) for target in sys.argv[3:])
    said = next(filter(None, asked), "")
    sys.stdout.write(f"{said}\n" if said else "")
    sys.exit(bool(said))
