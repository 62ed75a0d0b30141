"""The relation between operations and results: what a correct allocator may answer, and what not."""

import pytest

from heapster.model.geometry import EINVAL, ENOMEM, PAGE, PTRDIFF_MAX, SIZE_MAX
from heapster.model.live import Held, Live
from heapster.model.operations import REQUESTS, requested
from heapster.model.rules import RULE, RULES
from heapster.model.spec import OURS, Operation, Promises, Result, advance, explains

LOOSE = Promises()
P, Q, NEW = 0x3000, 0x3040, 0x6000       # two live blocks of 40 and 100 bytes, and an address of none


def live() -> Live:
    """P holds 40 bytes of which 56 are usable; Q holds 100."""
    return Live([Held(P, 40, 56), Held(Q, 100)])


def codes(verb: str, numbers: tuple[int, ...], result: Result, pointer: int = 0,
          promises: Promises = OURS) -> list[str]:
    """What the specification has against it."""
    reasons = explains(live(), Operation(verb, numbers, pointer), result, promises)
    assert all("0x" not in reason.message for reason in reasons)
    return [reason.code for reason in reasons]


SMALL, LAX = LOOSE._replace(small_blocks=True), LOOSE._replace(bad_alignment=False)
Answer = tuple[str, tuple[int, ...], Result, int, Promises]

