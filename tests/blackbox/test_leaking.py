"""The line that loses memory: that of the last pointer to a block which no call gets again. No variant is tried."""

from pathlib import Path

import pytest

from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.campaign import Campaign
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.leaking import repeated
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.model.trace import format_steps, parse
from heapster.results import Place

HERE = Path(__file__).parent
CLASSES = (HERE / "correct" / "classes.c").read_text()
TAKES = "        lists[class] = *(struct header **)(h + 1);"
PUTS = "    lists[h->class] = h;"


def place_of(folder: Path, text: str, work: str) -> Place | None:
    """Where the work loses memory, by what is stored alone."""
    source = folder / "mine.c"
    source.write_text(text)
    target = resolve(ForeignOptions(grammar.parse(str(source))))
    with Judge(judge_program(target.bits), target) as judge:
        campaign = Campaign(judge, 0, 1, lines=True)          # 0 s: there is no time for variants
        campaign.repeat_trace(parse(work))
        assert campaign.explainer
        campaign.explainer.close()
        return campaign.shown[0].finding.place if campaign.shown else None


@pytest.mark.parametrize(("right", "wrong", "work", "says"), [
    (TAKES, "        lists[class] = NULL;", "a = malloc(100)\nb = malloc(100)\nfree(a)\nfree(b)",
     "drops the last pointer to"),
    (PUTS, "    if (lists[h->class] == NULL) lists[h->class] = h;",
     "a = malloc(100)\nb = malloc(100)\nfree(a)\nfree(b)", "in the call after which"),
    ("    h->class = class;", "    h->class = size == 500 ? 4 : class;", "a = malloc(500)\nfree(a)",
     "wrote last what is known of"),
], ids=["the_rest_of_a_list", "the_second_in_a_list", "in_the_wrong_list"])
def test_the_line_that_loses_it_is_named(right: str, wrong: str, work: str, says: str, tmp_path: Path,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = CLASSES.replace(right, wrong)
    place = place_of(tmp_path, text, work)
    assert place and not place.mended
    at = text.splitlines().index(wrong) + 1
    assert place.why.startswith(says) and place.line in (at, at - 1)


def test_what_loses_nothing_names_nothing(tmp_path: Path) -> None:
    assert place_of(tmp_path, CLASSES, "a = malloc(100)\nb = malloc(100)\nfree(a)\nfree(b)") is None


def test_the_work_is_repeated_and_all_that_it_leaves_is_freed() -> None:
    trace = format_steps(repeated(parse("a = malloc(1)\nb = realloc(a, 2)")))
    assert trace[:4] == ("a = malloc(1)", "b = realloc(a, 2)", "free(b)", "c = malloc(1)") and len(trace) == 9
