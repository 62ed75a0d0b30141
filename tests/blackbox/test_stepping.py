"""A shared object without its sources, taken an instruction at a time: what it touches, and the line or the place."""

import platform
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

from heapster.checkers.blackbox import explaining
from heapster.checkers.blackbox.accesses import RANGE, READS, WRITES, TracedEvent
from heapster.checkers.blackbox.build import LAB_HEADERS, judge_program
from heapster.checkers.blackbox.campaign import Campaign
from heapster.checkers.blackbox.explaining import Explainer
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.protocol import EventKind
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.model.trace import parse
from heapster.results import Finding

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="the trap flag is x86-64's")
HERE = Path(__file__).parent
WORK = parse("a = malloc(40)\nb = malloc(600)\nfree(a)\nc = calloc(3, 8)\nb = realloc(b, 2000)\nd = malloc(100)\n"
             "free(c)\nfree(b)\ne = malloc(3000)\nfree(d)\nfree(e)")
MISREAD = ("*(size_t *)(b - 8)", "*(size_t *)(b - 16)")
LISTS = """
#include <stddef.h>
#include <sys/mman.h>
struct node { struct node *next; size_t size; };
static struct node *list;
static char *top, *end;
void *malloc(size_t size)
{
    if (size == 0 || size > 1 << 20)
        return NULL;
    size = (size + 31) & ~(size_t)15;
    for (struct node **at = &list; *at != NULL; at = &(*at)->next)
        if ((*at)->size >= size) {
            struct node *found = *at;
            *at = found->next;
            return found + 1;
        }
    if ((size_t)(end - top) < size) {
        top = mmap(NULL, 1 << 24, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (top == MAP_FAILED)
            return end = top = NULL;
        end = top + (1 << 24);
    }
    struct node *made = (struct node *)top;
    top += size;
    made->size = size;
    return made + 1;
}
void free(void *p)
{
    if (p == NULL)
        return;
    struct node *node = (struct node *)p - 1;
    node->next = list;
    list = node;
}
"""
LINKED = "    node->next = list;"
CRASHES = "    node->next = *(struct node **)(node->size > 64 ? 16 : (size_t)&list);"


def built(folder: Path, text: str, *flags: str, name: str = "mine") -> Path:
    """The text as a shared object, its source gone but for its name."""
    source, made = folder / f"{name}.c", folder / f"{name}.so"
    source.write_text(text)
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-fno-builtin", f"-I{LAB_HEADERS}", *flags, source, "-o", made],
                   check=True)
    return made


def touched(run: Iterable[TracedEvent], way: int) -> dict[int, set[int]]:
    """By step, the bytes of the heap (what the target got of the system) that were touched so."""
    owned, found = set[int](), defaultdict[int, set[int]](set)
    for moment in run:
        event = moment.event
        if event.kind == EventKind.GAINED:
            owned.update(range(event.address, event.address + event.size))
        elif event.kind == EventKind.ACCESS and event.flags & way:
            found[event.step] |= owned & set(range(event.address, event.address + event.size))
    return found


@pytest.mark.parametrize("base", ["correct/mm.c", "lines/explicit.c", "correct/classes.c"])
def test_what_is_touched_step_by_step_is_what_the_instrumented_twin_touches(base: str, tmp_path: Path) -> None:
    text = (HERE / base).read_text()
    paths = built(tmp_path, text), tmp_path / "mine.c"
    runs = []
    for path in paths:
        target = resolve(ForeignOptions(grammar.parse(str(path))))
        with Judge(judge_program(target.bits), target) as judge:
            explainer = Explainer(target, learn(judge, None).promises, judge, 1)
            twin = explainer.twin()
            assert twin is not None and twin.target.stepped == (path == paths[0])
            run, outcome = explainer.run(WORK)
            explainer.close()
            assert not outcome.reasons
            runs.append(run)
    stepped, instrumented = runs
    assert touched(stepped, WRITES) == touched(instrumented, WRITES)
    assert any(touched(stepped, READS).values())


def shown(path: Path, steps: str) -> Finding:
    """The finding of a trace that fails."""
    target = resolve(ForeignOptions(grammar.parse(str(path))))
    with Judge(judge_program(target.bits), target) as judge:
        campaign = Campaign(judge, 5, 1, lines=True)
        campaign.judge_trace(parse(steps))
        assert campaign.explainer
        campaign.explainer.close()
        return campaign.shown[0].finding