RIGHT: list[Answer] = [
    ("malloc", (40,), Result(NEW, usable=40), 0, OURS),
    ("malloc", (8,), Result(P + 0x3000 + 8), 0, SMALL),
    ("malloc", (1,), Result(NEW + 1), 0, SMALL),
    ("malloc", (0,), Result(NEW + 1), 0, SMALL),
    ("malloc", (0,), Result(Q - 1), 0, SMALL),
    ("malloc", (100,), Result(NEW + 16), 0, SMALL),
    ("malloc", (16,), Result(SIZE_MAX // 2 - 15), 0, OURS),                     # the last of a program's memory
    ("malloc", (40,), Result(PAGE), 0, OURS),
    ("malloc", (1 << 62,), Result(NEW), 0, OURS),
    ("malloc", (16,), Result((1 << 32) - 16), 0, LOOSE._replace(bits=32)),
    ("malloc", (40,), Result(NEW), 0, LOOSE._replace(zero="null")),
    ("realloc", (0,), Result(NEW), P, LOOSE._replace(zero="null", realloc_zero="allocates")),
    ("realloc", (0,), Result(0, ENOMEM), P, LOOSE),
    ("malloc", (40,), Result(NEW + 8), 0, LOOSE._replace(alignment=8)),
    ("malloc", (40,), Result(0, ENOMEM), 0, OURS),
    ("malloc", (40,), Result(0), 0, LOOSE._replace(errno=False)),
    ("malloc", (40,), Result(NEW, 7), 0, LOOSE),
    ("malloc", (0,), Result(NEW), 0, OURS),
    ("malloc", (0,), Result(0, ENOMEM), 0, OURS),
    ("malloc", (0,), Result(0), 0, LOOSE),
    ("malloc", (PTRDIFF_MAX + 1,), Result(0, ENOMEM), 0, OURS),
    ("calloc", (3, 8), Result(NEW), 0, OURS),
    ("calloc", (1 << 32, 1 << 32), Result(0, ENOMEM), 0, OURS),
    ("calloc", (0, SIZE_MAX), Result(NEW), 0, OURS),
    ("malloc", (40,), Result(NEW, bounds=(NEW, NEW + 40)), 0, LOOSE),
    ("malloc", (0,), Result(NEW, bounds=(P, NEW)), 0, LOOSE),
    ("free", (), Result(bounds=(P, NEW)), P, OURS),
    ("free", (), Result(), P, OURS),
    ("free", (), Result(), 0, OURS),
    ("realloc", (50,), Result(P), P, OURS),
    ("realloc", (48,), Result(P + 16), P, OURS),            # overlapping the block that it replaces
    ("realloc", (50,), Result(NEW), P, OURS),
    ("realloc", (50,), Result(0, ENOMEM), P, OURS),
    ("realloc", (0,), Result(0), P, OURS),
    ("realloc", (0,), Result(0), P, LOOSE),
    ("realloc", (0,), Result(NEW), P, LOOSE),
    ("realloc", (0,), Result(0, ENOMEM), P, LOOSE._replace(realloc_zero="allocates")),
    ("reallocarray", (1 << 60, 100), Result(0, ENOMEM), P, OURS),
    ("aligned_alloc", (64, 100), Result(NEW), 0, OURS),
    ("aligned_alloc", (64, 100), Result(0, EINVAL), 0, OURS),   # DR 460: the size is no multiple
    ("aligned_alloc", (48, 100), Result(0, EINVAL), 0, OURS),
    ("aligned_alloc", (48, 100), Result(NEW), 0, LAX),
    ("aligned_alloc", (48, 100), Result(NEW + 16), 0, LAX),
    ("aligned_alloc", (48, 1), Result(NEW + 1), 0, LAX._replace(small_blocks=True)),
    ("aligned_alloc", (48, 96), Result(0, EINVAL), 0, LAX),
    ("aligned_alloc", (8192, 8192), Result(0, EINVAL), 0, OURS),                # more than a page is unusual
    ("aligned_alloc", (64, 100), Result(NEW + 64, usable=112), 0, OURS),
    ("posix_memalign", (64, 100), Result(NEW), 0, OURS),
    ("posix_memalign", (64, 100), Result(0, returned=ENOMEM), 0, OURS),
    ("posix_memalign", (4, 100), Result(0, returned=EINVAL), 0, OURS),
    ("posix_memalign", (48, SIZE_MAX), Result(0, returned=ENOMEM), 0, OURS),
    ("posix_memalign", (64, 0), Result(0), 0, LOOSE),
    ("posix_memalign", (64, 100), Result(0, ENOMEM, ENOMEM), 0, LOOSE),
    ("valloc", (10,), Result(NEW), 0, OURS),
    ("pvalloc", (10,), Result(NEW, usable=4096), 0, OURS),
    ("usable_size", (), Result(usable=56), P, OURS),
    ("usable_size", (), Result(usable=60), P, OURS),
    ("usable_size", (), Result(usable=100), Q, OURS),
    ("usable_size", (), Result(usable=0), 0, OURS),
    ("usable_size", (), Result(), 0, OURS),
    ("policy", (), Result(), 0, OURS),
    ("malloc", (1 << 31,), Result(0, ENOMEM), 0, LOOSE._replace(bits=32)),
    # Misuse explains everything.
    ("free", (), Result(errno=5), NEW, OURS),
    ("realloc", (50,), Result(3), NEW, OURS),
    ("free_sized", (41,), Result(errno=5), P, OURS),
]

WRONG: list[tuple[str, str, tuple[int, ...], Result, int, Promises]] = [
    ("overlap", "malloc", (40,), Result(P), 0, OURS),
    ("overlap", "malloc", (8,), Result(P + 16), 0, OURS),           # within
    ("overlap", "malloc", (4096,), Result(P - 16), 0, OURS),        # around
    ("overlap", "malloc", (20,), Result(P - 16), 0, OURS),          # into its start
    ("overlap", "malloc", (20,), Result(P + 48), 0, OURS),          # into what is only usable
    ("overlap", "malloc", (8,), Result(P - 16, usable=24), 0, OURS),
    ("overlap", "malloc", (0,), Result(P), 0, OURS),
    ("overlap", "realloc", (100,), Result(P), P, OURS),             # grown into its neighbour
    ("overlap", "usable_size", (), Result(usable=80), P, OURS),
    ("misaligned", "malloc", (40,), Result(NEW + 8), 0, OURS),
    ("misaligned", "malloc", (8,), Result(NEW + 8), 0, LOOSE),
    ("misaligned", "malloc", (16,), Result(NEW + 8), 0, SMALL),
    ("misaligned", "malloc", (4,), Result(NEW + 2), 0, SMALL),
    ("misaligned", "aligned_alloc", (16, 100), Result(NEW + 8), 0, OURS),       # it is told once
    ("alignment_not_honoured", "aligned_alloc", (2, 1), Result(NEW + 1), 0, SMALL),
    ("alignment_not_honoured", "aligned_alloc", (32, 100), Result(NEW + 16), 0, OURS),
    ("alignment_not_honoured", "aligned_alloc", (64, 16), Result(NEW + 32), 0, OURS),
    ("alignment_not_honoured", "memalign", (64, 100), Result(NEW + 32), 0, OURS),
    ("alignment_not_honoured", "pvalloc", (10,), Result(NEW + 2048), 0, OURS),
    ("alignment_not_honoured", "aligned_alloc", (64, 100), Result(NEW + 32), 0, OURS),
    ("alignment_not_honoured", "posix_memalign", (64, 100), Result(NEW + 32), 0, OURS),
    ("alignment_not_honoured", "valloc", (10,), Result(NEW + 2048), 0, OURS),
    ("contents_damaged", "malloc", (40,), Result(NEW, damaged=((Q, 3),)), 0, OURS),
    ("contents_damaged", "free", (), Result(damaged=((Q, 0),)), P, OURS),
    ("contents_damaged", "policy", (), Result(damaged=((Q, 0),)), 0, OURS),
    ("contents_damaged", "realloc", (50,), Result(NEW, damaged=((Q, 3),)), P, OURS),
    ("contents_damaged", "usable_size", (), Result(usable=56, damaged=((P, 3),)), P, OURS),
    ("prefix_lost", "realloc", (50,), Result(NEW, prefix_lost=39), P, OURS),
    ("not_zeroed", "calloc", (3, 8), Result(NEW, dirty=0), 0, OURS),
    ("failed_realloc_changed_block", "realloc", (50,), Result(0, ENOMEM, damaged=((P, 8),)), P, OURS),
    ("failed_realloc_changed_block", "reallocarray", (5, 10), Result(0, ENOMEM, damaged=((P, 8),)), P, OURS),
    ("null_without_errno", "malloc", (40,), Result(0), 0, OURS),
    ("null_without_errno", "malloc", (40,), Result(0), 0, LOOSE),
    ("null_without_errno", "realloc", (50,), Result(0), P, OURS),
    ("null_without_errno", "malloc", (0,), Result(0), 0, OURS),
    ("null_without_errno", "realloc", (0,), Result(0), P, LOOSE._replace(realloc_zero="allocates")),
    ("wrong_errno", "malloc", (40,), Result(0, EINVAL), 0, OURS),
    ("wrong_errno", "aligned_alloc", (64, 128), Result(0, EINVAL), 0, OURS),
    ("wrong_errno", "aligned_alloc", (64, 192), Result(0, EINVAL), 0, OURS),
    ("wrong_errno", "aligned_alloc", (4096, 4096), Result(0, EINVAL), 0, OURS),
    ("wrong_errno", "aligned_alloc", (48, 1 << 62), Result(0, ENOMEM), 0, OURS),
    ("wrong_errno", "aligned_alloc", (48, 128), Result(0, ENOMEM), 0, OURS),
    ("wrong_errno", "posix_memalign", (48, 128), Result(0, returned=ENOMEM), 0, OURS),
    ("wrong_errno", "posix_memalign", (64, 128), Result(0, returned=1), 0, OURS),
    ("wrong_errno", "posix_memalign", (1 << 63, 24), Result(0, returned=EINVAL), 0, OURS),
    ("null_without_error", "posix_memalign", (64, 128), Result(0), 0, OURS),
    ("null_without_error", "posix_memalign", (64, 0), Result(0), 0, OURS),
    ("null_without_error", "posix_memalign", (64, 128), Result(0), 0, LOOSE),
    ("out_word_changed", "posix_memalign", (64, 128), Result(P, returned=ENOMEM), 0, OURS),
    ("out_word_changed", "posix_memalign", (64, 128), Result(0, returned=ENOMEM, out_changed=True), 0, OURS),
    ("errno_clobbered", "malloc", (40,), Result(NEW, ENOMEM), 0, OURS),
    ("errno_clobbered", "posix_memalign", (64, 128), Result(0, ENOMEM, ENOMEM), 0, OURS),
    ("errno_clobbered", "posix_memalign", (64, 128), Result(NEW, ENOMEM), 0, OURS),
    ("errno_clobbered", "realloc", (0,), Result(0, ENOMEM), P, OURS),
    ("free_changed_errno", "free", (), Result(errno=EINVAL), P, LOOSE),
    ("free_changed_errno", "free", (), Result(errno=EINVAL), 0, LOOSE),
    ("overflow_accepted", "calloc", (1 << 32, 1 << 32), Result(NEW), 0, OURS),
    ("overflow_accepted", "reallocarray", (SIZE_MAX, 2), Result(NEW), P, OURS),
    ("overflow_accepted", "calloc", (1 << 16, 1 << 16), Result(NEW), 0, LOOSE._replace(bits=32)),
    ("huge_accepted", "malloc", (PTRDIFF_MAX + 1,), Result(NEW), 0, OURS),
    ("huge_accepted", "calloc", (1, SIZE_MAX), Result(NEW), 0, OURS),
    ("huge_accepted", "pvalloc", (SIZE_MAX,), Result(NEW), 0, OURS),
    ("huge_accepted", "malloc", (1 << 31,), Result(NEW), 0, LOOSE._replace(bits=32)),
    ("outside_region", "malloc", (41,), Result(NEW, bounds=(NEW, NEW + 40)), 0, LOOSE),
    ("outside_region", "malloc", (40,), Result(NEW, usable=41, bounds=(NEW, NEW + 40)), 0, LOOSE),
    ("outside_region", "realloc", (40,), Result(NEW - 16, bounds=(NEW, NEW + 400)), P, LOOSE),
    ("outside_region", "malloc", (0,), Result(NEW + 16, bounds=(P, NEW)), 0, LOOSE),
    ("touched_outside", "free", (), Result(stray=1), P, OURS),
    ("touched_outside", "malloc", (40,), Result(NEW, stray=-8), 0, OURS),
    ("foreign_memory_harmed", "free", (), Result(harmed=2), P, OURS),
    ("foreign_memory_harmed", "malloc", (40,), Result(NEW, harmed=1), 0, LOOSE),
    ("impossible_address", "malloc", (40,), Result(PAGE - 16), 0, OURS),
    ("impossible_address", "malloc", (40,), Result(16), 0, LOOSE._replace(bits=32)),
    ("impossible_address", "malloc", (40,), Result(SIZE_MAX), 0, OURS),
    ("impossible_address", "malloc", (0,), Result(SIZE_MAX // 2 + 1), 0, OURS),
    ("impossible_address", "realloc", (40,), Result(1 << 32), P, LOOSE._replace(bits=32)),
    ("block_wraps", "malloc", (17,), Result(SIZE_MAX // 2 - 15), 0, OURS),      # by one byte
    ("block_wraps", "malloc", (17,), Result((1 << 32) - 16), 0, LOOSE._replace(bits=32)),
    ("block_wraps", "malloc", (17,), Result(NEW, usable=SIZE_MAX // 2), 0, OURS),
    ("bad_alignment_accepted", "aligned_alloc", (48, 100), Result(NEW), 0, OURS),
    ("bad_alignment_accepted", "memalign", (0, 100), Result(NEW), 0, OURS),
    ("bad_alignment_accepted", "posix_memalign", (4, 100), Result(NEW), 0, LOOSE),
    ("usable_too_small", "malloc", (40,), Result(NEW, usable=39), 0, OURS),
    ("usable_too_small", "usable_size", (), Result(usable=39), P, OURS),
    ("usable_too_small", "pvalloc", (10,), Result(NEW, usable=4095), 0, OURS),
    ("usable_too_small", "usable_size", (), Result(), P, OURS),
    ("usable_shrank", "usable_size", (), Result(usable=55), P, OURS),
    ("usable_shrank", "usable_size", (), Result(usable=40), P, OURS),
    ("usable_of_null", "usable_size", (), Result(usable=8), 0, OURS),
    ("zero_size_inconsistent", "malloc", (0,), Result(NEW), 0, LOOSE._replace(zero="null")),
    ("zero_size_inconsistent", "realloc", (0,), Result(NEW), P, OURS),
    ("zero_size_inconsistent", "realloc", (0,), Result(NEW), P, LOOSE._replace(realloc_zero="keeps")),
]


@pytest.mark.parametrize("answer", RIGHT)
def test_what_a_correct_allocator_may_answer(answer: Answer) -> None:
    """Nothing is held against it."""
    assert codes(*answer) == []


@pytest.mark.parametrize(("code", "answer"), [(row[0], row[1:]) for row in WRONG])
def test_what_no_correct_allocator_answers(code: str, answer: Answer) -> None:
    """One rule is broken, and only it."""
    assert codes(*answer) == [code]


def test_every_rule_is_broken_by_some_answer() -> None:
    """None of them can only say yes, and each has a source."""
    assert {row[0] for row in WRONG} == set(RULE)
    assert len(RULE) == len(RULES)
    assert all(rule.claim and rule.source for rule in RULES)


MESSAGES = [
    ("malloc", 8, Result(P + 16), "the block of 8 bytes starts 16 bytes into a live block of 56 bytes"),
    ("malloc", 8, Result(P), "the block of 8 bytes starts where there is a live block of 56 bytes"),
    ("malloc", 100, Result(P - 16),
     "the block of 100 bytes starts 80 bytes before, and reaches into, a live block of 100 bytes"),
    ("malloc", 8, Result(P - 1),
     "the block of 8 bytes starts 1 byte before, and reaches into, a live block of 56 bytes"),
    ("malloc", 8, Result(PAGE - 16), "the payload is in the first page, where NULL points"),
    ("malloc", 8, Result(1 << 63), "the payload is where no program has memory"),
    ("malloc", 40, Result(NEW, bounds=(NEW + 16, NEW + 80)), "the block starts 16 bytes before FROM"),
    ("malloc", 41, Result(NEW, bounds=(NEW, NEW + 40)), "the block ends 1 byte beyond TO"),
    ("malloc", 40, Result(NEW, stray=-8), "malloc changed what lies 8 bytes before FROM"),
    ("malloc", 40, Result(NEW, stray=-1), "malloc changed what lies 1 byte before FROM"),
    ("malloc", 40, Result(NEW, stray=1), "malloc changed what lies 1 byte beyond TO"),
]


@pytest.mark.parametrize(("verb", "size", "result", "message"), MESSAGES)
def test_messages_tell_the_distance(verb: str, size: int, result: Result, message: str) -> None:
    """From the block that is in the way, or the memory that a target has."""
    promises = SMALL._replace(alignment=1, start="FROM", end="TO")
    (reason,) = explains(live(), Operation(verb, (size,)), result, promises)
    assert reason.message == message


def test_an_overlap_names_the_block_that_is_in_the_way() -> None:
    """The caller can tell which it is."""
    found = [explains(live(), Operation("malloc", (size,)), Result(at))[0] for size, at in ((8, P + 16), (100, P - 16))]
    assert [reason.where for reason in found] == [P, Q]


def test_several_rules_may_be_broken_at_once() -> None:
    """All of them are told."""
    result = Result(P + 8, 5, usable=10, dirty=3, damaged=((Q, 1),))
    assert set(codes("calloc", (3, 8), result)) == {
        "contents_damaged", "errno_clobbered", "misaligned", "overlap", "usable_too_small", "not_zeroed"}


@pytest.mark.parametrize(("operation", "result", "promises", "after"), [
    (Operation("malloc", (40,), 0), Result(NEW, usable=40), OURS, {P: 40, Q: 100, NEW: 40}),
    (Operation("malloc", (40,), 0), Result(0, ENOMEM), OURS, {P: 40, Q: 100}),
    (Operation("calloc", (3, 8), 0), Result(NEW), OURS, {P: 40, Q: 100, NEW: 24}),
    (Operation("aligned_alloc", (64, 8), 0), Result(NEW), OURS, {P: 40, Q: 100, NEW: 8}),
    (Operation("pvalloc", (8,), 0), Result(NEW), OURS, {P: 40, Q: 100, NEW: 4096}),
    (Operation("free", (), P), Result(), OURS, {Q: 100}),
    (Operation("free", (), 0), Result(), OURS, {P: 40, Q: 100}),
    (Operation("realloc", (50,), P), Result(NEW), OURS, {Q: 100, NEW: 50}),
    (Operation("realloc", (50,), P), Result(P), OURS, {P: 50, Q: 100}),
    (Operation("realloc", (50,), P), Result(0, ENOMEM), OURS, {P: 40, Q: 100}),
    (Operation("realloc", (0,), P), Result(0), OURS, {Q: 100}),
    (Operation("realloc", (0,), P), Result(0), LOOSE._replace(realloc_zero="keeps"), {P: 40, Q: 100}),
    (Operation("realloc", (0,), P), Result(0), LOOSE, {Q: 100}),
    (Operation("usable_size", (), P), Result(usable=56), OURS, {P: 40, Q: 100}),
    (Operation("usable_size", (), 0), Result(usable=8), OURS, {P: 40, Q: 100}),
    (Operation("stats", (), 0), Result(), OURS, {P: 40, Q: 100}),
    (Operation("finalize", (), 0), Result(), OURS, {}),
])
def test_what_is_live_afterwards(
    operation: Operation, result: Result, promises: Promises, after: dict[int, int],
) -> None:
    """Given out, and not given up."""
    held = live()
    advance(held, operation, result, promises)
    assert {block.pointer: block.request for block in held} == after


@pytest.mark.parametrize(("before", "asked", "after"), [(56, 64, 64), (56, 48, 56), (None, 48, 48), (56, None, 56)])
def test_the_most_that_was_said_to_be_usable_is_remembered(before: int | None, asked: int | None, after: int) -> None:
    """A block that may be written to so far is held to it from then on."""
    held = Live([Held(P, 40, before)])
    advance(held, Operation("usable_size", (), P), Result(usable=asked))
    assert held[P] == Held(P, 40, after)


def test_requests() -> None:
    """Products do not wrap, pages are rounded up."""
    sizes = {verb: requested(Operation(verb, (7, 3))) for verb in REQUESTS}
    assert sizes == {"malloc": 3, "valloc": 3, "realloc": 3, "pvalloc": 4096, "aligned_alloc": 3,
                     "posix_memalign": 3, "memalign": 3, "calloc": 21, "reallocarray": 21}
    assert requested(Operation("calloc", (SIZE_MAX, SIZE_MAX))) == SIZE_MAX * SIZE_MAX
