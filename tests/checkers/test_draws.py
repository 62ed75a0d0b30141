"""A seed draws the same whatever modules are loaded."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
{}
from heapster.checkers.lockstep.run_trace import on_source
from heapster.checkers.fuzz.stateful import Record, live_lives
record = Record(on_source(), ("first_fit", "best_fit"), 2, True)
live_lives(record, 11, 3)
print(record.ops, sorted(record.checks.items()), sorted(record.witnesses.items()))
"""
CONSTANTS = "def f(x):\n    return x in (" + ", ".join(map(str, range(40, 400, 3))) + ")\n"


def test_constants_of_other_modules_change_no_draw(tmp_path: Path) -> None:
    (tmp_path / "someones.py").write_text(CONSTANTS)
    seen = [subprocess.run([sys.executable, "-c", SCRIPT.format(more), str(tmp_path)], capture_output=True, text=True,
                           check=True).stdout for more in ("", "import someones")]
    assert seen[0] == seen[1]
    assert seen[0]
