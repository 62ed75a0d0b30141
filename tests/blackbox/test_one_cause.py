"""Findings that one change mends come of one cause: the later is told as the earlier's, or not at all."""

from dataclasses import replace
from pathlib import Path

import pytest

from heapster.checkers.blackbox import explaining
from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.explaining import Explainer
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.pursuit import Shown
from heapster.checkers.blackbox.repairing import Repair
from heapster.checkers.blackbox.searching import RepairSearch, Search
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.model.spec import Promises
from heapster.model.trace import parse
from tests.blackbox.test_line_budget import SIZE_OF_A_VARIABLE
from tests.blackbox.test_place import FINDING
from tests.blackbox.test_repairing import MENDS


def shown(title: str) -> Shown:
    return Shown(replace(FINDING, title=title, place=None), parse("a = malloc(8)\nfree(a)"))


def searched(explainer: Explainer, title: str) -> tuple[Search, list[str]]:
    return explainer._mended(shown(title), [], set(), lambda _: lambda _: True)


def test_what_mends_a_finding_is_asked_whether_it_mends_those_before(monkeypatch: pytest.MonkeyPatch,
                                                                    tmp_path: Path) -> None:
    path, asked = tmp_path / "small.c", list[int]()
    path.write_text(SIZE_OF_A_VARIABLE)
    comes_to = [Search([]), Search([MENDS._replace(hides=True)]), Search([MENDS]), Search([MENDS], again=True)]
    monkeypatch.setattr(explaining, "mending", lambda *_: comes_to.pop(0))

    def mended(*_: object) -> bool:
        asked.append(1)
        return True

    monkeypatch.setattr(explaining, "is_mended", mended)
    target = resolve(ForeignOptions(grammar.parse(str(path))))
    with Judge(judge_program(target.bits), target) as judge:
        explainer = Explainer(target, Promises(), judge, 20)
        monkeypatch.setattr(explainer, "_searches", list[RepairSearch]([None]))      # type: ignore[list-item]
        assert searched(explainer, "first")[1] == searched(explainer, "second")[1] == [] == asked
        assert searched(explainer, "third")[1] == ["first", "second"]
        assert searched(explainer, "fourth") == (Search([MENDS], again=True), [])
        explainer.close()


@pytest.mark.parametrize(("one", "is_known"), [(MENDS, True), (MENDS._replace(hides=True), False)])
def test_what_an_earlier_change_mends_is_known_unless_that_may_only_hide_it(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path, one: Repair, *, is_known: bool) -> None:
    path = tmp_path / "small.c"
    path.write_text(SIZE_OF_A_VARIABLE)
    monkeypatch.setattr(explaining, "mending", lambda *_: Search([one], again=True))
    target = resolve(ForeignOptions(grammar.parse(str(path))))
    with Judge(judge_program(target.bits), target) as judge:
        explainer = Explainer(target, Promises(), judge, 20)
        monkeypatch.setattr(explainer, "_searches", list[RepairSearch]())
        assert not explainer.is_known
        for explained in (explainer.explained, lambda given: explainer.of_breach(as_breach(given), 0).finding):
            explainer.is_known = False
            found = explained(shown("again"))
            assert explainer.is_known == is_known and found.place is not None
        explainer.close()


def as_breach(given: Shown) -> Shown:
    """As what shows on the twin alone."""
    return given._replace(finding=replace(given.finding, code="uses_never_written"))
