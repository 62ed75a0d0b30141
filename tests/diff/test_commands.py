"""`diff`, `score`, `trace` and `record` as they are called: tables, files, exit codes, one line for an error."""

import json
import sys
from pathlib import Path

import jsonschema
import pytest

from heapster.checkers.mutation.fault import plant
from heapster.checkers.mutation.fuzz_faults import FAULTS
from heapster.cli import main
from heapster.reports.jsonfile import schema

pytestmark = pytest.mark.usefixtures("empty_folder")
Capture = pytest.CaptureFixture[str]


def test_a_program_is_recorded_compared_and_scored(capfd: Capture) -> None:
    assert main(["record", "-o", "t", "--", sys.executable, "-c", "print(sum(range(10)))"]) == 0
    assert main(["diff", "t", "--policy", "first_fit,best_fit", "--json", "d.json"]) == 0
    assert main(["score", "t", "--targets", "native:first_fit,libc", "--json", "s.json"]) == 0
    said = capfd.readouterr().out
    assert said.startswith("45\n")
    assert "first_fit" in said
    for name in ("d.json", "s.json"):
        run = json.loads(Path(name).read_text())
        jsonschema.validate(run, schema())
        column, row = next(iter(run["table"]["t"].items()))
        assert (column, row["target"]) == ("first_fit", "native:first_fit")


def test_a_wrong_copy_is_a_finding_that_can_be_replayed(tmp_path: Path, capfd: Capture) -> None:
    fault = next(fault for fault in FAULTS if fault.title == "next fit begins at the head each time")
    folder = str(plant(fault, tmp_path))
    assert main(["trace", "generate", "exponential", "t", "--steps", "3000", "--seed", "2"]) == 0
    assert main(["diff", "t", "--policy", "next_fit", "--targets", folder, "--json", "d.json"]) == 1
    run = json.loads(Path("d.json").read_text())
    jsonschema.validate(run, schema())
    assert main(["replay", run["findings"][0]["id"]]) == 1
    assert run["findings"][0]["code"] in capfd.readouterr().out


def test_traces_are_converted_and_described(capfd: Capture) -> None:
    assert main(["trace", "convert", "sqlite3", "s.rep"]) == 0
    assert main(["trace", "info", "s.rep"]) == 0
    assert main(["trace", "head", "s.rep", "-n", "2"]) == 0
    said = capfd.readouterr().out.splitlines()
    assert said[0] == "s.rep: CS:APP's malloc lab"
    assert said[-1] == "b = malloc(48)"


@pytest.mark.parametrize(("arguments", "code", "said"), [
    (["diff", "nope"], 2, "nope: no such file, and no shipped trace (gcc, python3, sqlite3)"),
    (["diff", "/dev/null"], 2, "/dev/null is no regular file"),
    (["diff", sys.executable], 2, "this is not text"),
    (["diff", "gcc", "--targets", "native:fast"], 2, "unknown policy 'fast'"),
    (["diff", "gcc", "--targets", "libcc"], 2, "did you mean libc?"),
    (["diff", "gcc", "--targets", "process"], 2, "diff cannot take process, the real memory"),
    (["diff", "gcc", "--targets", "./no.so"], 4, "No such file"),
    (["score", "gcc", "--targets", "libcc"], 2, "did you mean libc?"),
    (["score", "gcc", "--targets", "./no.so"], 4, "No such file"),
    (["record", "-o", "no/t", "--", "true"], 2, "there is no folder no"),
    (["record", "-o", "t", "--", "./no"], 2, "no such program"),
    (["trace", "convert", "gcc", "no/t"], 2, "no/t cannot be written"),
    (["trace", "generate", "rnadom", "t"], 2, "unknown workload 'rnadom'")])
def test_an_error_is_one_line(arguments: list[str], code: int, said: str, capfd: Capture) -> None:
    assert main(arguments) == code
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("heapster: ")]
    assert len(errors) == 1
    assert said in errors[0]
    assert not Path("t").exists()