def test_the_access_is_named_with_its_line_and_who_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (HERE / "correct" / "mm.c").read_text().replace(*MISREAD)
    place = shown(built(tmp_path, text, "-g"), "a = malloc(1)").place
    assert place and place.file == "mine.c" and MISREAD[1] in text.splitlines()[place.line - 1]
    assert place.backtrace[0].startswith("merge") and place.backtrace[1].startswith("mm_malloc") and place.step == 0


@pytest.mark.parametrize("flags", [(), ("-s",)], ids=["without_g", "stripped"])
def test_without_debug_information_it_is_a_function_and_an_offset(tmp_path: Path, flags: tuple[str, ...]) -> None:
    text = (HERE / "correct" / "mm.c").read_text().replace(*MISREAD)
    path = built(tmp_path, text, *flags)
    place = shown(path, "a = malloc(1)").place
    assert place and place.line == 0 and place.function.startswith("mm_malloc+0x") and place.address
    start = int(next(line for line in subprocess.run(["nm", "-D", path], capture_output=True, text=True, check=True)
                     .stdout.splitlines() if line.endswith(" mm_malloc")).split()[0], 16)
    assert place.address == start + int(place.function.partition("+")[2], 16)


def test_an_object_optimised_as_it_is_linked_has_its_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (HERE / "correct" / "mm.c").read_text().replace(*MISREAD)
    place = shown(built(tmp_path, text, "-g", "-flto"), "a = malloc(1)").place
    assert place and ("mine.c" in place.words if place.line else place.function.startswith("mm_malloc+"))


@pytest.mark.faults
def test_of_a_hang_the_loop_is_named_and_who_closed_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wrong = "    node->next = node->size > 64 ? node : list;"
    text = LISTS.replace(LINKED, wrong)
    finding = shown(built(tmp_path, text, "-g"), "a = malloc(100)\nfree(a)\nb = malloc(1000)")
    assert finding.code == "hang" and finding.place
    assert text.splitlines()[finding.place.line - 1] == wrong
    assert any("in the loop that is not left" in also for also in finding.place.also)


def test_of_a_crash_the_access_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wrong = CRASHES
    text = LISTS.replace(LINKED, wrong)
    finding = shown(built(tmp_path, text, "-g"), "a = malloc(100)\nfree(a)")
    assert finding.code == "crash" and finding.place
    assert text.splitlines()[finding.place.line - 1] == wrong


def test_what_libc_does_for_it_is_seen_too_and_nothing_is_lost_behind_it(tmp_path: Path) -> None:
    cleared = "    made->size = size;\n    memset(made + 1, 0, size - sizeof *made);"
    text = LISTS.replace("    made->size = size;", cleared).replace(
        "#include <stddef.h>", "#include <stddef.h>\n#include <string.h>")
    run = explained_run(built(tmp_path, text), "a = malloc(100)\nfree(a)")
    ranges = [number for number, moment in enumerate(run) if moment.event.flags & RANGE and moment.event.size == 112]
    assert len(ranges) == 1
    assert any(moment.event.flags & WRITES and moment.event.step == 1 for moment in run[ranges[0]:])


def test_a_machine_that_takes_no_single_steps_is_told_in_a_line_and_the_finding_stays(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explaining, "STEPPED", 0)
    target = resolve(ForeignOptions(grammar.parse(str(built(tmp_path, LISTS.replace(LINKED, CRASHES), "-g")))))
    with Judge(judge_program(target.bits), target) as judge:
        campaign = Campaign(judge, 1, 1, lines=True)
        campaign.judge_trace(parse("a = malloc(100)\nfree(a)"))
        assert campaign.explainer
        campaign.explainer.close()
    assert campaign.shown[0].finding.code == "crash" and campaign.shown[0].finding.place is None
    assert [note for note in campaign.explainer.notes if "takes no single steps" in note] == [explaining.NO_STEPS]


def explained_run(path: Path, steps: str) -> list[TracedEvent]:
    """All that it does in a trace."""
    target = resolve(ForeignOptions(grammar.parse(str(path))))
    with Judge(judge_program(target.bits), target) as judge:
        explainer = Explainer(target, learn(judge, None).promises, judge, 1)
        try:
            return explainer.run(parse(steps))[0]
        finally:
            explainer.close()
