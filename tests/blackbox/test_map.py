"""The map of whose each byte is: each way to break it is told with its line, and what is right is not told of."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.campaign import Campaign
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.protocol import LOADS, OBSERVED, Breach, Mode
from heapster.checkers.blackbox.root_cause import BROKEN
from heapster.checkers.blackbox.stepwise import BREACHES, run_trace
from heapster.checkers.blackbox.target import VERB_BITS
from heapster.checkers.blackbox.twin import instrumented_twin
from heapster.checkers.targets import grammar
from heapster.checkers.targets.lines import Lines
from heapster.checkers.targets.opening import resolve
from heapster.model.trace import parse
from heapster.results import Finding

MM = (Path(__file__).parent / "correct" / "mm.c").read_text()
ANSWER, ROUNDED = "    return b + 8;", "    size_t need = "
TWO = "a = malloc(24); b = malloc(24); free(a); c = malloc(8)"


def judged(folder: Path, old: str, new: str) -> tuple[Path, Judge]:
    """The twin of an allocator that is mm.c with a few words more, which stand on a line of their own."""
    source = folder / "mine.c"
    source.write_text(MM.replace(old, f"{new}\n{old}", 1))
    twin = instrumented_twin(resolve(ForeignOptions(grammar.parse(str(source)))))
    return source, Judge(judge_program(twin.bits), twin)


WAYS = {
    "writes_into_live_block": (Breach.WRITES_LIVE, ANSWER, "{ char *n = b + SIZE(b); if (SIZE(n)) n[8] |= 1; }"),
    "copies_out_of_live_block": (Breach.COPIES_LIVE, ANSWER,
                                 "{ char *n = b + SIZE(b); if (SIZE(n)) memcpy(b + 8, n + 8, 8); }"),
    "writes_outside": (Breach.WRITES_OUTSIDE, ANSWER, "((char *)mem_heap_hi())[1] = 13;"),
    "reads_outside": (Breach.READS_OUTSIDE, ANSWER, "if (((volatile char *)mem_heap_hi())[1] == 1) return NULL;"),
    "overflows": (Breach.UNDEFINED, ROUNDED, "int n = (int)size + 2147483640; if (n == 7) return NULL;"),
    "shifts": (Breach.UNDEFINED, ROUNDED, "if (1 << (size + 20) == 3) return NULL;"),
    "misaligned": (Breach.MISALIGNED, ANSWER, "{ char *p = b + 9; *(volatile int *)p = 0; }"),
    "reads_live_block": (Breach.READS_LIVE, ANSWER,
                         "{ char *n = b + SIZE(b); if (SIZE(n) && n[8] == 1) return NULL; }"),
    "uses_never_written": (Breach.READS_UNWRITTEN, ROUNDED, "if (((char *)mem_heap_lo())[3] == 1) return NULL;"),
}


@pytest.mark.parametrize("name", WAYS)
def test_an_access_that_breaks_the_map_is_told_with_its_line(tmp_path: Path, name: str) -> None:
    kind, old, new = WAYS[name]
    source, judge = judged(tmp_path, old, new)
    with judge:
        promises = learn(judge, None).promises
        judge.header.observed = OBSERVED | LOADS
        run_trace(judge, parse(TWO), promises)
        seen = [one for one in judge.observed(4) if one.breach == kind]
        assert seen
        frame = Lines(Path(judge.target.path)).at(seen[0].breach_pc)[0]
    assert source.read_text().splitlines()[frame.line - 1] == new


def test_a_copy_of_padding_that_nobody_wrote_is_none_of_these(tmp_path: Path) -> None:
    _, judge = judged(tmp_path, ANSWER, "memcpy(b + 8, mem_heap_lo(), 16);")
    with judge:
        promises = learn(judge, None).promises
        judge.header.observed = OBSERVED | LOADS
        assert not run_trace(judge, parse(TWO), promises).reasons


@pytest.mark.parametrize("call", ["munmap(p, 4096)", "madvise(p, 4096, MADV_DONTNEED)"])
def test_pages_given_back_below_a_live_block_are_told(tmp_path: Path, call: str) -> None:
    source = tmp_path / "mine.c"
    text = (Path(__file__).parent / "correct" / "mapped.c").read_text()
    source.write_text(text.replace("    *(size_t *)memory = bytes;", f"""    static char *last;
    if (bytes == 24) {{ char *p = last; {call}; }}
    last = memory;
    *(size_t *)memory = bytes;"""))
    twin = instrumented_twin(resolve(ForeignOptions(grammar.parse(str(source)))))
    with Judge(judge_program(twin.bits), twin) as judge:
        run_trace(judge, parse("a = malloc(64); b = malloc(8)"), learn(judge, None).promises)
        assert Breach.WRITES_LIVE in [one.breach for one in judge.observed(2)]


HERE = Path(__file__).parent
CORRECT = [*sorted(HERE.glob("correct/[!p]*.c")), HERE / "correct" / "pool.toml", HERE / "lines" / "explicit.c"]


@pytest.fixture(params=CORRECT, ids=lambda path: path.stem)
def twin(request: pytest.FixtureRequest) -> Iterator[Judge]:
    target = instrumented_twin(resolve(ForeignOptions(grammar.parse(str(request.param)))))
    with Judge(judge_program(target.bits), target) as judge:
        yield judge


def test_a_correct_allocator_breaks_nothing(twin: Judge) -> None:
    learn(twin, None)
    header = twin.header
    header.seed, header.most_size, header.most_live, header.live_budget = 5, 5000, 200, 1 << 20
    header.verbs = sum(VERB_BITS[verb] for verb in ("malloc", "realloc", "free") if verb in twin.target.verbs)
    header.limit_ms = 20_000
    ending = twin.run(Mode.GENERATE, 20_000)
    assert (ending.died, ending.suspicion, ending.done_ops) == (False, 0, 20_000)


def found(folder: Path, old: str, new: str, seconds: float = 4) -> list[Finding]:
    """What a campaign finds in mm.c with a line more."""
    source = folder / "mine.c"
    source.write_text(MM.replace(old, f"{new}\n{old}", 1))
    target = resolve(ForeignOptions(grammar.parse(str(source))))
    with Judge(judge_program(target.bits), target) as judge:
        campaign = Campaign(judge, seconds, 1, lines=True)
        list(campaign.found())
        return [shown.finding for shown in campaign.shown]


@pytest.mark.parametrize(("name", "code"), [
    ("writes_into_live_block", "writes_into_live_block"), ("overflows", "undefined_behaviour"),
    ("uses_never_written", "uses_never_written"), ("reads_live_block", "reads_live_block")])
def test_a_campaign_finds_what_no_contents_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str,
                                                code: str) -> None:
    monkeypatch.chdir(tmp_path)
    _, old, new = WAYS[name]
    if name == "uses_never_written":
        new = "if (((char *)mem_heap_lo())[3] & 1) size += 64;"
    if name == "reads_live_block":
        new = "{ char *n = b + SIZE(b); if (SIZE(n) && n[8] & 2) *(volatile int *)(b + 8) = 0; }"
    findings = found(tmp_path, old, new)
    assert [finding.code for finding in findings] == [code]
    place = findings[0].place
    assert place and place.file == "mine.c"
    assert [line for line in place.excerpt if line.startswith(">")] == [f"> {place.line:>5} | {new}"]
    assert (findings[0].severity == "warning") == (code == "reads_live_block")


def test_a_load_on_which_nothing_hangs_is_no_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    loads = "{ char *n = b + SIZE(b); volatile char c; if (SIZE(n)) c = n[8]; (void)c; }"
    assert found(tmp_path, ANSWER, loads, 2) == []


TAKEN_AS_IT_IS_LOADED = """
#include <stddef.h>
#include <sys/mman.h>
static char *room;
static size_t used;
__attribute__((constructor)) static void start(void)
{
    room = mmap(NULL, 1 << 22, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
void *malloc(size_t size)
{
    size_t *head = (size_t *)(room + used);
    if (size > 1 << 16 || used > 1 << 21)
        return NULL;
    used += (size + 31) & ~(size_t)15;
    *head = size;
    return head + 2;
}
void free(void *block)
{
    if (block != NULL)
        ((size_t *)block)[-1] = 1;
}
"""


def test_what_it_took_of_the_system_as_it_was_loaded_is_its_own(tmp_path: Path) -> None:
    source = tmp_path / "mine.c"
    source.write_text(TAKEN_AS_IT_IS_LOADED)
    twin = instrumented_twin(resolve(ForeignOptions(grammar.parse(str(source)))))
    with Judge(judge_program(twin.bits), twin) as judge:
        promises = learn(judge, None).promises
        judge.header.observed = OBSERVED | LOADS
        work = parse("a = malloc(100)\nb = malloc(100)\nfree(a)\nc = malloc(30)")
        assert not run_trace(judge, work, promises).reasons


def test_every_way_to_break_the_map_has_its_words() -> None:
    """So that whatever the judge tells of an access can be said."""
    assert set(BROKEN) == set(BREACHES) == set(Breach) - {Breach.UNBROKEN}
