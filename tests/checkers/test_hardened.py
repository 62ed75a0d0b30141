"""A hardened heap in lock-step: each invariant has a heap that breaks it, and faults in the source are found."""

from types import ModuleType
from typing import Any

import pytest

from heapster.checkers.lockstep.decode_hardened import decode_hardened
from heapster.checkers.lockstep.hardened import HardenedLockstep
from heapster.checkers.lockstep.run_trace import Outcome, rerun, taken
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import make_for
from heapster.impl import hardened, layout, malloc, quarantine, spans, vault
from heapster.machine.process import Process
from heapster.machine.simulated import Simulated
from heapster.model.hardened import HARDENED_ALWAYS, HardenedHeap, HardMapping, Span, hardened_violations, slot_for
from heapster.model.trace import parse
from heapster.model.witnesses import sometimes
from heapster.results import UsageError

MANY = "; ".join(f"m{i} = malloc({size})" for i, size in enumerate((24, 100, 24, 3000, 90_000, 24, 500)))
REFUSED = "fail munmap 0; fail mmap 4"     # what was mapped has no place in the table, and stays
FREED = "; ".join(f"free(m{i})" for i in (1, 2, 4, 5))
CALLS = f"{MANY}; {FREED}; n = realloc(m0, 30); k = calloc(3, 8); a = aligned_alloc(256, 9); stats"
ENDED = f"{CALLS}; finalize"

SPAN = Span(0, 0, 0x4000, 0x1000, 0x2000, 32, 256, 253, frozenset({0, 1, 2}), frozenset({1}))
LARGE = HardMapping(0x8000, 0xB000, 0x9000, 0x1000, used=True)
GUARDS = ((0, 0x1000), (0x3000, 0x4000), (0x8000, 0x9000), (0xA000, 0xB000))
WHOLE = HardenedHeap((SPAN,), (LARGE,), ((0x10000, 0x20000),), ((0x1020,),), ((0, 2, 64), (-1, 1, 0x1000)), False,
                     GUARDS, (), ((0, 0x4000), (0x8000, 0xB000), (0x10000, 0x20000)))
BROKEN = {
    "spans_have_the_slots_of_their_class": WHOLE._replace(spans=(SPAN._replace(slots=255, free=252),)),
    "slots_are_counted": WHOLE._replace(spans=(SPAN._replace(free=254),)),
    "what_waits_is_in_quarantine": WHOLE._replace(quarantine=((0x1020, 0x1020),)),
    "the_table_leads_to_each_record": WHOLE._replace(mappings=(LARGE._replace(is_led_to=False),)),
    "spans_with_room_are_listed": WHOLE._replace(spans=(SPAN._replace(is_listed=False),)),
    "canaries_are_whole": WHOLE._replace(spans=(SPAN._replace(broken=(0x1000,)),)),
    "what_is_not_used_is_zero": WHOLE._replace(spans=(SPAN._replace(dirty=(0x1020,)),)),
    "pieces_lie_apart": WHOLE._replace(vault=((0xA000, 0x1A000),), guards=GUARDS),
    "all_that_is_held_is_known": WHOLE._replace(system=(*WHOLE.system, (0x30000, 0x31000))),
    "guards_surround_all_pages": WHOLE._replace(guards=GUARDS[1:]),
    "ledgers_count_what_is_used": WHOLE._replace(used=((0, 3, 96), (-1, 1, 0x1000))),
    "locks_are_released": WHOLE._replace(held_locks=(1,)),
    "waiting_has_its_bounds": WHOLE._replace(
        mappings=(LARGE, *[LARGE._replace(start=start, end=start + 0x3000, base=start + 0x1000, used=False, waits=True)
                           for start in range(0x100000, 0x100000 + 33 * 0x3000, 0x3000)]),
        guards=(*GUARDS, (0x100000, 0x200000)), system=(*WHOLE.system, (0x100000, 0x100000 + 33 * 0x3000))),
}


