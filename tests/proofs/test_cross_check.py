"""`heapster prove --cross-check`: a second solver is asked whatever the first calls impossible."""

import json
from pathlib import Path
from typing import Any

import pytest
import z3

from heapster.checkers.mutation.fault import one_edit, plant
from heapster.checkers.proofs import BITS, INTEGERS
from heapster.checkers.proofs.catalogue import PROOFS
from heapster.checkers.proofs.runner import explored
from heapster.cli import main
from heapster.machine import solvers
from heapster.machine.linear import Infeasible
from heapster.machine.paths import integers, paths
from heapster.machine.solvers import SecondOpinion


def prove(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["heapster", "prove", "--cross-check", "--jobs", "1", *words])
    try:
        return main() or 0
    except SystemExit as end:
        return int(end.code or 0)


class Lying(solvers.Solver):
    """z3 calls it impossible that any claim is false."""

    def __init__(self, first: Any, second: SecondOpinion | None = None) -> None:
        assert second is not None
        check = first.check
        first.check = lambda *more: z3.unsat if second.about else check(*more)
        super().__init__(first, second)


@pytest.mark.parametrize(("of", "encoding"), [("retained.take_from", INTEGERS), ("block.block_size", BITS)])
def test_what_z3_calls_impossible_is_asked_again(of: str, encoding: str) -> None:
    """Words as integers and as vectors."""
    proof = next(proof for proof in PROOFS if proof.of == of)
    said = explored(proof, encoding, cross_check=True)["second"]
    assert sum(said["unsat"].values()) > 0
    assert not said["sat"] and not said["unknown"]


def test_a_wrong_answer_of_z3_is_told_of_all_that_may_stand_on_it(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A source that loses a last page, of which z3 says that it cannot: nobody calls that proved."""
    broken = plant(one_edit("", "retained", "if rest != 0:", "if rest > PAGE:", ""), tmp_path)
    monkeypatch.setattr("heapster.machine.trail.Solver", Lying)
    code = prove(monkeypatch, str(broken), "the_rest_is_first", "--json", str(tmp_path / "p.json"))
    told = json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))
    assert (code, told["verdict"]) == (3, "inconclusive")
    assert told["cross_check"]["agreed"] < told["cross_check"]["asked"]
    assert told["cross_check"]["doubted"] == {
        "what_is_taken_is_not_kept": "cvc5 calls possible what z3 calls impossible"}
    assert {row["verdict"] for row in told["theorems"]} == {"UNKNOWN"}
    assert "  what_is_taken_is_not_kept: cvc5 calls possible" in capsys.readouterr().out


def test_what_cvc5_cannot_say_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Answer:
        def isUnsat(self) -> bool:  # noqa: N802  # cvc5's name
            return False

        isSat = isUnsat     # noqa: N815

    note = SecondOpinion.note
    monkeypatch.setattr(SecondOpinion, "note", lambda self, _: note(self, Answer()))
    assert prove(monkeypatch, "the_rest_is_first", "--json", str(tmp_path / "p.json")) == 3
    told = json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))
    assert {row["verdict"] for row in told["theorems"]} == {"UNKNOWN"}
    assert {row["reason"] for row in told["theorems"]} == {"cvc5 cannot say whether what z3 calls impossible is"}


def test_agreement_is_counted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert prove(monkeypatch, "the_rest_is_first") == 0
    assert "cross-check: cvc5 agrees with 52 of 52 answers of z3" in capsys.readouterr().out


def test_without_cvc5_it_says_what_to_install(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("heapster.commands.prove.find_spec", lambda name: None if name == "cvc5" else object())
    assert prove(monkeypatch, "the_rest_is_first") == 4
    assert "--cross-check needs cvc5: pip install 'heapster[cross-check]'" in capsys.readouterr().err


def test_each_scope_is_asked_with_all_that_it_asserts() -> None:
    """What a path took back has no part in what is asked on the next."""
    def body(path: Any) -> None:
        word = path.word("word", 0, 9)
        if path.choose(2):
            path.require(word + path.word("another", 0, 9), "<", 5)
            if word == 7:
                raise AssertionError
        elif word == 7:
            raise Infeasible

    second = SecondOpinion()
    list(paths(integers(second), body))
    assert second.answers["unsat"].total() > 0
    assert not second.answers["sat"]
