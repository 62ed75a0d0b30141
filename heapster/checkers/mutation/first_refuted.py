"""`python -m heapster.checkers.mutation.first_refuted [FOLDER [NAME...]]`: prove until a theorem is refuted; say which.

A hunter only asks whether: it neither meets programs nor keeps a finding. Proofs that nothing has changed for are not
run again; those of changed files come first. What no path meets any more is not refuted: there is no heap to show.
Exit code 1 if a theorem was refuted, else 0.
"""

import sys
from itertools import chain
from pathlib import Path

from heapster.checkers.proofs.catalogue import selected
from heapster.checkers.proofs.kept import kept_proofs
from heapster.checkers.proofs.runner import Proved, Runner, target_of

LONGEST = 100.0                 # seconds of processor time for one proof; whole ones take less


def first_refuted(folder: Path | None = None, *names: str) -> str:
    """The theorem that is refuted first, in words, of those named or of all; nothing if none is."""
    with kept_proofs(folder) as kept:
        runner = Runner(LONGEST, 1, folder, kept=kept)
        for outcome in chain.from_iterable(runner.run(selected(names, thorough=False))):
            if outcome.verdict is Proved.REFUTED:
                return f"REFUTED {outcome.theorem.name} of {target_of(folder)}"
    return ""


if __name__ == "__main__":
    said = first_refuted(Path(sys.argv[1]) if sys.argv[1:] else None, *sys.argv[2:])
    sys.stdout.write(f"{said}\n" if said else "")
    sys.exit(bool(said))
