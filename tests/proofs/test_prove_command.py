"""`heapster prove` as people meet it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from heapster.checkers.mutation.fault import one_edit, plant
from heapster.checkers.proofs.catalogue import selected, theorems
from tests.processes import interruptible, wait_for_child

HEAPSTER = [sys.executable, "-m", "heapster"]
COMMAND = [*HEAPSTER, "prove", "--fresh"]      # whatever was proved here before
WITHOUT_Z3 = """
import sys
from importlib import util
find = util.find_spec
util.find_spec = lambda name, *more: None if name == "z3" else find(name, *more)
from heapster.cli import main
sys.argv = ["heapster", "prove", "block"]
sys.exit(main())
"""


def prove(*words: str, **how: Any) -> Any:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False, **how)


def replay(*words: str, **how: Any) -> Any:
    return subprocess.run([*HEAPSTER, "replay", *words], capture_output=True, text=True, check=False, **how)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A folder with a copy of impl in which a block that becomes used forgets its left neighbour."""
    fault = one_edit("", "block", "(OWNER_MASK | PREV_USED)", "OWNER_MASK", "")
    return plant(fault, tmp_path).rename(tmp_path / "broken")


def test_list_names_every_claim_with_its_bound() -> None:
    run = prove("--list")
    assert run.returncode == 0
    for theorem in theorems(selected((), thorough=False)):
        assert f"{theorem.name:<52} {theorem.bound}" in run.stdout


def test_what_is_proved_is_written(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    run = prove("block.split", "--json", str(file))
    written = json.loads(file.read_text(encoding="utf-8"))
    assert (run.returncode, written["verdict"]) == (0, "passed")
    assert {row["verdict"] for row in written["theorems"]} == {"PROVED"}
    assert set(written["theorems"][0]) >= {"name", "claim", "bound", "verdict", "paths", "seconds"}
    assert "assumed" in run.stdout


def test_what_is_kept_from_before_is_told_and_counted(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    found = [subprocess.run([*HEAPSTER, "prove", *more, "block.size", "--json", "p.json"], cwd=tmp_path, text=True,
                            capture_output=True, check=False, env=environment)
             for more in ((), (), ("--fresh",))]
    assert [run.returncode for run in found] == [0, 0, 0]
    assert [("kept from before" in run.stdout, " kept\n" in run.stdout) for run in found] == [
        (False, False), (True, True), (False, False)]
    assert not any(row["kept"] for row in json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))["theorems"])


def test_an_unknown_name_gets_a_suggestion() -> None:
    run = prove("split_conserve_bytes")
    assert run.returncode == 2
    assert "did you mean split_conserves_bytes?" in run.stderr


def test_no_time_is_inconclusive() -> None:
    run = prove("region.coalesce", "--timeout", "0.01")
    assert run.returncode == 3
    assert "UNKNOWN" in run.stdout


def test_without_z3_it_says_what_to_install() -> None:
    run = subprocess.run([sys.executable, "-c", WITHOUT_Z3], capture_output=True, text=True, check=False)
    assert run.returncode == 4
    assert "pip install 'heapster[prove]'" in run.stderr


def test_an_interrupted_run_says_what_it_had_proved(tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    with interruptible(*COMMAND, "block", "api.realloc", "--json", file, stdout=subprocess.PIPE,
                       stderr=subprocess.DEVNULL, text=True) as process:
        wait_for_child(process.pid)
        os.kill(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in out
    assert json.loads(file.read_text(encoding="utf-8"))["interrupted"]


def test_a_broken_copy_is_refuted_kept_and_replayed(broken: Path) -> None:
    run = prove("broken", "block.write_used", "--json", "p.json", cwd=broken.parent)
    assert run.returncode == 1
    program, refuted = json.loads((broken.parent / "p.json").read_text(encoding="utf-8"))["findings"]
    assert (program["code"], program["trace"]) == ("flags_agree_with_neighbours", ["a = malloc(0)"])    # by itself
    assert refuted["counterexample"].startswith("p1:using_a_block_keeps_owner_and_left:")
    for word in (program["id"], refuted["id"]):
        assert (replay(word, cwd=broken.parent).returncode, f"heapster replay {word}" in run.stdout) == (1, True)
    mended = replay(refuted["counterexample"])
    assert (mended.returncode, mended.stdout) == (
        0, "PASSES: using_a_block_keeps_owner_and_left holds of these words on sim\n")


@pytest.mark.parametrize(("words", "code", "message"), [
    (("empty",), 4, "empty holds no copy of impl"),
    (("broken", "no_theorem"), 2, "no theorem is called no_theorem"),
    (("broken", "block", "--faults"), 2, "leave out the folder"),
])
def test_targets_that_cannot_be_proved(broken: Path, words: Any, code: int, message: str) -> None:
    (broken.parent / "empty").mkdir()
    run = prove(*words, cwd=broken.parent)
    assert (run.returncode, message in run.stderr) == (code, True)


def test_a_copy_whose_own_asserts_fail_is_refuted_too(broken: Path) -> None:
    """No program can run on it, and the output says why."""
    layout = broken / "layout.py"
    layout.write_text(layout.read_text(encoding="utf-8").replace("MAX_WORD = (1 << 63) - 1", "MAX_WORD = 1 << 63"),
                      encoding="utf-8")
    run = prove("broken", "layout", cwd=broken.parent)
    assert run.returncode == 1
    assert "replayed on the simulated machine" in run.stdout
    assert "no program can run" in run.stdout and "== MAX_WORD" in run.stdout


def test_a_copy_that_cannot_be_loaded_is_said_so(broken: Path) -> None:
    (broken / "block.py").write_text("def", encoding="utf-8")
    run = prove("broken", "block", cwd=broken.parent)
    assert (run.returncode, "broken cannot be loaded" in run.stderr) == (4, True)


def test_the_calls_of_a_trace_that_theorems_reach_are_counted(tmp_path: Path) -> None:
    trace, file = tmp_path / "t.trace", tmp_path / "p.json"
    trace.write_text("cache 262144\na = malloc(24)\nfree(a)\nb = malloc(200000)\n", encoding="utf-8")
    run = prove("--covers", str(trace), "--json", str(file))
    told = json.loads(file.read_text(encoding="utf-8"))["coverage"]
    assert (run.returncode, told["steps"]) == (0, 3)
    assert told["share"] == round(sum(told["reached"].values()) / 3, 4)
    assert told["reached"]["mapping_keeps_the_list_and_the_totals"] == 1
    assert f"{told['share']:.1%} of 3 calls" in run.stdout


def test_generated_programs_are_measured() -> None:
    run = prove("--covers", "--fuzz", "0.5")
    assert run.returncode == 0
    assert "refilling_keeps_every_clause_of_any_heap" in run.stdout


@pytest.mark.parametrize("words", [("--fuzz", "1"), ("block", "--covers"), ("--covers", "no-such-trace")])
def test_what_cannot_be_measured_is_said_in_a_line(words: Any) -> None:
    run = prove(*words)
    assert (run.returncode, run.stderr.count("\n")) == (2, 1)
