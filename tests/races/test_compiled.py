"""Schedules of instrumented C targets: what is found, how small it gets, and that it is found again."""

import json
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from heapster.checkers.races.compiled.target import CompiledTarget
from heapster.checkers.races.findings import replay
from heapster.checkers.races.lanes import is_heading
from heapster.checkers.races.search import SearchPlan
from heapster.checkers.races.searching import races
from heapster.checkers.targets.grammar import parse
from heapster.cli import main
from heapster.results import Run, Verdict

C = Path(__file__).parent / "c"
pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")


CLEARS = """\
#include <pthread.h>
#include <stddef.h>
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Alignas(16) char heap[1 << 20];
static size_t used;
void *my_malloc(size_t size)
{
    pthread_mutex_lock(&lock);
    char *given = size <= sizeof heap - used ? heap + used : NULL;
    if (given != NULL)
        used += size + 15 & ~(size_t)15;
    pthread_mutex_unlock(&lock);
    return given;
}
void my_free(void *block) { (void)block; }
void *my_calloc(size_t count, size_t size)
{
    volatile char *given = my_malloc(count * size);
    for (size_t at = 0; given != NULL && at < count * size; at++)
        given[at] = 0;
    return (void *)given;
}
"""


@contextmanager
def opened(path: Path) -> Iterator[CompiledTarget]:
    target = CompiledTarget.of(parse(str(path)))
    try:
        yield target
    finally:
        target.close()


def explored(path: Path, schedules: int) -> Run:
    with opened(path) as target:
        return races(SearchPlan(schedules=schedules, seed=1), target, parse(str(path)))


def test_a_call_that_clears_a_large_block_byte_by_byte_does_not_hang(tmp_path: Path) -> None:
    (tmp_path / "clears.c").write_text(CLEARS)
    with opened(tmp_path / "clears.c") as target:
        assert replay("r1:c300000|m24;s:1,0", target).verdict is Verdict.PASSED


@pytest.fixture(scope="module")
def both() -> Run:
    return explored(C / "mm.c", 600)


def test_both_faults_of_the_original_are_found(both: Run) -> None:
    assert [finding.code for finding in both.findings] == ["data_race", "overlap"]
    assert [len(finding.trace) for finding in both.findings] == [2, 4]


def test_a_finding_names_the_lines_of_both_threads(both: Run) -> None:
    race, overlap = both.findings
    assert race.title == "thread 0 writes what is at [the break], which thread 1 read, and nothing orders the two"
    assert race.details[:2] == ("thread 1's sbrk: mm.c:26 grow < mm.c:43 my_malloc",
                                "thread 0's sbrk: mm.c:27 grow < mm.c:43 my_malloc")
    assert any("mm.c:46 locks lock" in line for line in overlap.details)


def test_a_finding_is_shrunk_to_few_operations_and_preemptions(both: Run) -> None:
    for finding in both.findings:
        lanes = [sum(step.startswith(f"thread {lane}") for step in finding.trace) for lane in range(2)]
        assert max(lanes) <= 3
        assert int(finding.details[-1].split(";")[0].removeprefix("preemptions: ")) <= 3


def test_a_replay_fails_each_time(both: Run) -> None:
    with opened(C / "mm.c") as target:
        for finding in both.findings:
            text = shlex.split(finding.replay)[2]
            runs = [replay(text, target) for _ in range(10)]
            assert [run.findings[0].code for run in runs] == [finding.code] * 10


def test_the_command_and_its_replay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "r.json"
    assert main(["races", str(C / "mm.c"), "--schedules", "600", "--seed", "1", "--json", str(report)]) == 1
    again = shlex.split(json.loads(report.read_text())["findings"][0]["replay"])
    assert main(again[1:]) == 1
    assert "mm.c:27 grow" in capsys.readouterr().out


def test_an_object_without_hooks_is_inconclusive_and_told_how_to_build_it(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = tmp_path / "libmm.so"
    subprocess.run(["cc", "-shared", "-fPIC", C / "mm.c", "-o", made], check=True)
    assert main(["races", str(made), "--schedules", "5"]) == 3
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert {"cc -g -O1 -fPIC -fsanitize=thread -c mm.c", "cc -shared mm.o -o mm.so"} <= set(lines)


def test_an_object_that_is_instrumented_is_explored(tmp_path: Path) -> None:
    made = tmp_path / "mm.so"
    compile_ = ["cc", "-g", "-O1", "-fPIC", "-fsanitize=thread", "-c", str(C / "mm.c"), "-o", str(tmp_path / "mm.o")]
    subprocess.run(compile_, check=True)
    subprocess.run(["cc", "-shared", tmp_path / "mm.o", "-o", made], check=True)
    run = explored(made, 600)
    assert run.verdict is Verdict.FAILED and run.findings[0].code == "data_race"


def test_the_details_that_are_shown_say_what_matters(both: Run) -> None:
    race, overlap = both.findings
    assert not any(is_heading(line) for finding in both.findings for line in finding.details[:3])
    assert race.details[2].startswith("threads go on in this order: ")
    assert overlap.details[2] == "thread 1 stops, and thread 0 goes on, before mm.c:46 locks lock"
    assert any(is_heading(line) for line in overlap.details)
