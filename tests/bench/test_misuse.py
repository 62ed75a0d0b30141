"""`heapster bench --misuse`: programs that misuse an allocator, and what becomes of them."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import jsonschema
import pytest

from heapster.checkers.bench.misuse.cases import ALLOWED, EXITS, HERE, Case, Fate, cases, chosen, program
from heapster.checkers.bench.misuse.results import run_of
from heapster.checkers.bench.misuse.running import Reported, Tried
from heapster.checkers.bench.targets import Candidate, Field
from heapster.cli import main
from heapster.reports import jsonfile
from heapster.reports.html.page import page
from heapster.results import Run, UsageError, Verdict

pytestmark = pytest.mark.usefixtures("empty_folder")
LEAST = 80                          # programs


def made_up(ends: Mapping[str, Fate], promise: str) -> Run:
    """The run of one program under the targets, which ended so."""
    case = Case("double free", "twice", promise, "a block is freed twice")
    field = Field(tuple(Candidate(name) for name in ends))
    tried = Tried({(case.name, name): Reported(outcome, "words") for name, outcome in ends.items()}, 1.0)
    return run_of((case,), field, tried, frozenset())


def test_there_are_many_programs_of_each_kind_and_no_name_is_borne_twice() -> None:
    known = cases(program())
    assert len(known) >= LEAST
    assert len({case.name for case in known}) == len(known)
    assert {case.promise for case in known} <= ALLOWED.keys()
    assert len({case.kind for case in known}) == 5


def test_the_exit_codes_are_those_of_the_program() -> None:
    text = (HERE / "exits.h").read_text(encoding="utf-8")
    codes = {name.lower(): int(code) for name, code in re.findall(r"(\w+) = (\d+)", text)}
    assert codes.pop("broken") not in EXITS
    assert codes == {{"fault": "faulted", "attack": "attacked"}.get(outcome.value, outcome.value): code
                     for code, outcome in EXITS.items()}


def test_ours_keeps_what_it_promises(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--misuse", "--targets", "native", "--json", "m.json", "--markdown", "m.md"]) == 0
    run = json.loads(Path("m.json").read_text(encoding="utf-8"))
    jsonschema.validate(run, jsonfile.schema())
    every = run["misuse"]["cases"]
    assert all(Fate(case["targets"]["native"]["outcome"]) in ALLOWED[case["promise"]] for case in every.values())
    counts = run["misuse"]["kinds"]["all kinds"]["native"]
    assert sum(counts.values()) == len(every) and counts["told"] > 0
    assert "| told |" in Path("m.md").read_text(encoding="utf-8").replace("target |", "|")
    assert capsys.readouterr().out.splitlines()[-1].startswith("PASSED")
    assert "twice-mapped" in page([run], [])


def test_an_attack_that_was_to_be_told_is_a_finding_of_ours_alone() -> None:
    run = made_up({"native": Fate.ATTACK, "libc": Fate.ATTACK}, "told")
    assert run.verdict is Verdict.FAILED
    assert [finding.code for finding in run.findings] == ["misuse_unnoticed"]
    assert run.findings[0].title.startswith("native: twice ends as attack")
    assert run.extra["misuse"]["kinds"]["double free"]["libc"]["attack"] == 1


@pytest.mark.parametrize("promise", sorted(ALLOWED))
def test_each_promise_allows_the_better_ends_too(promise: str) -> None:
    order = list(Fate)
    kept = [outcome for outcome in order if made_up({"native": outcome}, promise).verdict is Verdict.PASSED]
    assert kept == order[:len(kept)] and Fate.TOLD in kept


def test_programs_are_chosen_by_name_and_by_kind(capsys: pytest.CaptureFixture[str]) -> None:
    known = (Case("leak", "a", "quiet", ""), Case("overflow", "b", "told", ""), Case("overflow", "c", "told", ""))
    assert chosen(known, ()) == known
    assert chosen(known, ("overflow",)) == known[1:]
    assert chosen(known, ("a", "c")) == (known[0], known[2])
    with pytest.raises(UsageError, match="'d' is no misuse; kinds are leak, overflow"):
        chosen(known, ("d",))
    assert main(["bench", "--misuse", "--targets", "libc", "--workloads", "interior"]) == 0
    assert "libc" in capsys.readouterr().out
    assert main(["bench", "--misuse", "--rounds", "3"]) == 2
