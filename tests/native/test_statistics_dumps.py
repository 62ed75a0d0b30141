"""Figures by arena and in sum, from running programs: at exit, and whenever a signal asks."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from heapster.native.library import PRELOAD, libraries

SUMMED = ("total_bytes", "free_bytes", "free_blocks", "calls")
THREADS = """
import os, signal, threading, time
kept = []
def work():
    kept.extend(bytes(1000 + i) for i in range(200))
alive = lambda: len(os.listdir("/proc/self/task"))
before = alive()
threads = [threading.Thread(target=work) for _ in range(3)]
[t.start() for t in threads]; [t.join() for t in threads]
while alive() > before:         # who is joined gives back its cache a moment later
    time.sleep(0.001)
large = bytes(500000)
"""
ASK = """
file = os.environ["HEAPSTER_STATS_FILE"]
os.kill(os.getpid(), signal.SIGUSR1)
for _ in range(1000):
    if os.path.exists(file) and os.path.getsize(file):
        break
    time.sleep(0.01)
"""


def run(program: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "LD_PRELOAD": str(libraries() / PRELOAD), **settings}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)


def dumps(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_figures_of_arenas_and_mappings_add_up(tmp_path: Path) -> None:
    run(THREADS, HEAPSTER_STATS_FILE=str(tmp_path / "s"))
    dump, = dumps(tmp_path / "s")
    assert [key for part in dump["arenas"] for key in part if key in ("arena", "mappings")].count("mappings") == 1
    for figure in SUMMED:
        assert sum(part[figure] for part in dump["arenas"]) == dump[figure]
    for unit in ("bytes", "blocks"):        # an arena does not know which of its blocks threads keep
        assert sum(part[f"used_{unit}"] for part in dump["arenas"]) == dump[f"used_{unit}"] + dump[f"cached_{unit}"]
    assert max(part["largest_free"] for part in dump["arenas"]) == dump["largest_free"]


def test_the_table_has_a_line_for_each(tmp_path: Path) -> None:
    said = run(THREADS, HEAPSTER_STATS="1").stderr
    assert "  arena     0" in said
    assert "  mappings" in said


def test_a_signal_makes_a_running_program_dump_them(tmp_path: Path) -> None:
    run(THREADS + ASK, HEAPSTER_STATS_FILE=str(tmp_path / "s"), HEAPSTER_STATS_SIGNAL=str(int(signal.SIGUSR1)))
    first, last = dumps(tmp_path / "s")
    assert first["process"] == last["process"]
    assert first["calls"] < last["calls"]


@pytest.mark.parametrize("value", ["0", "65", "USR1"])
def test_what_is_no_signal_is_said_and_ignored(value: str) -> None:
    assert f"HEAPSTER_STATS_SIGNAL={value} ignored" in run("pass", HEAPSTER_STATS_SIGNAL=value).stderr


REUSES = """
import os
own = os.open({own!r}, os.O_RDWR | os.O_CREAT)
for number in range(3, 256):
    if number != own:
        os.dup2(own, number)
"""
CLOSES = "os.dup2(own, 2)\n"


@pytest.mark.parametrize(("closes", "table"), [("", True), (CLOSES, False)])
def test_a_program_that_takes_every_number_for_its_file_gets_no_figures_into_it(
        tmp_path: Path, closes: str, table: bool) -> None:
    """The copy of stderr is not written to where it is none any more; stderr itself is, where it still is."""
    own = tmp_path / "data"
    said = run(REUSES.format(own=str(own)) + closes, HEAPSTER_STATS="1").stderr
    assert own.read_bytes() == b""
    assert ("  mappings" in said) == table


def test_few_descriptors_are_enough_for_the_table() -> None:
    """Where the copy's number is beyond what the process may have, stderr itself is written to."""
    done = subprocess.run(["sh", "-c", 'ulimit -n 64; exec "$0" -c pass', sys.executable], check=True, text=True,
                          env={**os.environ, "LD_PRELOAD": str(libraries() / PRELOAD), "HEAPSTER_STATS": "1"},
                          capture_output=True)
    assert "  arena     0" in done.stderr
