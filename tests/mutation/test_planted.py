"""One class of planted faults, one `plant`, a table and a hunter for each checker; what is missed fails the run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from heapster.checkers.findings.codes import explanations
from heapster.checkers.mutation import campaign, hunt_proofs, planted
from heapster.checkers.mutation.campaign import FaultCampaign, HuntResult
from heapster.checkers.mutation.fault import Edit, Fault, Kill, StaleFault, plant
from heapster.checkers.mutation.missed import missed, survived
from heapster.checkers.mutation.planted import TABLES, FaultTable
from heapster.cli import main
from heapster.commands import mutate
from heapster.commands.usage import mutate as usage
from heapster.reports import jsonfile

SURVIVOR = HuntResult("impl/block.py", 7, "comparison", "if a < b:", "if a <= b:", "survived")
EVERY = [fault for table in TABLES.values() for fault in table.faults]


def test_the_line_names_the_tables() -> None:
    assert tuple(TABLES) == usage.TABLES


@pytest.mark.parametrize("by", TABLES)
def test_a_table_says_who_hunts_and_what_must_notice(by: str) -> None:
    faults = TABLES[by].faults
    assert {fault.by for fault in faults} == {by}
    assert all(fault.caught_by for fault in faults)
    assert len({fault.title for fault in faults}) == len(faults) >= 10


@pytest.mark.parametrize("fault", EVERY, ids=lambda fault: f"{fault.by}-{fault.title}")
def test_every_fault_fits_the_source(fault: Fault, tmp_path: Path) -> None:
    root = plant(fault, tmp_path)
    assert all(edit.new in (root / edit.file).read_text(encoding="utf-8") for edit in fault.edits)


@pytest.mark.parametrize("edit", [Edit("block.py", "no such line", ""), Edit("block.py", "return", ""),
                                  Edit("gone.py", "x", "")])
def test_a_fault_that_does_not_fit_once_is_stale(edit: Edit, tmp_path: Path) -> None:
    with pytest.raises(StaleFault, match="times in"):
        plant(Fault("stale", (edit,)), tmp_path)


def written() -> Mapping[str, Any]:
    """The run that a command has written, which the schema allows."""
    value: Mapping[str, Any] = json.loads(Path("m.json").read_text(encoding="utf-8"))
    jsonschema.validate(value, jsonfile.schema())
    return value


@pytest.mark.parametrize("by", TABLES)
def test_a_missed_fault_is_a_finding(by: str, empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = TABLES[by].faults[0]
    monkeypatch.setattr(mutate, "TABLES", {by: FaultTable((fault,), lambda fault, seed: Kill(fault, ("another",)))})
    assert main(["mutate", "--by", by, "--json", "m.json"]) == 1
    run = written()
    assert [(found["code"], fault.title in found["title"]) for found in run["findings"]] == [("fault_missed", True)]
    assert (run["missed"], run["kills"][0]["by"]) == ([fault.title], by)


def test_a_fault_that_its_theorem_misses_is_a_finding(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hunt_proofs, "hunt", lambda fault, runner: Kill(fault))
    assert main(["prove", "--faults", "split_conserves_bytes", "--json", "m.json"]) == 1
    assert {found["code"] for found in written()["findings"]} == {"fault_missed"}


def test_a_survivor_is_a_finding(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutate, "campaign", lambda *_: FaultCampaign([SURVIVOR], interrupted=False, useless=()))
    assert main(["mutate", "--random", "1", "--seed", "3", "--json", "m.json"]) == 1
    (found,) = written()["findings"]
    assert (found["code"], found["details"]) == ("fault_survived", ["- if a < b:", "+ if a <= b:"])
    assert found["replay"] == "heapster mutate --random 1 --seed 3"


def test_what_was_noticed_is_none() -> None:
    fault = planted.TABLES["fuzz"].faults[0]
    assert missed([Kill(fault, (fault.caught_by,))]) == ()
    assert survived([{**vars(SURVIVOR), "verdict": "killed"}], "") == ()
    assert {"fault_missed", "fault_survived"} <= explanations().keys()
    assert campaign.counts([SURVIVOR])["survived"] == 1
