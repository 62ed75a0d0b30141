"""The recipes of docs/contributing.md, carried out in a copy of the tree: what they name is all that it takes."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from heapster.model.operations import ROWS
from heapster.model.placement import POLICY_NAMES

TOP = Path(__file__).parents[1]
PAGE = TOP / "docs" / "contributing.md"
SOURCES = shutil.ignore_patterns("__pycache__", "recorded", "*.pyc")
RUN = """
import sys
from heapster.cli import main
for line in sys.argv[2:]:
    got = main(line.split("\\t"))
    assert got == int(sys.argv[1]), (line, got)
"""
END = "@end@"                           # what is put there is added to the file

Edits = Mapping[str, tuple[tuple[str, str], ...]]       # file below heapster/: what is changed, and into what


def recipe(title: str) -> list[str]:
    """The files below heapster/ that a recipe links to."""
    (text,) = re.findall(rf"\n## {re.escape(title)}\n(.*?)(?=\n## |\Z)", PAGE.read_text(), re.DOTALL)
    return re.findall(r"\]\(\.\./heapster/([^)]+)\)", text)


def copy(folder: Path, title: str, edits: Edits) -> Path:
    """A copy of the package with a recipe's edits, in the files that the recipe names and no others."""
    assert set(edits) <= set(recipe(title))
    shutil.copytree(TOP / "heapster", folder / "heapster", ignore=SOURCES)
    for file, changes in edits.items():
        path = folder / "heapster" / file
        text = path.read_text()
        for old, new in changes:
            assert old == END or text.count(old) == 1, (file, old)
            text = text + new if old == END else text.replace(old, new)
        path.write_text(text)
    return folder


def run(folder: Path, *commands: str, code: int = 0) -> str:
    """What the copy's commands print, one after another in one process, each with this exit code."""
    lines = [command.replace("  ", "\t") for command in commands]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-P", "-c", RUN, str(code), *lines], cwd=folder, env=environment,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_links_lead_somewhere() -> None:
    found = re.findall(r"\]\(([^)#]+)\)", PAGE.read_text())
    assert len(found) > 20
    assert [link for link in found if not (PAGE.parent / link).exists()] == []


LAST = len(POLICY_NAMES)
LAST_FIT: Edits = {
    "impl/layout.py": ((f"POLICY_COUNT = {LAST}\n", f"LAST_FIT = {LAST}\nPOLICY_COUNT = {LAST + 1}\n"),),
    "impl/placement.py": (
        ("    HEAD,\n", "    HEAD,\n    LAST_FIT,\n    PREV,\n"),
        ("    return segregated_fit(m, arena, want)\n", """\
    if policy == LAST_FIT:
        return last_fit(m, arena, want)
    return segregated_fit(m, arena, want)
"""),
        ("def worst_fit(", '''def last_fit(m, arena, want):
    """The last block in list order that fits.

    Requires: the arena's lock; want > 0.
    """
    head = arena + HEAD
    b = m.load(head + PREV)
    while b != head:
        if size(m, b) >= want:
            return b
        b = m.load(b + PREV)
    return NULL


def worst_fit(''')),
    "model/placement.py": (
        ('"segregated_fit": segregated_fit,\n', '"segregated_fit": segregated_fit,\n    "last_fit": last_fit,\n'),
        ("POLICIES: dict", '''def last_fit(free: Free, want: int, _cursor: int) -> int:
    """Say the last that fits."""
    return max((index for index, (_, size) in enumerate(free) if size >= want), default=NONE_FITS)


POLICIES: dict''')),
}
POLICY = "To add a placement policy"
TRACE = ("policy last_fit; growth 4096; a = malloc(100); b = malloc(8); c = malloc(100); d = malloc(8); free(a); "
         "free(c); e = malloc(100)")


def test_a_policy_goes_in_by_its_recipe(tmp_path: Path) -> None:
    assert len(recipe(POLICY)) <= 5
    said = run(copy(tmp_path, POLICY, LAST_FIT),
               "fuzz  sim  --policy  last_fit  --examples  12  --seed  1",
               f"replay  {TRACE}",
               f"replay  r1:n1,p{LAST},g4096,m24,m24,m24,f0,f2/m24|m24;s:0*9,1,0",
               "races  --schedules  40  --seed  1",
               "fuzz  --help")
    assert (said.count("PASSED"), said.count("PASSES: the trace")) == (3, 1)
    assert f"{', '.join(POLICY_NAMES)}, last_fit, or all" in " ".join(said.split())


@pytest.mark.docs
def test_a_policy_that_is_not_the_models_is_found(tmp_path: Path) -> None:
    """So the fuzzing above looks at the new policy."""
    wrong = {**LAST_FIT, "model/placement.py": tuple(
        (old, new.replace("return max(", "return min(")) for old, new in LAST_FIT["model/placement.py"])}
    assert "structure_diverges" in run(copy(tmp_path, POLICY, wrong), f"replay  {TRACE}", code=1)


