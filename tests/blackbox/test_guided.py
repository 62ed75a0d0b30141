"""Generation guided by coverage: what edges are told, what is kept, what is made of it, and what a corpus becomes."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from heapster import cli
from heapster.checkers.blackbox.build import Compiler, judge_program
from heapster.checkers.blackbox.campaign import Campaign
from heapster.checkers.blackbox.changing import Changing, fitting
from heapster.checkers.blackbox.corpus import Corpus
from heapster.checkers.blackbox.generator import BUCKETS, HUGE, Mood
from heapster.checkers.blackbox.guided import Guide
from heapster.checkers.blackbox.guiding import Guiding, traced
from heapster.checkers.blackbox.judge import DRAWN_LAYOUT, Judge
from heapster.checkers.blackbox.minimising import minimise
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.stepwise import run_trace
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.checkers.traces.compact import compact
from heapster.checkers.traces.legality import first_misuse
from heapster.model.operation import Trace
from heapster.model.operations import REQUESTS, requested
from heapster.model.spec import Promises
from heapster.model.trace import format_trace, parse
from tests.blackbox.guidance import HERE, SHARE, needs

SOURCE = """
#include <stddef.h>
static char heap[1 << 20];
static size_t top;
void *malloc(size_t n)
{
    if (n > sizeof heap - 64 - top)
        return NULL;
    if (n % 8 == 3)
        top += 16;
    top = (top + n + 31) & ~(size_t)15;
    return heap + ((top - n) & ~(size_t)15);
}
void free(void *p) { if (p == NULL) top += 0; }
"""
COMPILERS = [pytest.param(name, marks=pytest.mark.skipif(shutil.which(name) is None, reason=f"there is no {name}"))
             for name in ("gcc", "clang")]
EVERY = frozenset({"malloc", "free", "calloc", "realloc", "aligned_alloc", "usable_size"})
MOOD = Mood(EVERY, tuple(range(len(BUCKETS))), zero=True, huge=True, refusals=False, length=12, most=1 << 16)


@pytest.fixture(scope="module", params=COMPILERS)
def judge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    source = tmp_path_factory.mktemp("traced") / "mine.c"
    source.write_text(SOURCE)
    target = traced(resolve(ForeignOptions(grammar.parse(str(source)), compiler=Compiler(request.param))))
    with Judge(judge_program(64), target) as made:
        yield made


def edges(judge: Judge, text: str) -> dict[int, int]:
    run_trace(judge, parse(text), Promises(alignment=1))
    return judge.edges()


def test_an_edge_is_told_with_the_operation_that_took_it_first(judge: Judge) -> None:
    plain, odd = edges(judge, "a = malloc(8); b = malloc(16)"), edges(judge, "a = malloc(8); b = malloc(11)")
    assert set(plain.values()) == {0} and plain.keys() < odd.keys()
    assert {op for edge, op in odd.items() if edge not in plain} == {1}


def test_edges_have_the_same_numbers_at_other_addresses(judge: Judge) -> None:
    with judge.twin(DRAWN_LAYOUT) as other:
        assert edges(other, "a = malloc(11); free(a)") == edges(judge, "a = malloc(11); free(a)")


def test_edges_of_a_case_that_crashed_are_told(judge: Judge) -> None:
    assert edges(judge, "a = malloc(11); b = malloc(2000000); c = malloc(8)").keys() > edges(
        judge, "a = malloc(11)").keys()


def test_what_takes_a_new_edge_is_kept_up_to_there() -> None:
    guide, trace = Guide(), parse("a = malloc(8); b = malloc(16); free(a)")
    assert guide.note(trace, {7: 0, 8: 1}) == trace[:2]
    assert guide.note(trace, {8: 0, 7: 2}) == ()
    assert guide.note(trace[2:], {9: 0}) == parse("free(NULL)")[:0] + guide.seeds[1]
    assert guide.edges == {7, 8, 9} and len(guide.seeds) == 2


@pytest.mark.parametrize("huge", [False, True])
def test_changed_traces_are_legal_and_within_the_mood(huge: bool) -> None:
    mood, rng = MOOD._replace(huge=huge), Random(1)
    seeds = [parse("a = malloc(100); b = realloc(a, 5000); c = calloc(3, 40); free(b)"),
             parse("a = aligned_alloc(64, 100); usable_size(a); b = malloc(24)")]
    changing = Changing(rng, mood, lambda: rng.choice(seeds))
    for _ in range(400):
        trace = fitting(changing.changed(rng.choice([*seeds, ()])), mood, 1 << 17)
        assert huge or not trace or first_misuse(compact(trace)) is None    # a block stays that is not made huge
        asked = [requested(step) for step in trace if step.verb in REQUESTS]
        assert all(huge and size >= HUGE or size <= mood.most for size in asked)
        assert {step.verb for step in trace} <= EVERY
        seeds += [trace] if 0 < len(trace) < 40 else []


def test_a_trace_of_another_target_is_fitted() -> None:
    trace = parse("policy best_fit; a = malloc(8); b = memalign(16, 8); free(b); free(a + 8); free(a); free(a)")
    assert fitting(trace, MOOD, 1 << 20) == parse("a = malloc(8); free(a)")


def test_no_size_is_stated_that_a_change_may_make_untrue() -> None:
    assert fitting(parse("a = malloc(8); free_sized(a, 8)"), MOOD, 1 << 20) == parse("a = malloc(8); free(a)")
    mood, rng = MOOD._replace(verbs=EVERY | {"free_sized"}), Random(1)
    steps = [step for _ in range(200) for step in fitting(Changing(rng, mood, lambda: ()).changed(()), mood, 1 << 20)]
    assert {step.verb for step in steps} == EVERY


def stairs(trace: Trace) -> dict[int, int]:
    """Edges of a make-believe allocator: each is taken by a size of its own, after the edge before it."""
    taken: dict[int, int] = {}
    for op, step in enumerate(trace):
        if step.verb == "malloc" and 1000 * len(taken) <= requested(step) < 1000 * len(taken) + 400:
            taken[len(taken)] = op
    return taken


def climbed(*, keeps: bool) -> int:
    """Edges that are taken in so many traces, if what takes new ones is kept or not."""
    guide, taken, mood = Guide(), set[int](), MOOD._replace(verbs=frozenset({"malloc", "free"}))
    guide.seeds = [] if keeps else [parse("a = malloc(24)")]
    for number in range(600):
        trace = guide.draw(Random(number), mood, 1 << 20)
        taken |= stairs(trace).keys()
        if keeps:
            guide.note(trace, stairs(trace))
    return len(taken)


def test_keeping_what_takes_new_edges_leads_further() -> None:
    assert climbed(keeps=True) >= climbed(keeps=False) + 2


def test_a_guide_needs_half_the_operations() -> None:
    found = needs(HERE / "correct" / "classes.c", range(3), 2500)
    assert sorted(need.guided_ops / need.ops for need in found)[1] <= SHARE


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copy(HERE / "correct" / "classes.c", tmp_path / "mine.c")
    return tmp_path


def fuzz(*words: str) -> int:
    return cli.main(["fuzz", "./mine.c", "--seconds", "0.3", "--seed", "1", "--corpus", "c", *words])


def edges_of_run(options: ForeignOptions, draws: int) -> int:
    """Edges that a run takes which starts from the corpus `c`, and draws so often."""
    with Guiding(resolve(options), Path("c")) as guiding:
        guidance = guiding.opened()
        assert guidance
        learnt = learn(guidance.judge, None)
        for trace in guidance.given(MOOD, 1 << 20):
            run_trace(guidance.judge, trace, learnt.promises)
            guidance.note(trace, given=True)
        for number in range(draws):
            trace = guidance.draw(Random(number), MOOD._replace(verbs=guidance.judge.target.verbs), 1 << 20)
            run_trace(guidance.judge, trace, learnt.promises)
            guidance.note(trace)
        edges = guidance.figures()["corpus"]
        assert isinstance(edges, dict)
        return int(edges["edges"])


def test_a_corpus_grows_is_started_from_and_made_small(folder: Path) -> None:
    options = ForeignOptions(grammar.parse("./mine.c"))
    (folder / "c").mkdir()
    (folder / "c" / "own.txt").write_text("a = malloc(11); free(a)\n")
    first = edges_of_run(options, 40)
    grown = len(list((folder / "c").glob("*.trace")))
    assert grown > 3 and edges_of_run(options, 0) == first
    (folder / "c" / ("0" * 16 + ".trace")).write_text(format_trace(parse("a = malloc(11); b = malloc(8)")))
    done = minimise(options, Corpus(folder / "c"))
    left = list((folder / "c").glob("*.trace"))
    assert (done.before.traces, done.after.traces, done.edges) == (grown + 2, len(left) + 1, first)
    assert len(left) < grown and done.after.steps < done.before.steps and (folder / "c" / "own.txt").exists()
    assert edges_of_run(options, 0) == first


def test_fuzz_tells_of_the_corpus(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fuzz("--json", "run.json")
    told = json.loads((folder / "run.json").read_text())["corpus"]
    assert (told["folder"], told["read"]) == ("c", 0) and told["added"] == len(list((folder / "c").iterdir()))
    assert f"corpus c: 0 traces read, {told['added']} added; {told['edges']} edges taken" in capsys.readouterr().out
    assert cli.main(["fuzz", "./mine.c", "--corpus", "c", "--minimise"]) == 0
    assert f"of {told['added']} traces, " in capsys.readouterr().out


def test_without_a_corpus_the_guide_comes_later_and_keeps_nothing(folder: Path) -> None:
    target = resolve(ForeignOptions(grammar.parse("./mine.c")))
    with Judge(judge_program(64), target) as judge, Guiding(target, None) as guiding:
        campaign = Campaign(judge, 1, 1, guiding=guiding)
        assert not guiding.spent
        while not any(kind.name == "guided" and kind.done > 3 for kind in campaign.schedule.kinds):
            assert campaign.take_turn()
        guidance = guiding.opened()
        assert guidance and guiding.spent and guidance.figures() == {}
        assert sum(kind.done for kind in campaign.schedule.kinds) > 50 and campaign.shown == []
    assert {path.name for path in folder.iterdir()} <= {"mine.c", ".heapster"}


def test_a_compiler_that_traces_nothing_leaves_a_campaign_without_a_guide(folder: Path) -> None:
    target = resolve(ForeignOptions(grammar.parse("./mine.c")))
    assert target.ingredients
    with Guiding(replace(target, ingredients=target.ingredients._replace(compiler=("false",))), None) as guiding:
        assert guiding.opened() is None


def said(capsys: pytest.CaptureFixture[str]) -> str:
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("heapster: ")]
    return line


def test_bad_corpora_are_told_in_a_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "c").mkdir()
    (folder / "c" / "other.trace").write_text("a = memalign(16, 8)\n")
    assert fuzz() == 2
    assert said(capsys) == "heapster: --corpus c is of another target: no trace in it calls a function of ./mine.c"
    (folder / "c" / "other.trace").write_text("a = malloc(16\n")
    assert fuzz() == 2 and "c/other.trace, line 1: " in said(capsys)
    assert cli.main(["fuzz", "./mine.c", "--corpus", "mine.c"]) == 2
    assert said(capsys) == "heapster: --corpus mine.c: File exists"
    assert cli.main(["fuzz", "./mine.c", "--minimise"]) == 2 and "--corpus DIR" in said(capsys)


def test_what_the_target_lacks_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "c").mkdir()
    (folder / "c" / "other.trace").write_text("a = memalign(16, 8); b = malloc(8)\n")
    fuzz()
    assert "1 of 1 trace of c whole: they call what the target lacks (memalign)" in capsys.readouterr().out


def test_a_target_that_tells_no_edges_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["fuzz", "libc", "--corpus", "c"]) == 4
    assert "give the C sources (mm.c), or build it with -fsanitize-coverage=trace-pc" in said(capsys)


def test_a_compiler_without_the_pass_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compiler = folder / "occ"
    compiler.write_text("#!/bin/sh\nfor w; do case $w in -fsanitize-coverage*)\n"
                        "echo \"occ: unknown argument '$w'\" >&2; exit 1;; esac; done\nexec cc \"$@\"\n")
    compiler.chmod(0o755)
    assert fuzz("--cc", str(compiler)) == 4
    assert said(capsys).startswith("heapster: occ cannot trace the edges of this target (-fsanitize-coverage=trace-pc)")
