"""A program's states: each is asked about, and those that are alike but once."""

from typing import Any

import pytest

from heapster.checkers.races import judge, session
from heapster.checkers.races.clocks import Clocks
from heapster.checkers.races.programs import parse_program
from heapster.checkers.races.schedulers.replay import Follow
from heapster.checkers.races.session import Session
from heapster.checkers.targets.source import without_spans
from heapster.machine.simulated import Simulated
from heapster.machine.traced import Segment, Traced

FIRST, SECOND = (Segment(0, None),), (Segment(1, None),)


@pytest.mark.parametrize(("program", "place", "name"), [
    ("m24|m24,f1", judge, "not_whole"), ("k|m24,m40", session, "check_child")])
def test_a_state_that_was_found_sound_is_not_asked_about_again(
        program: str, place: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, ask = list[int](), getattr(place, name)

    def counted(*given: Any, **named: Any) -> Any:
        asked.append(1)
        return ask(*given, **named)

    monkeypatch.setattr(place, name, counted)
    explored = Session(parse_program(program), without_spans())
    counts = []
    for schedule in (FIRST, FIRST, SECOND, SECOND):
        assert explored.run(Follow(schedule)).problem is None
        counts.append(len(asked))
    assert 0 < counts[0] == counts[1] < counts[2] == counts[3]


def test_machines_differ_by_each_word_lock_mapping_and_refusal() -> None:
    base = Simulated()
    machines = [Traced(base, 1, Follow(()), Clocks(1)) for _ in range(5)]
    plain, written, locked, mapped, refused = machines
    word = base.statics()
    Simulated.store(written, word, 1)
    Simulated.lock(locked, word)
    Simulated.mmap(mapped, 4096)
    refused.refuse("mmap", 1)
    assert len({machine.difference() for machine in machines}) == 5
    Simulated.store(plain, word, 1)
    assert plain.difference() == written.difference()
