"""What a walk says that it covered agrees with closed forms, and with every program written down one by one."""

import shutil
from collections.abc import Iterator
from itertools import groupby, product
from pathlib import Path

import numpy as np
import pytest

from heapster.checkers.blackbox import build
from heapster.checkers.blackbox.protocol import Status
from heapster.checkers.blackbox.stepwise import run_trace
from heapster.checkers.exhaust.called import CalledEngine, refusal
from heapster.checkers.exhaust.interpreted import InterpretedEngine
from heapster.checkers.exhaust.layers import Piece
from heapster.checkers.exhaust.scope import Kinds, Move, ScopedCall, closed_form, factors, scope, trace
from heapster.checkers.exhaust.told import at_most
from heapster.checkers.exhaust.walking import ScopeWalk, run_all
from heapster.checkers.jobs.local import ALONE
from heapster.checkers.lockstep.run_trace import Make, begun, on_source
from heapster.checkers.targets.source import with_spans
from heapster.model.geometry import SIZE_MAX
from heapster.model.operations import OPERATIONS
from heapster.model.trace import parse
from heapster.results import UsageError
from tests.exhaust.walks import BUMP, MM, counts, engine, walked

CALLS = (ScopedCall("malloc", (24,)), ScopedCall("malloc", (100,)), ScopedCall("calloc", (2, 12)),
         ScopedCall("realloc", (24,)), ScopedCall("free"), ScopedCall("usable_size"))


def one_by_one(alphabet: tuple[ScopedCall, ...], calls: int) -> int:
    """How many programs there are of exactly so many calls, each written down; each request gets a block."""
    def grow(left: int, live: frozenset[int], place: int) -> Iterator[int]:
        if left == 0:
            yield 1
            return
        for call in alphabet:
            row = OPERATIONS[call.verb]
            for operand in (None, *(live if row.operand else ())):
                after = live - {operand} if call.verb in ("free", "realloc") else live
                yield from grow(left - 1, after | ({place} if row.result else frozenset()), place + 1)
    return sum(grow(calls, frozenset(), 0))


@pytest.mark.parametrize("calls", range(5))
def test_the_closed_form_counts_every_program(calls: int) -> None:
    assert closed_form(calls, Kinds.of(CALLS)) == one_by_one(CALLS, calls)


def test_allocations_alone_are_powers() -> None:
    assert closed_form(5, Kinds.of(CALLS[:3])) == 3 ** 5


@pytest.fixture
def bump(tmp_path: Path) -> Path:
    """An allocator whose heap says more than its blocks do."""
    source = tmp_path / "bump.c"
    source.write_text(BUMP)
    return source


def forms(by: CalledEngine) -> list[int]:
    """The closed forms of its scope."""
    return [closed_form(calls, Kinds.of(by.scope.alphabet)) for calls in range(1, by.scope.calls + 1)]


def test_snapshots_cover_what_the_closed_form_counts() -> None:
    with engine(MM, 4, (1, 24, 100)) as by:
        assert by.closed
        walk, _ = walked(by)
        assert counts(walk) == forms(by)
        assert walk.layers.runs < sum(forms(by)) / 3           # the others reach the same heaps


def test_children_cover_what_the_closed_form_counts() -> None:
    with engine(MM, 3, (24, 100), closed=False) as by:
        walk, _ = walked(by)
        assert counts(walk) == forms(by)
        assert walk.layers.by_children == walk.layers.runs


def test_two_jobs_cover_the_same_by_the_same_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heapster.checkers.exhaust.called.APART", 20)
    monkeypatch.setattr("heapster.checkers.exhaust.walking.WORTH", 0.0)
    with engine(MM, 4, (1, 24, 100)) as by:
        alone, met = walked(by)
        both, met_by_both = walked(by, jobs=2)
    assert counts(alone) == counts(both)
    assert (alone.layers.runs, [way.program for way in met]) == (both.layers.runs, [way.program for way in met_by_both])


def test_what_judges_of_children_work_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """They go on from piece to piece: nobody has waited for them when the run asks what it took."""
    monkeypatch.setattr("heapster.checkers.exhaust.called.APART", 20)
    monkeypatch.setattr("heapster.checkers.exhaust.walking.WORTH", 0.0)
    told: list[float] = []
    monkeypatch.setattr("heapster.checkers.exhaust.walking.worked_elsewhere", told.append)
    with engine(MM, 4, (1, 24, 100)) as by:
        walked(by)
        assert not any(told)
        walked(by, jobs=2)
        assert any(told)


SLOTS = begun(on_source(with_spans(), spans=True), parse("cache 64"))


@pytest.mark.parametrize("make", [on_source(), SLOTS], ids=["blocks", "slots"])
def test_our_own_source_covers_what_the_closed_form_counts(make: Make) -> None:
    verbs = frozenset({"malloc", "calloc", "realloc", "free", "free_sized", "usable_size"})
    made = scope(3, (24, 100), verbs, refusals=False)
    walk = ScopeWalk(made, InterpretedEngine(make, made), ALONE)
    assert run_all([walk], lambda: False, lambda way: pytest.fail(str(way)), lambda _: None)
    assert counts(walk) == [closed_form(calls, Kinds.of(made.alphabet)) for calls in (1, 2, 3)]