@pytest.mark.docs
def test_a_policy_is_compiled_and_compared(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    if shutil.which("cc") is None:
        pytest.skip("not installed: cc")
    folder = copy(tmp_path, POLICY, LAST_FIT)
    (folder / "t").write_text(TRACE.replace("policy last_fit; ", "").replace("; ", "\n") + "\n")
    said = run(folder, "diff  t  --policy  last_fit,first_fit", "fuzz  native  --policy  last_fit  --examples  3",
               "build  --out  built  --policy  last_fit", "stress  native  --pattern  settings  --seconds  0.3")
    assert said.count("PASSED") == 3
    header = (folder / "built" / "include" / "heapster.h").read_text()
    assert f"HEAPSTER_LAST_FIT = {LAST}\n" in header
    assert "|last_fit\n" in header


INVARIANT: Edits = {
    "model/invariants.py": (
        ("    locks_are_released,\n", "    locks_are_released,\n    few_arenas_are_open,\n"),
        ("def locks_are_released(", '''def few_arenas_are_open(heap: Heap) -> Iterator[str]:
    """No more than one arena is open."""
    if len(heap.arenas) > 1:
        yield f"{len(heap.arenas)} arenas are open"


def locks_are_released(''')),
    "checkers/findings/codes.md": ((END, """
## few_arenas_are_open
More than one arena is open.
- Arises: threads are given arenas of their own.
- Look at: attach.
"""),),
}
RULE: Edits = {
    "model/rules.py": (("RULES = (\n", '''RULES = (
    Rule("not_even", "A block of an odd size is at an even multiple of 16.", "made up", GIVING),
'''),),
    "model/spec.py": (("    yield from _within(pointer, max(", '''    if request & 1 and pointer & 16:
        yield Problem("not_even", f"a block of {request} bytes is at an odd multiple of 16", pointer)
    yield from _within(pointer, max('''),),
    "model/asked.py": (('    "block_wraps": _gave,\n', '    "block_wraps": _gave,\n    "not_even": _gave,\n'),),
    "checkers/findings/codes.md": ((END, """
## not_even
A block of an odd size is at an odd multiple of 16.
- Arises: sizes are not rounded up.
- Look at: rounding.
"""),),
}
FUNCTION: Edits = {
    "model/operations.py": (("# the caller writes that word there\n)\n", f'''# the caller writes that word there
    OperationRow({len(ROWS)}, "mallocarray", Does.ALLOCATES, ("count", "size"), "product", standard="OpenBSD"),
)
'''),),
    "model/reference.py": (('            case "valloc", (request,):', '''            case "mallocarray", (count, size):
                return self.malloc(system, count * size)
            case "valloc", (request,):'''),),
    "impl/api.py": (("def calloc(", '''def mallocarray(m, count, each):
    """malloc for a product; NULL and ENOMEM if that does not fit."""
    return allocate(m, product(count, each), ALIGN, CALL_MALLOC)


def calloc('''),),
    "native/c/heapster.h": (("/* As heapster_malloc(count * size), zeroed", """\
/* As heapster_malloc(count * size), unless the product overflows. */
void *heapster_mallocarray(size_t count, size_t size);

/* As heapster_malloc(count * size), zeroed"""),),
    "face.py": (("    def calloc(", '''    def mallocarray(self, number: int, size: int) -> int:
        """A block of number * size bytes; 0 if there is none."""
        with self._calling():
            return self._got(api.mallocarray(self._m, _word(number), _word(size)), number * size)

    def calloc('''),),
}
STRANGER = """
#include <stdlib.h>
void *x_malloc(size_t size) { return malloc(size); }
void *x_mallocarray(size_t count, size_t size) { return reallocarray(NULL, count, size); }
void x_free(void *block) { free(block); }
"""
FORMAT: Edits = {
    "checkers/traces/logs.py": (
        ("READERS: dict", '''def is_arrows(start: bytes) -> bool:
    """Whether a file that starts so has a line `-> ADDRESS SIZE` or `<- ADDRESS` for each call."""
    return start.startswith((b"-> 0x", b"<- 0x"))


def read_arrows(lines: Iterable[bytes], path: Path) -> Compact:
    """The trace in such a file."""
    heap = Addresses()
    for line in lines:
        arrow, address, *size = line.split()
        if arrow == b"->":
            heap.allocate("malloc", (int(size[0]),), int(address, 16))
        else:
            heap.free(int(address, 16))
    return heap.finish(str(path))


READERS: dict'''),
        ("(is_ltrace, read_ltrace)}", '(is_ltrace, read_ltrace),\n    "arrows": (is_arrows, read_arrows)}')),
    "checkers/traces/reading.py": (('"a log of ltrace",', '"a log of ltrace", "arrows": "lines of arrows",'),),
}
PATTERN: Edits = {
    "checkers/stress/patterns.py": (("PATTERNS = {\n", '''PATTERNS = {
    "swap": "blocks are replaced by others of their size",
'''),),
    "checkers/stress/c/patterns.c": (
        ("const struct pattern patterns[] = {\n", """\
static void swap(struct worker *w) {
    uint64_t random = draw(w);
    struct block *b = &w->slots[random % SLOTS];
    size_t size = b->p ? b->size : 1 + random % 512;
    if (b->p)
        release(w, b);
    take(w, b, size);
}

const struct pattern patterns[] = {
    {.name = "swap", .round = swap},
"""),),
}
PRIMITIVE: Edits = {
    "machine/protocol.py": (("    def known_zero(", '''    def expect_used(self, address: int) -> None:
        """Say that the word at `address` will be read soon: it may be fetched."""

    def known_zero('''),),
    "machine/checked_memory.py": (("    def known_zero(", '''    def expect_used(self, address: int) -> None:
        """See `Machine.expect_used`; faults where there is no word."""
        self.load(address)

    def known_zero('''),),
    "machine/process.py": (("    def known_zero(", '''    def expect_used(self, address: int) -> None:
        """See `Machine.expect_used`."""

    def known_zero('''),),
    "machine/symbolic.py": (("    def known_zero(", '''    def expect_used(self, address: Any) -> None:
        """See `Machine.expect_used`."""

    def known_zero('''),),
    "machine/native.py": (('    "known_zero": OperationType(2, False),', '''    "expect_used": OperationType(1, False),
    "known_zero": OperationType(2, False),'''),),
    "machine/lowering.py": (("    # The system's pages are zero", '''    "expect_used": """
define void @machine_expect_used(i64 %address) {
  ret void
}""",
    # The system's pages are zero'''),),
}
USED = "    header = header_of(m, p, USE_AFTER_FREE)\n    if header & MAPPED != 0:\n        return mapped_usable"


KIND: Edits = {
    "checkers/targets/kinds.py": (('    TargetKind("object", ', '''\
    TargetKind("archive", "a static library", "./libx.a", _ends(".a"), {View.CALLS: "outside:archived"}, is_file=True),
    TargetKind("object", '''),),
    "checkers/targets/outside.py": (
        ("import from_sources\n", "import compile_object, from_sources, place_of\n"),
        ("def loaded(", '''def archived(options: ForeignOptions) -> ForeignTarget:
    """A static library, all of it linked."""
    def linked(path: Path) -> ForeignTarget:
        made = place_of(path, options.compiler)
        compile_object(["-Wl,--whole-archive", str(path), "-Wl,--no-whole-archive"], made, options.compiler)
        return from_object(made, options.target.name, options.prefix)
    return _file(options, linked)


def loaded(''')),
}
BUMP = """
#include <stddef.h>
static _Alignas(16) char heap[1 << 20];
static size_t used;
void *my_malloc(size_t size) { void *p = heap + used; used += (size + 31) & ~(size_t)15; return p; }
void my_free(void *p) { (void)p; }
"""


@pytest.mark.docs
def test_a_kind_of_target_goes_in_by_its_recipe(tmp_path: Path) -> None:
    if not (shutil.which("cc") and shutil.which("ar")):
        pytest.skip("not installed: cc, ar")
    title = "To add a kind of target"
    assert len(recipe(title)) <= 3
    folder = copy(tmp_path, title, KIND)
    (folder / "x.c").write_text(BUMP)
    (folder / "t").write_text("a = malloc(40)\nfree(a)\n")
    subprocess.run(["cc", "-c", "-fPIC", "x.c"], cwd=folder, check=True)
    subprocess.run(["ar", "rc", "libx.a", "x.o"], cwd=folder, check=True)
    said = run(folder, "replay  a = malloc(8); free(a)  --target  ./libx.a", "score  t  --targets  ./libx.a",
               "diff  t  --policy  best_fit  --targets  sim,./libx.a", "fuzz  --help", "races  --help")
    assert "PASSES: the trace on ./libx.a: 2 of 2 calls" in said
    assert said.count("PASSED") == 2
    assert said.count("./libx.a or ./libx.so, with settings") == 1      # fuzz takes it, and races does not
    run(folder, "prove  ./libx.a", "bench  --targets  ./libx.a", code=2)
    assert "-fsanitize=thread" in run(folder, "races  ./libx.a", code=3)      # its accesses are not seen


def test_an_invariant_goes_in_by_its_recipe(tmp_path: Path) -> None:
    folder = copy(tmp_path, "To add an invariant", INVARIANT)
    said = run(folder, "replay  arenas 2; a = malloc(1); thread 1; b = malloc(1)", code=1)
    assert "few_arenas_are_open" in said
    assert "2 arenas are open" in said


def test_a_rule_for_any_allocator_goes_in_by_its_recipe(tmp_path: Path) -> None:
    folder = copy(tmp_path, "To add a rule for any allocator", RULE)
    said = run(folder, "replay  a = malloc(8); b = malloc(1); c = malloc(1)", code=1)
    assert "not_even" in said
    assert "at an odd multiple of 16" in said


MALLOC_FAMILY = "To add a function of malloc's family"
ARRAY = "a = mallocarray(3, 40); b = mallocarray(SIZE_MAX, 2); c = malloc(8); free(a)"


def test_a_function_of_mallocs_family_goes_in_by_its_recipe(tmp_path: Path) -> None:
    assert len(recipe(MALLOC_FAMILY)) <= 10
    folder = copy(tmp_path, MALLOC_FAMILY, FUNCTION)
    said = run(folder, f"replay  {ARRAY}", f"replay  {ARRAY}  --target  process",
               "fuzz  sim  --examples  12  --seed  1")
    assert (said.count("PASSES: the trace"), said.count("PASSED")) == (2, 1)
    (folder / "t").write_text(ARRAY.replace("; ", "\n") + "\n")
    run(folder, "trace  convert  t  t.trace", "trace  convert  t.trace  u  --to  text")
    assert (folder / "u").read_text().splitlines() == ARRAY.split("; ")


@pytest.mark.docs
def test_a_function_that_is_not_the_models_is_found(tmp_path: Path) -> None:
    """So the lock-step looks at it."""
    wrong = {**FUNCTION, "impl/api.py": tuple(
        (old, new.replace("product(count, each)", "each")) for old, new in FUNCTION["impl/api.py"])}
    folder = copy(tmp_path, MALLOC_FAMILY, wrong)
    for command in (f"replay  {ARRAY}", "fuzz  sim  --examples  12  --seed  1"):
        said = run(folder, command, code=1)
        assert "mallocarray" in said
        assert "usable_too_small" in said


@pytest.mark.docs
def test_a_function_that_another_allocator_has_is_judged(tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("not installed: cc")
    (tmp_path / "x.c").write_text(STRANGER)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "x.so", tmp_path / "x.c"], check=True)
    said = run(copy(tmp_path / "copy", MALLOC_FAMILY, FUNCTION), f"replay  {ARRAY}  --target  {tmp_path / 'x.so'}")
    assert "4 of 4 calls, nothing wrong" in said