def run(text: str, m: Any = None) -> Outcome:
    return rerun(parse(text), lambda: HardenedLockstep(m or Simulated()))


def test_a_whole_heap_breaks_nothing() -> None:
    assert hardened_violations(WHOLE) == []
    assert {*BROKEN} == {check.__name__ for check in HARDENED_ALWAYS}


@pytest.mark.parametrize("name", BROKEN)
def test_each_invariant_has_a_heap_that_breaks_it_and_no_other(name: str) -> None:
    assert {problem.code for problem in hardened_violations(BROKEN[name])} == {name}


@pytest.mark.parametrize("block", ["malloc(24)", "malloc(32000)", "malloc(90000)", "aligned_alloc(65536, 9)"])
@pytest.mark.parametrize("granted", range(7))
def test_pages_that_nobody_finds_and_the_system_does_not_take_are_known(block: str, granted: int) -> None:
    """The table may have no memory for pages that were had, and the system may refuse to take these back."""
    text = f"fail munmap 0; fail mmap {granted}; a = {block}; b = malloc(24); stats; finalize"
    assert run(text).problems == ()


@pytest.mark.parametrize("block", ["malloc(32000)", "malloc(90000)"])
def test_pages_that_nobody_finds_are_returned_with_the_rest(block: str) -> None:
    lockstep = HardenedLockstep(Simulated())
    taken(lockstep, parse(f"{REFUSED}; a = {block}"))
    assert len(decode_hardened(lockstep.m).unfound) == 1
    taken(lockstep, parse("fail munmap 1000; finalize"))
    assert lockstep.m.system() == ()


# A block that has a mapping in a span's stead.
REMAPPED = ("a = malloc(0); fail mmap 2; b = malloc(25); fail mmap 3; c = malloc(41); "
            "d = realloc(c, 41)")


@pytest.mark.parametrize("text", [ENDED, f"{MANY}; fork; {FREED}; stats", f"fail protect 0; {ENDED}",
                                  REMAPPED,
                                  f"fail munmap 0; {ENDED}", f"thread 1; {MANY}; thread 0; {FREED}; thread_end; stats"])
def test_nothing_is_wrong(text: str) -> None:
    assert run(text).problems == ()


def test_nothing_is_wrong_on_real_memory() -> None:
    with Process() as m:
        assert run(ENDED, m).problems == ()


@pytest.mark.parametrize(("text", "how"), [
    ("a = malloc(24); free(a); free(a)", "double_free"), ("a = malloc(90000); free(a); free(a)", "double_free"),
    ("a = malloc(24); free(a + 16)", "invalid_pointer"), ("a = malloc(24); free(a + 1)", "invalid_pointer"),
    ("a = malloc(24); free(a); b = realloc(a, 5)", "double_free"), ("a = malloc(24); free_sized(a, 25)", "wrong_size")])
def test_misuse_is_told(text: str, how: str) -> None:
    outcome = run(text)
    assert (outcome.problems, outcome.misused) == ((), how)


@pytest.mark.parametrize(("text", "how"), [
    ("a = malloc(24); poke a + 24 65", "overflow"), ("a = malloc(24); poke a + 16 65", "unnoticed"),
    ("a = malloc(24); free(a); poke a + 8 65", "write_after_free"), ("a = malloc(24); free(a); poke a 0", "unnoticed"),
    ("a = malloc(90000); poke a + 49000 65", "unnoticed"), ("a = malloc(90000); poke a - 8 65", "fault"),
    ("a = malloc(90000); free(a); poke a 65", "fault"), ("a = malloc(24); poke a + 9000 65", "fault")])
def test_what_is_told_of_a_write_is_what_the_model_says(text: str, how: str) -> None:
    outcome = run(text)
    assert (outcome.problems, outcome.misused) == ((), how)