def test_a_refusal_is_at_each_place_of_a_program(bump: Path) -> None:
    """It asks the system for nothing: whatever is refused changes no answer."""
    with engine(bump, 3, (24,), refusals=True) as by:
        assert counts(walked(by)[0]) == [(calls + 1) * form for calls, form in enumerate(forms(by), 1)]


# Planted faults of the engine, each with what notices it.

def spoilt_judge(folder: Path, monkeypatch: pytest.MonkeyPatch, file: str, old: str, new: str) -> None:
    """The judge, compiled with a fault."""
    copy = folder / "c"
    shutil.copytree(build.SOURCES, copy)
    text = (copy / file).read_text()
    assert text.count(old) == 1
    (copy / file).write_text(text.replace(old, new))
    monkeypatch.setattr(build, "SOURCES", copy)


@pytest.mark.faults
def test_a_move_that_is_skipped_is_missed_by_the_closed_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt_judge(tmp_path, monkeypatch, "moves.c", "takes_any && handle < MOST_CALLS", "takes_any && handle < 2")
    with engine(MM, 4, (24, 100)) as by:
        assert counts(walked(by)[0])[:3] == forms(by)[:3]
        assert counts(walked(by)[0])[3] < forms(by)[3]


def after_alike(by: CalledEngine) -> list[tuple[int, int]]:
    """Where the next block comes to lie after programs of up to two calls: distinct answers, by heap."""
    found = []
    programs = [np.zeros((1, 0), np.uint32)]
    for _ in range(2):
        rows = Piece(programs[-1], heaps=True)
        expanded = by.expand(rows)
        assert expanded
        moved = np.column_stack([rows.programs[expanded.source.astype(np.int64)], expanded.move]).astype(np.uint32)
        found += [(int(digest), tuple(map(int, row))) for digest, row in zip(expanded.digest, moved, strict=True)]
        programs.append(moved)
    malloc = Move(next(n for n, call in enumerate(by.scope.alphabet) if call.verb == "malloc"), -1, 0).word
    answers = sorted((digest, _next_block(by, (*row, malloc))) for digest, row in found)
    return [(digest, len({answer for _, answer in group})) for digest, group in groupby(answers, lambda one: one[0])]


def _next_block(by: CalledEngine, program: tuple[int, ...]) -> int:
    steps = trace(program, by.scope.alphabet, refusal)
    seen = run_trace(by.judge, steps, by.promises).seen[-1]
    assert seen.status == Status.DONE
    return seen.pointer


def test_heaps_that_count_as_one_answer_alike(bump: Path) -> None:
    with engine(bump, 3, (24,)) as by:
        assert by.closed
        assert {times for _, times in after_alike(by)} == {1}


@pytest.mark.faults
def test_heaps_that_are_merged_wrongly_answer_otherwise(bump: Path, tmp_path: Path,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt_judge(tmp_path, monkeypatch, "exhaust.c", "is_closed ? snapshot_digest() : 0", "is_closed ? 1 : 0")
    with engine(bump, 3, (24,)) as by:
        assert max(times for _, times in after_alike(by)) > 1


# Programs as words.

@pytest.mark.parametrize(("call", "operand", "refuse"), [*product((0, 7, 1023), (-1, 0, 14), (0, 1, 105))])
def test_a_move_is_the_word_that_it_is_made_of(call: int, operand: int, refuse: int) -> None:
    move = Move(call, operand, refuse)
    assert Move.of(move.word) == move


@pytest.mark.parametrize("size", [0, 1, 2, 15, 16, 1 << 20])
def test_factors_have_the_size_as_their_product(size: int) -> None:
    count, each = factors(size)
    assert count * each == size


def test_factors_of_what_nobody_gets_are_more_than_a_word_holds() -> None:
    count, each = factors(SIZE_MAX)
    assert count * each > SIZE_MAX


@pytest.mark.parametrize(("calls", "sizes", "why"), [
    (0, (24,), "1 to 15 calls"), (16, (24,), "1 to 15 calls"), (3, (SIZE_MAX,), "memory"),
    (3, tuple(range(2000)), "name fewer")])
def test_a_scope_that_cannot_be_written_down_is_refused(calls: int, sizes: tuple[int, ...], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        scope(calls, sizes, frozenset({"malloc", "free"}), refusals=True)


def test_a_scope_that_takes_long_says_how_it_is_made_shorter() -> None:
    verbs = frozenset({"malloc", "free"})
    small, large = (scope(calls, range(1, sizes + 1), verbs, refusals=False) for calls, sizes in ((2, 3), (6, 20)))
    assert at_most([small]).startswith("about 23 programs of at most 2 calls over 3 sizes; ")
    assert "--seconds" not in at_most([small])
    assert "--seconds" in at_most([large])
