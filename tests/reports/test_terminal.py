"""A finding fits a screen and says what it must; a run says what it has not checked."""

from dataclasses import replace

import pytest

from heapster.reports.terminal import MOST_LINES, finding_lines, run_lines
from heapster.results import Finding, Run
from tests.reports.samples import FAILED, FINDING, INTERRUPTED, NOTHING, PASSED


def text(finding: Finding) -> list[str]:
    return [line for line, _ in finding_lines(finding)]


def test_a_finding_is_drawn_whole() -> None:
    assert text(FINDING) == [
        "structure_diverges  (3f2a90c1)",
        "  arena 0: the block at +40 is 48 bytes free, predicted 64 bytes free",
        "    policy best_fit",
        "    a = malloc(40)",
        "  > free(a)                           <- breaks here",
        "  > b = malloc(8)                     <- noticed here",
        "  before:",
        "    best_fit, threshold 131072",
        "    arena 0",
        "      +40 #48=a",
        "  after:",
        "    best_fit, threshold 131072",
        "    arena 0",
        "      +40 .48",
        "  also: boundary_tags_agree: +40 has size 48 and footer 64",
        "  with `b = malloc(9)` in place of `b = malloc(8)` it passes",
        "  again: heapster replay 'policy best_fit; a = malloc(40); free(a); b = malloc(8)'",
        "  about it: heapster explain structure_diverges",
    ]


def test_one_step_may_break_and_notice() -> None:
    assert "  > b = malloc(8)                     <- breaks here, noticed at once" in text(replace(FINDING, breaking=3))


@pytest.mark.parametrize("steps", [1, 5, 30, 1000])
@pytest.mark.parametrize("picture", [0, 3, 60])
@pytest.mark.parametrize("breaking", [0, 3, 999])
def test_a_finding_is_under_thirty_lines(steps: int, picture: int, breaking: int) -> None:
    """Whatever is cut, the marked steps and the replay line stay."""
    drawn = "\n".join(f"line {n}" for n in range(picture))
    noticing = steps - 1
    large = replace(FINDING, title="word " * 200, trace=tuple(f"step{n}" for n in range(steps)), before=drawn,
                    after=drawn, breaking=min(breaking, noticing), noticing=noticing, details=("detail",) * 9)
    lines = text(large)
    assert len(lines) <= MOST_LINES < 30
    assert sum(line.startswith("  > ") for line in lines) == len({large.breaking, large.noticing})
    assert any(line.startswith("  again: ") for line in lines)


def test_left_out_steps_are_counted() -> None:
    long = replace(FINDING, trace=tuple(f"step{n}" for n in range(100)), breaking=98, noticing=99)
    lines = text(long)
    shown = sum(line.strip(" >").startswith("step") for line in lines)
    assert f"    ... {100 - shown} more steps" in lines


def printed(run: Run) -> list[str]:
    return [line for line, _ in run_lines(run)]


def test_a_run_says_what_it_has_not_checked() -> None:
    assert printed(PASSED) == [
        "fuzz sim, seed 7: 1,200 operations in 12 examples",
        "  checked (1, and how often): contents 1,200",
        "  seen: 1 of 2 kinds of events",
        "  NOT checked: statistics",
        "  NOT seen: realloc_moved",
        "  NOT checked: the moon",
        "PASSED: nothing found in 1,200 operations",
    ]


def test_no_line_depends_on_time() -> None:
    assert printed(PASSED) == printed(replace(PASSED, seconds=99.0))


@pytest.mark.parametrize(("run", "verdict"), [
    (FAILED, "FAILED: 1 finding"),
    (INTERRUPTED, "INCONCLUSIVE: interrupted"),
    (NOTHING, "NOTHING RAN"),
    (replace(INTERRUPTED, extra={}), "INCONCLUSIVE"),
])
def test_the_verdict_comes_last_and_never_sounds_better_than_it_is(run: Run, verdict: str) -> None:
    assert printed(run)[-1] == verdict
    assert not any("PASSED" in line for line in printed(run))


def test_a_run_says_under_which_settings() -> None:
    run = replace(PASSED, extra={**PASSED.extra, "settings": {"policy": ["first_fit"], "cache": [0, 64]}})
    assert "  settings: policy first_fit, cache 0 / 64" in [line for line, _ in run_lines(run)]
