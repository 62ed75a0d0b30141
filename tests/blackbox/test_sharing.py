"""A run that several campaigns share: together they take what one would, and each fault is told once."""

from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import pytest

from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.campaign import Campaign
from heapster.checkers.blackbox.collecting import Collected
from heapster.checkers.blackbox.counting import Counts
from heapster.checkers.blackbox.fuzzing import fuzz_foreign
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.known_faults import Known
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import Learnt
from heapster.checkers.blackbox.pursuit import Shown
from heapster.checkers.blackbox.schedule import CasePart
from heapster.checkers.blackbox.sharing import ShareDone, ShareFound, ShareSoFar
from heapster.checkers.blackbox.tally import Tally
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.checkers.jobs.local import Local
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.model.operation import Trace
from heapster.model.spec import Promises
from heapster.model.trace import parse
from heapster.results import Finding, Verdict
from tests.checkers.test_fuzzing import Memory

HERE = Path(__file__).parent
OVERLAP = frozenset({"malloc"})


def found(part: int, identity: str, code: str = "overlap", has: frozenset[str] = OVERLAP) -> ShareFound:
    finding = Finding(identity, code, "told", ("a = malloc(8)",), f"heapster replay {identity}")
    return ShareFound(part, Shown(finding, parse("a = malloc(8)"), known=Known(code, "malloc", has)), Promises())


def done(ops: int) -> ShareDone:
    target = ForeignTarget("t", "t.so", {}, "standard", 64)
    return ShareDone(Tally(ops=ops), Counts(target, Promises()), Learnt(Promises(), ()), {"random": {"cases": 1}},
                {"guided": 1}, [f"note {ops}"], {"race": "why"}, {}, interrupted=False)


class Kept:
    """What is shown and what is dropped of a collection under test."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.dropped: list[str] = []
        self.collected = Collected(self.show, self.dropped.append, lambda tally, findings: None)

    def show(self, shown: Shown, promises: Promises) -> Finding:
        self.shown.append(shown.finding.id)
        return shown.finding


def test_the_parts_of_a_run_are_all_of_it_and_nothing_twice() -> None:
    parts = [list(islice(CasePart(number, 3).of(count()), 4)) for number in range(3)]
    assert sorted(case for part in parts for case in part) == list(range(12))


def test_campaigns_that_share_a_run_take_the_cases_that_one_would(monkeypatch: pytest.MonkeyPatch) -> None:
    def names(part: CasePart, turns: int) -> list[str]:
        target = resolve(ForeignOptions(grammar.parse(str(HERE / "correct" / "firstfit.c"))))
        ran: list[str] = []

        def taken(trace: Trace, *_: object) -> float:
            ran.append(repr(trace))
            return 100.0

        with Judge(judge_program(target.bits), target) as judge:
            campaign = Campaign(judge, 60, 1, part=part)
            monkeypatch.setattr(campaign, "judge_trace", taken)
            for _ in range(turns):
                campaign.take_turn()
        return ran

    whole, halves = names(CasePart(), 60), [names(CasePart(number, 2), 60) for number in (0, 1)]
    assert not set(halves[0]) & set(halves[1])
    assert set(whole) <= {*halves[0], *halves[1]}


def test_what_two_shares_find_is_shown_once_and_is_the_lower_ones() -> None:
    kept = Kept()
    kept.collected.hear(found(1, "bbbb"))
    kept.collected.hear(found(0, "aaaa"))
    assert kept.shown == ["bbbb"]
    assert [finding.id for finding in kept.collected.findings()] == ["aaaa"]
    assert (kept.shown, kept.dropped) == (["bbbb", "aaaa"], ["bbbb"])


def test_what_one_share_tells_apart_stays_apart() -> None:
    kept = Kept()
    for identity in ("aaaa", "bbbb"):
        kept.collected.hear(found(0, identity))
    assert [finding.id for finding in kept.collected.findings()] == ["aaaa", "bbbb"]


def test_other_faults_of_other_shares_are_all_shown() -> None:
    kept = Kept()
    kept.collected.hear(found(1, "bbbb", "misaligned", frozenset({"memalign"})))
    kept.collected.hear(found(0, "aaaa", "not_zeroed", frozenset({"calloc"})))
    assert [finding.id for finding in kept.collected.findings()] == ["aaaa", "bbbb"]
    assert not kept.dropped


def test_how_far_a_run_is_is_the_time_of_all_its_shares() -> None:
    heard: list[float] = []
    collected = Collected(lambda shown, _: shown.finding, pytest.fail, lambda tally, _: heard.append(tally.spent))
    for part, spent in ((0, 2.0), (1, 3.0), (0, 4.0)):
        far = done(1)
        far.tally.spent = spent
        collected.hear(ShareSoFar(part, far, 0))
    assert heard == [2.0, 5.0, 7.0]


def test_the_campaign_says_how_much_of_its_time_is_gone() -> None:
    target, heard = resolve(ForeignOptions(grammar.parse(str(HERE / "correct" / "firstfit.c")))), list[float]()

    def hear(tally: Tally, _: int) -> None:
        heard.append(tally.spent)
        if len(heard) == 5:
            raise KeyboardInterrupt

    with Judge(judge_program(target.bits), target) as judge:
        assert not list(Campaign(judge, 60, 1, progress=hear).found())
    assert heard == sorted(set(heard))
    assert 0 < heard[0] < heard[-1] < 60


def test_an_interrupt_keeps_what_the_shares_have_told() -> None:
    def ends() -> Iterator[ShareDone]:
        yield done(5)
        raise KeyboardInterrupt

    collected = Kept().collected
    collected.hear(ShareSoFar(1, done(70), 0))
    whole = collected.all(ends())
    assert whole.interrupted
    assert (whole.tally.ops, whole.notes, whole.waited) == (75, ["note 70", "note 5"], {"guided": 2})


def test_an_interrupt_before_anything_was_told_is_one() -> None:
    with pytest.raises(KeyboardInterrupt):
        Kept().collected.all(_ended() for _ in range(2))


def _ended() -> ShareDone:
    raise KeyboardInterrupt


def test_two_jobs_find_the_fault_of_one_and_count_what_both_did(tmp_path: Path) -> None:
    options = ForeignOptions(grammar.parse(str(HERE / "zoo" / "calloc_zeroes_one.c")), 1.0, seed=1)
    store = Memory()
    told: list[str] = []
    run = fuzz_foreign(options, lambda finding: told.append(finding.code), lambda *_: None, store, tmp_path,
                       pool=Local(2), noticed=lambda finding: told.append(f"noticed {finding.code}"))
    assert run.verdict is Verdict.FAILED
    assert [finding.code for finding in run.findings] == ["not_zeroed"]
    assert told[0] == "noticed not_zeroed"       # before its line is looked for
    assert set(told) == {"noticed not_zeroed", "not_zeroed"}
    assert set(store.kept) == {finding.id for finding in run.findings}
    assert run.extra["calls"]["calloc"] > 0
