"""What no hook or no debug information tells of is said in one line; the plain checks go on, and find what is wrong."""

import subprocess
from pathlib import Path

import pytest

from heapster.checkers.blackbox.build import LAB_HEADERS, OF_32_BITS, Compiler, judge_program
from heapster.checkers.blackbox.campaign import Campaign
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.model.trace import parse
from heapster.results import Finding, TargetError

HERE = Path(__file__).parent
FAULTY = (HERE / "correct" / "classes.c").read_text().replace("top += size;", "top += size - 16;")
SHOWS_IT = parse("a = malloc(112)\nb = malloc(124)\nc = malloc(124)\nfree(a)\nd = malloc(112)")
IN_ASSEMBLY = FAULTY.replace("    h->class = class;", """    /* asm("in words") */
    __asm__ volatile("" ::: "memory");
    __asm__ volatile("movq %1, (%0)" : : "r"(&h->class), "r"(class) : "memory");""")
WITH_A_THREAD = FAULTY + """
#include <pthread.h>
static size_t turns;
static void *work(void *p) { while (turns < 3) __atomic_fetch_add(&turns, 1, __ATOMIC_SEQ_CST); return p; }
__attribute__((constructor)) static void start(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, work, NULL);
}
"""
WITH_A_HANDLER = FAULTY + """
#include <signal.h>
static void on_signal(int number) { (void)number; }
__attribute__((constructor)) static void start(void) { signal(SIGUSR1, on_signal); }
"""
WITH_OWN_HOOKS = "void __tsan_init(void) {}\n" + FAULTY
NEEDS_A_FLAG = "#ifndef GRAIN\n#error GRAIN is not said\n#endif\n" + FAULTY
PLAIN_COMPILER = """#!/bin/sh
for word; do [ "$word" = -fsanitize=thread ] && { echo "cc: error: unsupported option -fsanitize=thread" >&2; exit 1; }
done
exec cc "$@"
"""


def told(path: Path, compiler: Compiler | None = None) -> tuple[Finding, list[str]]:
    """The finding, and what is not checked."""
    target = resolve(ForeignOptions(grammar.parse(str(path)), compiler=compiler or Compiler()))
    with Judge(judge_program(target.bits), target) as judge:
        campaign = Campaign(judge, 1, 1, lines=True)
        campaign.judge_trace(SHOWS_IT)
        assert campaign.explainer
        campaign.explainer.close()
        return campaign.shown[0].finding, campaign.explainer.notes


@pytest.mark.parametrize(("text", "says"), [
    (IN_ASSEMBLY, "inline assembly (mine.c:48): what it loads and stores is not seen"),
    (WITH_A_THREAD, "threads that mine.c starts itself (pthread_create)"),
    (WITH_A_HANDLER, "signal handlers that mine.c installs (signal)"),
    (WITH_OWN_HOOKS, "brings its own __tsan_ functions"),
], ids=["inline_assembly", "a_thread_of_its_own", "a_signal_handler", "hooks_of_its_own"])
def test_of_a_source(text: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.c").write_text(text)
    finding, notes = told(Path("./mine.c"))
    assert [says in note for note in notes].count(True) == 1, notes
    assert not any("\n" in note for note in notes)
    assert finding.code in ("overlap", "contents_damaged") and finding.place


def test_a_compiler_without_the_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.c").write_text(FAULTY)
    Path("plain-cc").write_text(PLAIN_COMPILER)
    Path("plain-cc").chmod(0o755)
    finding, notes = told(Path("./mine.c"), Compiler(str(tmp_path / "plain-cc")))
    (note,) = notes
    assert "plain-cc cannot instrument this target (-fsanitize=thread): gcc and clang can" in note
    assert finding.code in ("overlap", "contents_damaged") and finding.place and finding.place.line


@pytest.mark.parametrize(("flags", "says", "has_line"), [
    (("-g",), ("is no C source",), True),
    ((), ("is no C source", "was built without -g"), False),
    (("-s",), ("is no C source", "was built without -g"), False),
    (("-g", "-flto"), ("is no C source",), True),
], ids=["with_g", "without_g", "stripped", "lto"])
def test_of_an_object(flags: tuple[str, ...], says: tuple[str, ...], has_line: bool, tmp_path: Path,
                      monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.c").write_text(FAULTY)
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", *flags, "mine.c", "-o", "mine.so"], check=True)
    finding, notes = told(Path("./mine.so"))
    assert len(notes) == len(says) and all(some in note for some, note in zip(says, notes, strict=True))
    assert finding.place and (finding.place.line > 0 or not has_line and "+0x" in finding.place.function)


def test_a_source_that_is_optimised_as_it_is_linked_is_instrumented_all_the_same(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.c").write_text(FAULTY)
    finding, notes = told(Path("./mine.c"), Compiler(flags=("-flto",)))
    assert finding.place and finding.place.line
    assert [note for note in notes if not note.startswith("all other ways to write a line: ")] == []


def test_a_source_that_needs_a_flag_is_told_how_to_give_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.c").write_text(NEEDS_A_FLAG)
    with pytest.raises(TargetError, match=r"GRAIN is not said(.|\n)*--cflags tells it"):
        resolve(ForeignOptions(grammar.parse("./mine.c")))
    assert told(Path("./mine.c"), Compiler(flags=("-DGRAIN=1",)))[0].place


def test_a_source_of_32_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.c").write_text(FAULTY.replace("(size_t)1 << 40", "SIZE_MAX / 4"))
    try:
        judge_program(32)
    except TargetError as error:
        pytest.skip(str(error))
    finding, notes = told(Path("./mine.c"), Compiler(flags=OF_32_BITS))
    assert finding.code in ("overlap", "contents_damaged")
    assert finding.place and (finding.place.line or any("gcc and clang can, for 64 bits" in note for note in notes))


def test_an_object_file_and_a_lab_without_its_headers_are_told_in_a_line(tmp_path: Path) -> None:
    source, unlinked = tmp_path / "mine.c", tmp_path / "mine.o"
    source.write_text((HERE / "correct" / "mm.c").read_text())
    subprocess.run(["cc", "-flto", f"-I{LAB_HEADERS}", "-c", source, "-o", unlinked], check=True)
    with pytest.raises(TargetError, match="is an object file, not a shared object: link it"):
        resolve(ForeignOptions(grammar.parse(str(unlinked))))
