"""Any trace on a stranger's allocator: judged step by step, drawn around a step, followed by a debugger."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.campaign import Campaign
from heapster.checkers.blackbox.describe import describe
from heapster.checkers.blackbox.drawing import picture, regions
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions, remember
from heapster.checkers.blackbox.persist import Keeper
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.pursuit import Shown
from heapster.checkers.blackbox.stepwise import NamedBlock
from heapster.checkers.findings.store import Store
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.checkers.targets.target import LIBC
from heapster.cli import main
from heapster.model.trace import parse
from heapster.results import Finding

HERE = Path(__file__).parent
FAULTY = HERE / "zoo" / "calloc_zeroes_one.c"
FAILS = "a = malloc(8); free(a); b = calloc(2, 1)"


def test_a_trace_passes_on_a_target_and_what_that_lacks_is_passed_over(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t").write_text("policy best_fit; a = malloc(100); free(a); a = calloc(1, 50); free(a); b = malloc(9)")
    assert main(["replay", "t", "--target", str(HERE / "correct" / "pool.toml"), "--json", "r.json"]) == 0
    said = capsys.readouterr().out
    assert "5 of 5 calls, 2 of them skipped: it has no calloc, nothing wrong" in said
    run = json.loads((tmp_path / "r.json").read_text())
    assert run["calls"] == {"malloc": 2, "free": 1}
    assert "not_zeroed" not in run["checks"]


def test_a_trace_that_fails_is_a_finding_with_the_command_that_shows_it(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["replay", FAILS, "--target", str(FAULTY), "--json", "r.json"]) == 1
    finding, = json.loads((tmp_path / "r.json").read_text())["findings"]
    assert finding["code"] == "not_zeroed"
    assert finding["replay"] == f"heapster replay '{FAILS}' --target {FAULTY}"
    assert "FAILS: the trace" in capsys.readouterr().out
    assert main(["replay", FAILS, "--target", "libc"]) == 0


@pytest.mark.parametrize(("trace", "said"), [
    ("a = malloc(8); free(a); free(a)", "step 3 of the trace: free of a block that was freed already"),
    ("policy best_fit", "no step of the trace is a call")])
def test_what_cannot_be_asked_is_refused(trace: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", trace, "--target", "libc"]) == 2
    assert said in capsys.readouterr().err


def drawn(trace: str, target: str, step: int, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Before and after the step."""
    assert main(["replay", trace, "--target", target, "--at", str(step)]) == 0
    return capsys.readouterr().out.split("after:")


def test_live_blocks_are_drawn_by_region_around_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    before, after = drawn("a = malloc(100); b = malloc(3000000); c = realloc(a, 200); free(b)", "libc", 3, capsys)
    assert "a  +0 .. +100  " in before
    assert "c  +0 .. +200 " not in before
    assert "c  +" in after
    assert "200 bytes" in after
    assert before.count("region ") == after.count("region ") == 2
    assert main(["replay", "a = malloc(1)", "--target", "libc", "--at", "2"]) == 2


def test_the_region_of_a_pool_is_where_its_blocks_are_drawn_from(capsys: pytest.CaptureFixture[str]) -> None:
    _, after = drawn("a = malloc(100); b = malloc(8)", str(HERE / "correct" / "mm.c"), 2, capsys)
    assert "its memory: " in after
    assert "2 live blocks" in after


def test_a_run_that_ends_before_the_step_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "dies.c"
    source.write_text('#include <stdlib.h>\nvoid *die_malloc(size_t n) { if (n == 9) abort(); return malloc(n); }\n'
                      "void die_free(void *p) { free(p); }\n")
    trace = "a = malloc(8); b = malloc(9); c = malloc(10)"
    before, after = drawn(trace, str(source), 2, capsys)
    assert "8 bytes" in before
    assert "malloc aborts" in after
    assert main(["replay", trace, "--target", str(source), "--at", "3"]) == 2
    assert "the run ends before: malloc aborts" in capsys.readouterr().err