@pytest.mark.docs
def test_a_function_is_compiled_and_compared(tmp_path: Path) -> None:
    pytest.importorskip("numba")
    if shutil.which("cc") is None:
        pytest.skip("not installed: cc")
    folder = copy(tmp_path, MALLOC_FAMILY, FUNCTION)
    (folder / "t").write_text(ARRAY.replace("; ", "\n") + "\n")
    said = run(folder, "diff  t", f"replay  {ARRAY}  --target  native", "build  --out  built",
               f"replay  {ARRAY}  --target  built/lib/libheapster-malloc.so")
    assert (said.count("PASSED"), said.count("PASSES: the trace")) == (1, 2)


def test_a_format_of_traces_goes_in_by_its_recipe(tmp_path: Path) -> None:
    folder = copy(tmp_path, "To add a format of traces", FORMAT)
    (folder / "log").write_text("-> 0x1000 40\n-> 0x2000 24\n<- 0x1000\n")
    run(folder, "trace  convert  log  t  --to  text")
    assert (folder / "t").read_text().splitlines() == ["a = malloc(40)", "b = malloc(24)", "free(a)"]


@pytest.mark.docs
def test_a_pattern_of_stress_goes_in_by_its_recipe(tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("not installed: cc")
    folder = copy(tmp_path, "To add a pattern of stress", PATTERN)
    assert "PASSED" in run(folder, "stress  libc  --pattern  swap  --seconds  0.2  --threads  2")


@pytest.mark.docs
def test_an_operation_of_the_machine_goes_in_by_its_recipe(tmp_path: Path) -> None:
    folder = copy(tmp_path, "To add an operation of the machine", PRIMITIVE)
    path = folder / "heapster" / "impl" / "malloc.py"
    text = path.read_text()
    assert text.count(USED) == 1
    path.write_text(text.replace(USED, "    m.expect_used(p - PAYLOAD)\n" + USED))
    trace = "a = malloc(40); usable_size(a); free(a)"
    said = run(folder, f"replay  {trace}", f"replay  {trace}  --target  process", "prove  freelist.insert")
    assert said.count("PASSES: the trace") == 2