def test_every_event_can_be_seen() -> None:
    first, again = ("; ".join(f"{name}{i} = malloc(32000)" for i in range(8)) for name in "ab")
    freed = "; ".join(f"free(a{i})" for i in range(7))
    text = f"{first}; x = malloc(90000); {freed}; free(x); trim 0; {again}; r = realloc(b0, 50)"
    seen = [taken(HardenedLockstep(Simulated()), parse(steps)).witnesses
            for steps in (text, f"fail munmap 0; fail protect 1; {text}")]
    assert {name for each in seen for name in each} == {witness.name for witness in sometimes(hardened=True)}


# Faults.

def no_check(*_: Any) -> None:
    """Nothing is looked at."""


def _entered(m: Any, p: int, record: int) -> bool:
    """The table was told, and it is said that it was not."""
    return vault.enter(m, p, record) and record == layout.NULL


FAULTS: dict[str, tuple[ModuleType, str, Any, str, str]] = {
    "a double free is not seen": (hardened, "check_slot", no_check, "a = malloc(24); free(a); free(a)",
                                  "misuse_unnoticed"),
    "what waits is lost": (hardened, "exchange", lambda *_: 0, CALLS, "what_waits_is_in_quarantine"),
    "pages have no guards": (vault, "guard", no_check, CALLS, "guards_surround_all_pages"),
    "slots are not zeroed": (hardened, "let_wait", None, CALLS, "what_is_not_used_is_zero"),
    "a canary is another's": (spans, "canary", lambda _m, _p: 5, CALLS, "canaries_are_whole"),
    "the table is not told": (spans, "enter_pages", lambda *_: True, CALLS, "the_table_leads_to_each_record"),
    "a mapping is not entered": (hardened, "enter", lambda *_: True, CALLS, "the_table_leads_to_each_record"),
    "slots are not counted": (hardened, "count_slot", no_check, CALLS, "ledgers_count_what_is_used"),
    "a slot is too small": (hardened, "slot_for", lambda request, _alignment: 32 if request < 9999 else 0, CALLS,
                            "usable_too_small"),
    "pages that the system refuses to take back have no record": (
        hardened, "abandon", vault.give_up, f"{REFUSED}; a = malloc(90000)", "all_that_is_held_is_known"),
    "a span's pages have no record then": (
        spans, "abandon", vault.give_up, f"{REFUSED}; a = malloc(32000)", "all_that_is_held_is_known"),
    "the table leads to pages that nobody may use": (
        hardened, "enter", _entered, "fail munmap 0; a = malloc(90000)", "undecodable_heap"),
    "realloc moves for nothing": (malloc, "resize_hardened", lambda *_: 0, "a = malloc(24); b = realloc(a, 20)",
                                  "answer_diverges"),
}


def _unzeroed(m: Any, arena: int, record: int, p: int) -> None:
    number = spans.slot_number(m, record, p)
    spans.set_bit(m, record, layout.WAITING, number)
    hardened.count_slot(m, arena, record, -1)
    quarantine.exchange(m, vault.keep_of(m, arena), 0, record + number)


@pytest.mark.parametrize("title", FAULTS)
def test_faults_are_found(title: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, other, text, code = FAULTS[title]
    monkeypatch.setattr(module, name, other or _unzeroed)
    outcome = run(text)
    assert code in outcome.codes or any(found.startswith("fault") for found in outcome.codes), outcome.problems


# How it is spelled.

def test_a_target_may_be_hardened() -> None:
    target = grammar.parse("sim:harden=1")
    assert target.settings.environment == {"HEAPSTER_HARDEN": "1"} and target.settings.steps == ()
    assert isinstance(make_for(target)(), HardenedLockstep)
    with pytest.raises(UsageError, match="give a number from 0 to 1"):
        grammar.parse("sim:harden=2")


def test_slots_have_room_for_requests() -> None:
    assert [slot_for(request) for request in (0, 24, 25, 73_720, 73_721)] == [32, 32, 48, 73_728, 0]
    assert [slot_for(9, alignment) for alignment in (64, 4096, 8192)] == [64, 4096, 0]