def test_regions_are_told_by_gaps_and_bounds() -> None:
    blocks = [NamedBlock(0, 0x1000, 16), NamedBlock(1, 0x2000, 16), NamedBlock(2, 0x900000, 8)]
    assert [(region.start, region.end) for region in regions(blocks)] == [(0x1000, 0x2010), (0x900000, 0x900008)]
    inside = regions(blocks, (0x800, 0x1800))
    assert [(region.start, region.given) for region in inside] == [(0x800, True), (0x2000, False), (0x900000, False)]
    assert picture(blocks, blocks, 2).splitlines()[-1] == "and 1 more block"
    assert picture([], blocks) == "nothing is live"


def test_the_work_of_threads_is_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                         capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    line = "# 2 threads make 50 calls each at the same time, seed 7"
    Store(tmp_path / ".heapster", print).keep(Finding("0f0f0f0f", "race_crash", "", (line,), ""), LIBC)
    assert main(["replay", "0f0f0f0f", "--at", "1"]) == 2
    assert "is the work of threads and no trace" in capsys.readouterr().err
    assert main(["replay", "a = malloc(1)", "--gdb"]) == 2


MISREADS = """
#include <stddef.h>
static char room[1 << 20];
static size_t used, last;
void *malloc(size_t size)
{
    if (size > 1 << 12 || used > 1 << 19)
        return NULL;
    last = used;
    used += (size + 31) & ~(size_t)15;
    return room + last + 16;
}
void free(void *block)
{
    if (block != NULL)
        room[last + 16] = 0;
}
"""


@pytest.mark.skipif(shutil.which("gdb") is None, reason="gdb is not installed")
@pytest.mark.parametrize("flags", [("-g",), ()], ids=["at_the_line", "at_the_instruction"])
def test_the_debugger_stops_at_the_access_that_it_comes_from(flags: tuple[str, ...], tmp_path: Path) -> None:
    source, made = tmp_path / "mine.c", tmp_path / "mine.so"
    source.write_text(MISREADS)
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", *flags, source, "-o", made], check=True)
    options = ForeignOptions(grammar.parse(str(made)))
    target = resolve(options)
    with Judge(judge_program(target.bits), target) as judge:
        campaign = Campaign(judge, 1, 1, lines=True)
        campaign.judge_trace(parse("a = malloc(20)\nb = malloc(20)\nfree(a)"))
        assert campaign.explainer
        campaign.explainer.close()
        shown, promises = campaign.shown[0], campaign.promises
    assert shown.finding.place and shown.finding.place.step == 2
    store = Store(tmp_path / ".heapster", print)
    keeper = Keeper(store, store.folder, options, target,
                    lambda place, shown: remember(place, options, shown.repeat, shown.threads))
    found = keeper.keep(shown, promises)
    done = subprocess.run([sys.executable, "-m", "heapster", "replay", found.id, "--gdb"], cwd=tmp_path, text=True,
                          input="print step_now\nx/i $pc\nbt 1\nkill\nquit\n", capture_output=True, timeout=120,
                          check=False)
    assert "in step 3, `free(a)`" in done.stderr
    assert "$1 = 2" in done.stdout and "#0 " in done.stdout
    at = source.read_text().splitlines().index("        room[last + 16] = 0;") + 1
    assert f"mine.c:{at}" in done.stdout if flags else "=> " in done.stdout and "<free+" in done.stdout


@pytest.mark.skipif(shutil.which("gdb") is None, reason="gdb is not installed")
def test_the_debugger_stops_where_the_failing_call_enters_the_allocator(tmp_path: Path) -> None:
    options = ForeignOptions(grammar.parse(str(FAULTY)))
    target, trace = resolve(options), parse(FAILS)
    with Judge(judge_program(target.bits), target) as judge:
        promises = learn(judge, None).promises
        finding = describe(judge, trace, promises, frozenset())
    store = Store(tmp_path / ".heapster", print)
    keeper = Keeper(store, store.folder, options, target,
                    lambda place, shown: remember(place, options, shown.repeat, shown.threads))
    keeper.keep(Shown(finding, trace), promises)
    done = subprocess.run([sys.executable, "-m", "heapster", "replay", finding.id, "--gdb"], cwd=tmp_path, text=True,
                          input="bt 1\nkill\nquit\n", capture_output=True, timeout=120, check=False)
    symbol = target.symbols["calloc"]
    assert f"where the failing call enters {symbol}: `step` goes through it" in done.stderr
    assert f"#0  {symbol} (" in done.stdout
