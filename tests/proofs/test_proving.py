"""Proofs run in children: verdicts, limits, counterexamples, planted faults."""

import time
from typing import Any

import pytest

from heapster.checkers.mutation.hunt_proofs import hunt
from heapster.checkers.mutation.proof_faults import FAULTS
from heapster.checkers.proofs import ALL_WORDS, BITS, INTEGERS, Proof
from heapster.checkers.proofs import runner as proving
from heapster.checkers.proofs.catalogue import selected
from heapster.checkers.proofs.runner import Proved, Runner
from heapster.results import UsageError
from tests.hunts import hunted

QUICK = ("layout", "block", "freelist")              # modules of quick proofs


def verdicts(proof: Any, **how: Any) -> Any:
    [outcomes] = Runner(**how).run([proof])
    return {outcome.theorem.name: outcome for outcome in outcomes}


def claiming(claim: Any, **more: Any) -> Any:
    return Proof("block.payload", ALL_WORDS, lambda _, path: claim(path), more={"it": "holds"}, **more)


def test_what_holds_is_proved() -> None:
    found = verdicts(claiming(lambda path: path.claim("it", lambda: path.word("a", 1) > 0)))
    assert {outcome.verdict for outcome in found.values()} == {Proved.PROVED}


def test_what_is_false_is_refuted() -> None:
    found = verdicts(claiming(lambda path: path.claim("it", lambda: path.word("a", 0) > 0)))
    assert found["it"].verdict is Proved.REFUTED
    assert found["it"].finding.counterexample == "p1:it::0"
    assert found["it"].finding.replay == f"heapster replay {found['it'].finding.id}"


def test_what_no_path_claims_is_vacuous() -> None:
    assert verdicts(claiming(lambda path: None))["it"].verdict is Proved.VACUOUS


def test_what_no_theorem_says_is_not_claimed_in_silence() -> None:
    found = verdicts(claiming(lambda path: [path.claim(name, lambda: False) for name in ("it", "that")]))
    assert {(outcome.verdict, outcome.reason) for outcome in found.values()} == {
        (Proved.UNKNOWN, "unsupported: it claims what none of its theorems says: that")}


def test_contradictory_assumptions_are_vacuous() -> None:
    def claim(path: Any) -> None:
        path.require(path.word("a", 0, 5), "<", path.word("b", -3, 0))
        path.claim("it", lambda: True)

    assert {outcome.verdict for outcome in verdicts(claiming(claim)).values()} == {Proved.VACUOUS}


def endless(_: Any) -> None:
    while True:
        pass


def test_no_answer_in_time_is_unknown() -> None:
    found = verdicts(claiming(endless), timeout=0.5)
    assert found["it"].verdict is Proved.UNKNOWN
    assert found["it"].reason == "no answer after 0.5 s of processor time"


def test_time_that_a_proof_does_not_run_is_not_counted() -> None:
    """A busy machine, or here a sleep beyond the limit, changes no verdict."""
    def claim(path: Any) -> None:
        time.sleep(1.5)
        path.claim("it", lambda: True)

    assert verdicts(claiming(claim), timeout=1)["it"].verdict is Proved.PROVED


def test_once_one_is_refuted_others_get_less_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "LONGEST_AFTER_REFUTING", 0.5)
    proofs = [claiming(lambda path: path.claim("it", lambda: False)), claiming(endless)]
    [[refuted, _], [late, _]] = Runner().run(proofs)
    assert refuted.verdict is Proved.REFUTED
    assert (late.verdict, late.reason) == (Proved.UNKNOWN, "no answer after 0.5 s of processor time")


def test_what_one_encoding_cannot_say_is_tried_in_the_next() -> None:
    def claim(path: Any) -> None:
        a = path.word("a", 0, 255)
        path.claim("it", lambda: a & a == a)

    assert verdicts(claiming(claim))["it"].verdict is Proved.UNKNOWN
    found = verdicts(claiming(claim, encodings=(INTEGERS, BITS)))
    assert (found["it"].verdict, found["it"].encoding) == (Proved.PROVED, BITS)


def test_unknown_names_get_a_suggestion() -> None:
    with pytest.raises(UsageError, match="did you mean split_conserves_bytes"):
        selected(("split_conserve_bytes",), thorough=False)


def test_the_arithmetic_is_proved() -> None:
    proofs = selected(("layout", "block", "freelist", "region.fence_before", "api.product", "malloc.is_refused",
                       "malloc.header_of", "api.usable_size"), thorough=False)
    outcomes = [outcome for found in Runner().run(proofs) for outcome in found]
    assert [outcome for outcome in outcomes if outcome.verdict is not Proved.PROVED] == []


@pytest.mark.parametrize("fault", hunted(FAULTS, lambda fault: fault.module, lambda fault: fault.title, QUICK))
def test_a_planted_fault_is_refuted_by_its_theorem(fault: Any) -> None:
    assert hunt(fault).as_expected


def test_a_counterexample_is_replayed_on_the_simulated_machine() -> None:
    [fault] = [fault for fault in FAULTS if fault.caught_by == "split_leaves_no_stub"]
    runner = Runner(origin=fault, stop_at=fault.caught_by)
    [finding] = [outcome.finding for found in runner.run(selected((fault.caught_by,), thorough=False))
                 for outcome in found if outcome.theorem.name == fault.caught_by and outcome.finding]
    assert "replayed on the simulated machine" in finding.details
    assert finding.trace[0].startswith("block.split(m, ")
    assert "header of b" in finding.before
    assert finding.before != finding.after
