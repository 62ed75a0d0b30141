"""Whatever the specification has against an answer, it says that it asks; and it asks of nothing that cannot fail."""

import pytest

from heapster.model.asked import ASKED, asked
from heapster.model.geometry import ENOMEM, PTRDIFF_MAX, SIZE_MAX
from heapster.model.live import Held, Live
from heapster.model.rules import RULES
from heapster.model.spec import OURS, Operation, Promises, Result, explains
from tests.model.test_spec import NEW, RIGHT, WRONG, P

LOOSE = Promises()


def codes(verb: str, numbers: tuple[int, ...], result: Result, pointer: int = 0,
          promises: Promises = LOOSE) -> set[str]:
    """What is asked of the answer."""
    return set(asked(Operation(verb, numbers, pointer), result, promises))


def test_each_rule_says_when_it_is_asked() -> None:
    assert set(ASKED) == {rule.code for rule in RULES}


@pytest.mark.parametrize(("code", "verb", "numbers", "result", "pointer", "promises"), WRONG)
def test_what_is_broken_was_asked(code: str, verb: str, numbers: tuple[int, ...], result: Result, pointer: int,
                                  promises: Promises) -> None:
    assert code in codes(verb, numbers, result, pointer, promises)


@pytest.mark.parametrize(("verb", "numbers", "result", "pointer", "promises"), RIGHT)
def test_what_is_right_is_asked_no_less(verb: str, numbers: tuple[int, ...], result: Result, pointer: int,
                                        promises: Promises) -> None:
    """The same call with its block moved onto another is an overlap, so that was asked."""
    live = Live([Held(P, 40, 56), Held(0x1040, 100)])
    moved = result._replace(pointer=0x1040, bounds=None)
    reasons = explains(live, Operation(verb, numbers, pointer), moved, promises)
    if result.pointer and any(reason.code == "overlap" for reason in reasons):
        assert "overlap" in codes(verb, numbers, result, pointer, promises)


@pytest.mark.parametrize(("code", "yes", "no"), [
    ("not_zeroed", codes("calloc", (3, 8), Result(NEW)), codes("malloc", (24,), Result(NEW))),
    ("not_zeroed", codes("calloc", (3, 8), Result(NEW)), codes("calloc", (3, 8), Result(0, ENOMEM))),
    ("prefix_lost", codes("realloc", (8,), Result(NEW), P), codes("realloc", (8,), Result(NEW))),
    ("failed_realloc_changed_block", codes("realloc", (8,), Result(0, ENOMEM), P),
     codes("realloc", (8,), Result(P), P)),
    ("wrong_errno", codes("malloc", (8,), Result(0, ENOMEM)), codes("malloc", (8,), Result(NEW))),
    ("failed_realloc_changed_block", codes("realloc", (1,), Result(0, ENOMEM), P),
     codes("realloc", (0,), Result(0, ENOMEM), P)),
    ("failed_realloc_changed_block", codes("realloc", (8,), Result(0, ENOMEM), P),
     codes("realloc", (8,), Result(0, ENOMEM))),
    ("huge_accepted", codes("malloc", (PTRDIFF_MAX + 1,), Result(0, ENOMEM)),
     codes("malloc", (PTRDIFF_MAX,), Result(0, ENOMEM))),
    ("null_without_errno", codes("malloc", (1,), Result(0, ENOMEM)), codes("malloc", (0,), Result())),
    ("null_without_errno", codes("malloc", (0,), Result(), promises=LOOSE._replace(zero="pointer")),
     codes("malloc", (0,), Result(NEW), promises=LOOSE._replace(zero="pointer"))),
    ("usable_shrank", codes("usable_size", (), Result(usable=9), P), codes("usable_size", (), Result())),
    ("null_without_errno", codes("malloc", (8,), Result(0, ENOMEM)),
     codes("malloc", (8,), Result(0), promises=LOOSE._replace(errno=False))),
    ("out_word_changed", codes("posix_memalign", (64, 8), Result(0, 0, ENOMEM)),
     codes("posix_memalign", (64, 8), Result(NEW))),
    ("overflow_accepted", codes("calloc", (SIZE_MAX, 2), Result(0, ENOMEM)), codes("calloc", (9, 2), Result(NEW))),
    ("huge_accepted", codes("malloc", (PTRDIFF_MAX + 1,), Result(0, ENOMEM)), codes("malloc", (9,), Result(NEW))),
    ("bad_alignment_accepted", codes("memalign", (48, 8), Result()), codes("memalign", (64, 8), Result(NEW))),
    ("usable_too_small", codes("malloc", (8,), Result(NEW, usable=8)), codes("malloc", (8,), Result(NEW))),
    ("usable_of_null", codes("usable_size", (), Result()), codes("usable_size", (), Result(usable=9), P)),
    ("errno_clobbered", codes("malloc", (8,), Result(NEW), promises=OURS), codes("malloc", (8,), Result(NEW))),
    ("outside_region", codes("malloc", (8,), Result(NEW, bounds=(P, SIZE_MAX))), codes("malloc", (8,), Result(NEW))),
    ("touched_outside", codes("free", (), Result(bounds=(P, SIZE_MAX)), P), codes("free", (), Result(), P)),
    ("foreign_memory_harmed", codes("free", (), Result(beside=True), P), codes("free", (), Result(), P)),
    ("zero_size_inconsistent", codes("malloc", (0,), Result(), promises=LOOSE._replace(zero="null")),
     codes("malloc", (1,), Result(NEW), promises=LOOSE._replace(zero="null")))])
def test_a_rule_is_asked_only_where_it_could_be_broken(code: str, yes: set[str], no: set[str]) -> None:
    assert code in yes
    assert code not in no
