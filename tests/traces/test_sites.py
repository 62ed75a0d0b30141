"""Call sites of recorded programs: each block is its stack's, and the peak is where most is live."""

import json
import subprocess
from array import array
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from heapster.checkers.traces.compact import compact
from heapster.checkers.traces.raw import Stacks
from heapster.checkers.traces.recording import record
from heapster.checkers.traces.sites import DEEPER, Peak, Use, as_value, uses
from heapster.cli import main
from heapster.model.trace import parse
from heapster.reports import jsonfile

PROGRAM = """
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static void *small(void) { return malloc(100); }
static void *large(void) { return calloc(20, 1000); }
static void *grown(void *old) { return realloc(old, 300); }
static void *thread(void *unused) { free(aligned_alloc(64, 640)); return unused; }
static void *deep(int more) { void *p = more ? deep(more - 1) : malloc(7); return p; }
int main(void) {
    void *kept[50], *one = large();
    for (int i = 0; i < 50; i++) kept[i] = grown(small());
    free(one);
    for (int i = 0; i < 49; i++) free(kept[i]);
    pthread_t other;
    pthread_create(&other, 0, thread, 0);
    pthread_join(other, 0);
    free(deep(300));
    if (fork() == 0) { small(); _exit(0); }
    wait(0);
    return 0;
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sites")
    (folder / "p.c").write_text(PROGRAM)
    subprocess.run(["cc", "-g", "-O1", "-fno-builtin", "-fno-inline", "-fno-optimize-sibling-calls", "-o", folder / "p",
                    folder / "p.c", "-lpthread"], check=True)
    return folder / "p"


@pytest.fixture(scope="module")
def value(program: Path) -> dict[str, Any]:
    done = record([str(program)], program, None, {}, everyone=False, stacks=True)
    return as_value(done.trace, done.stacks)


def by_inner(value: dict[str, Any]) -> dict[str, Use]:
    """What the innermost function of each stack made."""
    found: dict[str, Use] = {}
    for stack in value["stacks"]:
        name = value["frames"][stack["frames"][-1]].partition(",")[0]
        found[name] = found.get(name, Use()) + Use(**{key: stack[key] for key in Use._fields})
    return found


def test_each_block_is_its_callers(value: dict[str, Any]) -> None:
    """calls, bytes, then blocks and bytes at the peak and at the end; of a block that is resized, the last call's."""
    found = by_inner(value)
    assert found["small"] == Use(50, 5000, 0, 0, 0, 0)
    assert found["grown"] == Use(50, 15000, 50, 15000, 1, 300)
    assert found["large"] == Use(1, 20000, 1, 20000, 0, 0)
    assert found["thread"] == Use(1, 640, 0, 0, 0, 0)
    assert value["peak"]["bytes"] == sum(stack["peak_bytes"] for stack in value["stacks"])


def test_a_stack_goes_from_main_to_the_call(value: dict[str, Any]) -> None:
    (stack,) = [stack for stack in value["stacks"] if "large" in value["frames"][stack["frames"][-1]]]
    names = [value["frames"][frame] for frame in stack["frames"]]
    assert names[-2:] == ["main, p.c:12", "large, p.c:7"]
    (other,) = [stack for stack in value["stacks"] if value["frames"][stack["frames"][-1]] == "thread, p.c:9"]
    assert not any("main," in value["frames"][frame] for frame in other["frames"])


def test_what_lies_deeper_than_is_told_is_said_to(value: dict[str, Any]) -> None:
    (stack,) = [stack for stack in value["stacks"] if value["frames"][stack["frames"][-1]].startswith("deep")]
    assert value["frames"][stack["frames"][0]] == DEEPER


def test_the_peak_is_the_first_step_after_which_most_is_live() -> None:
    trace = compact(parse("a = malloc(30); b = malloc(70); free(a); c = malloc(30); b = realloc(b, 10); free(c)"))
    stacks = Stacks(array("Q", [1, 2, 0, 1, 3, 0]), {}, {})
    assert uses(trace, stacks) == (Peak(2, 2, 100), {
        1: Use(2, 60, 1, 30, 0, 0), 2: Use(1, 70, 1, 70, 0, 0), 3: Use(1, 10, 0, 0, 1, 10)})


def test_a_trace_of_nothing_has_no_peak() -> None:
    assert uses(compact(parse("policy best_fit")), Stacks(array("Q", [0]), {}, {})) == (Peak(0, 0, 0), {})


def test_record_writes_them(program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON of the schema, as a page, and as a table of the report; without being asked, nothing reads stacks."""
    out, page = tmp_path / "r.json", tmp_path / "r.html"
    assert main(["record", "-o", str(tmp_path / "t"), "--json", str(out), "--html", str(page), "--", str(program)]) == 0
    run = json.loads(out.read_text())
    jsonschema.Draft202012Validator(jsonfile.schema()).validate(run)
    assert run["sites"]["peak"]["bytes"] >= 35000
    assert "large, p.c:7" in page.read_text()
    assert main(["report", str(out)]) == 0
    assert "large, p.c:7 < main, p.c:12" in capsys.readouterr().out
    done = record([str(program)], program, None, {}, everyone=False)
    assert not done.stacks.frames
    assert not any(done.stacks.numbers)
    assert main(["record", "-o", str(tmp_path / "t"), "--json", str(tmp_path), "--", str(program)]) == 2
