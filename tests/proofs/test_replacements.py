"""What proofs replace, and that it is proved to do what it promises."""

from pathlib import Path
from typing import Any

import pytest

from heapster.checkers.mutation.fault import one_edit, plant
from heapster.checkers.mutation.first_refuted import first_refuted
from heapster.checkers.proofs import ALL_WORDS, Proof
from heapster.checkers.proofs.builds import build_of
from heapster.checkers.proofs.catalogue import PROOFS, theorems
from heapster.checkers.proofs.contracts import required
from heapster.checkers.proofs.dependencies import noting
from heapster.checkers.proofs.replacements import callees, replaced_by
from heapster.checkers.proofs.source import opened
from heapster.impl import layout
from heapster.machine.paths import integers, paths

IMPL = Path(layout.__file__).parent
SOME = [proof for proof in PROOFS if not proof.thorough and replaced_by(proof)][::9]
# Faults that no theorem refuted before, each of a kind: a threshold, an order, a place, a bound, an answer.
FAULTS = (
    (
        "malloc",
        "    if room_for(request, alignment) >= get_threshold(m):",
        "    if room_for(request, alignment) > get_threshold(m):",
        "what_the_threshold_reaches_is_mapped",
    ),
    (
        "retained",
        "(best == NULL or here < least)",
        "(best == NULL or here <= least)",
        "of_equal_kept_mappings_the_newest_stays",
    ),
    (
        "mapping",
        " - (m.load(b) & NOT_CHECKSUM) - m.load(b + LEAD)\n",
        " - (m.load(b) & NOT_CHECKSUM)\n",
        "a_seal_is_of_place_header_and_lead",
    ),
    (
        "mapping",
        "    return size(m, b) - m.load(b + LEAD) - PAYLOAD\n",
        "    return size(m, b) - m.load(b + LEAD)\n",
        "a_mapped_payload_ends_with_its_mapping",
    ),
)


def test_everything_that_is_replaced_is_proved_of_itself() -> None:
    proved = {theorem.of for theorem in theorems()}
    assert [each.of for each in callees(PROOFS) if each.of not in proved] == []


def test_what_a_function_requires_is_read_off_it() -> None:
    needs = required(IMPL)
    assert needs["purge.end_epoch"] == "the arena's lock; what was used in this epoch is noted"
    assert needs["block.payload"] == ""


@pytest.mark.parametrize("proof", SOME, ids=[f"{proof.of}{proof.suffix}" for proof in SOME])
def test_what_is_replaced_is_read_off_the_proof(proof: Proof) -> None:
    class Watched:
        """A module of which it is noted what is set of it."""

        def __init__(self, module: Any, name: str) -> None:
            vars(self).update(module=module, name=name)

        def __getattr__(self, name: str) -> Any:
            return getattr(vars(self)["module"], name)

        def __setattr__(self, name: str, value: Any) -> None:
            shipped = getattr(vars(self)["module"], name)
            if hasattr(shipped, "__module__") and ".impl." in f".{shipped.__module__}.":
                found.add(f"{shipped.__module__.rpartition('.')[2]}.{shipped.__name__}")
            setattr(vars(self)["module"], name, value)

    found: set[str] = set()
    with opened(build=build_of(proof, spans=False)) as source:
        for name, module in vars(source).items():
            setattr(source, name, Watched(module, name))
        for number, _ in enumerate(paths(integers(), lambda path: proof.body(noting(source, set()), path))):
            if number == 3:
                break
    assert found <= replaced_by(proof) | {"block.checksum"}


@pytest.mark.parametrize(("module", "old", "new", "theorem"), FAULTS, ids=[fault[3] for fault in FAULTS])
def test_the_first_theorem_that_is_refuted_is_said(
    tmp_path: Path, module: str, old: str, new: str, theorem: str
) -> None:
    folder = plant(one_edit("a fault", module, old, new, theorem), tmp_path)
    assert first_refuted(folder, theorem) == f"REFUTED {theorem} of {folder}"


def test_of_a_source_that_is_right_nothing_is_said() -> None:
    assert first_refuted(None, "mapping.seal") == ""


def test_what_no_path_meets_is_not_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no heap to show: a fault that is told by nothing else is missed."""
    vacuous = Proof("block.payload", ALL_WORDS, lambda _, path: None, more={"it": "holds"})
    monkeypatch.setattr("heapster.checkers.mutation.first_refuted.selected", lambda *_, **__: (vacuous,))
    assert first_refuted() == ""
