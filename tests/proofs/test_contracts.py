"""The clauses of the docstrings and the theorems pair one to one."""

from collections import Counter
from pathlib import Path

from heapster import impl
from heapster.checkers.mutation.proof_faults import FAULTS
from heapster.checkers.proofs.catalogue import PROOFS, theorems
from heapster.checkers.proofs.contracts import clauses, ensured, shown
from heapster.checkers.proofs.layout_spec import not_drawn
from heapster.checkers.proofs.unproved import UNPROVED, without_theorem
from heapster.impl import layout

IMPL = Path(impl.__file__).parent


def test_every_clause_has_its_theorem_and_every_theorem_its_clause() -> None:
    promised, proved = Counter(ensured(IMPL)), Counter(shown())
    assert promised - proved == Counter(), "clauses that nothing proves"
    assert proved - promised == Counter(), "theorems whose clause no docstring has"


def test_clauses_are_parted_by_semicolons() -> None:
    text = "Do.\n\nRequires: a; b.\nEnsures:  first one;\n          the second.\n"
    assert clauses(text) == ["first one", "the second"]
    assert clauses("Nothing to ensure.") == []


def test_names_are_unique() -> None:
    names = [theorem.name for theorem in theorems()]
    assert [name for name, times in Counter(names).items() if times > 1] == []


def test_every_constant_is_drawn() -> None:
    assert not_drawn(layout) == []


def test_every_proved_function_exists() -> None:
    for proof in PROOFS:
        module, _, function = proof.of.partition(".")
        if module == "model":
            continue
        text = (IMPL / f"{module}.py").read_text(encoding="utf-8")
        assert function == "constants" or f"def {function}(" in text, proof.of


def test_every_function_has_a_theorem_but_those_that_are_named() -> None:
    assert sorted(without_theorem()) == sorted(UNPROVED)


def test_planted_faults_name_theorems() -> None:
    names = {theorem.name for theorem in theorems()}
    assert len(FAULTS) >= 200
    assert [fault.caught_by for fault in FAULTS if fault.caught_by not in names] == []
