"""Traces in memory and in files: what is written is read again, and what is damaged is named with its place."""

from io import BytesIO
from pathlib import Path

import pytest

from heapster.checkers.traces.binary import CHUNK_STEPS, write_binary
from heapster.checkers.traces.compact import Compact, compact, frugal
from heapster.checkers.traces.errors import TraceFileError
from heapster.checkers.traces.generating import WORKLOADS, generate
from heapster.checkers.traces.legality import first_misuse
from heapster.checkers.traces.reading import find_trace, read_as, read_trace, shipped, where
from heapster.checkers.traces.writing import FORMATS, write_trace
from heapster.model.operations import OPERATIONS
from heapster.model.trace import format_steps, parse
from heapster.results import UsageError

EVERYTHING = parse("""
policy best_fit; threshold 8192; growth 65536; arenas 3; thread 2; fail munmap 3; foreign_sbrk(-24)
a = malloc(40); b = calloc(3, SIZE_MAX); c = posix_memalign(64, 100); a = realloc(a, SIZE_MAX - 7)
d = reallocarray(NULL, 3, 4); usable_size(d); free(d + 8); free(NULL); e = pvalloc(1); stats; fork; finalize
""")


PAGE = Path(__file__).parents[2] / "docs" / "traces.md"


def test_the_page_names_every_verb_and_every_shipped_trace() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in (*OPERATIONS, *shipped()) if f"`{name}" not in text] == []


def binary(trace: Compact) -> bytes:
    file = BytesIO()
    write_binary(trace, file)
    return file.getvalue()


def read(data: bytes, folder: Path) -> Compact:
    (folder / "t").write_bytes(data)
    return read_trace(folder / "t")


def test_every_kind_of_step_is_kept() -> None:
    assert tuple(compact(EVERYTHING)) == EVERYTHING


@pytest.mark.parametrize("kind", ["binary", "text"])
def test_what_is_written_is_read_again(kind: str, tmp_path: Path) -> None:
    write_trace(compact(EVERYTHING), tmp_path / "t", kind)
    assert read_as(tmp_path / "t")[0] == kind
    assert tuple(read_trace(tmp_path / "t")) == EVERYTHING


def test_a_trace_of_several_chunks(tmp_path: Path) -> None:
    trace = generate("peaks", CHUNK_STEPS + 100, 1)
    assert read(binary(trace), tmp_path).columns == trace.columns


@pytest.mark.parametrize("cut", [18, 25, 60, -8, -1])
def test_a_truncated_file_is_no_trace(cut: int, tmp_path: Path) -> None:
    with pytest.raises(TraceFileError, match=r"t, chunk \d+: the trace is truncated"):
        read(binary(compact(EVERYTHING))[:cut], tmp_path)


@pytest.mark.parametrize("place", [17, 22, 30, 80])
def test_a_damaged_file_is_no_trace(place: int, tmp_path: Path) -> None:
    data = bytearray(binary(compact(EVERYTHING)))
    data[place] ^= 0xff
    with pytest.raises(TraceFileError, match="chunk 1"):
        read(bytes(data), tmp_path)


def test_a_step_that_no_trace_has_is_refused(tmp_path: Path) -> None:
    trace = compact(EVERYTHING)
    trace.columns.verbs[3] = 200
    with pytest.raises(TraceFileError, match="operation of number 200, and this Heapster knows those up to"):
        read(binary(trace), tmp_path)


@pytest.mark.parametrize(("data", "where"), [
    (b"", "line 1: there is no step"), (b"a = malloc(1)\n\xff\xfe", "line 2: this is not text"),
    (b"a = malloc(1)\nfree(b)\n", "line 2: handle 'b'"), (b"\0" * 100, "line 1: this is not text"),
    (b"a = malloc(1)\n" + b"#" * (1 << 20), "line 2: this line is too long"),
    (b"1\n2\n3\n", "line 1: there is no step"), (b"1\n", "line 2: a header has 2, 3 or 4 numbers"),
    (b"1\n2\n", "line 1: there is no step in this trace; the header announces 2 operations"),
    ("a = malloc(1)".encode("utf-16"), "line 1: this is UTF-16"),
    (b"heap_v2/524288\n", "jemalloc's heap profile.*heapster record"),
    (b"Attaching 2 probes...\n@[malloc]: 3\n", "bpftrace's output"), (b"execve(\"./p\", [])\n", "strace's log")])
def test_what_is_no_trace_is_named_with_its_line(data: bytes, where: str, tmp_path: Path) -> None:
    with pytest.raises(TraceFileError, match=where):
        read(data, tmp_path)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_trace_of_more_steps_than_one_may_have_is_refused(kind: str, tmp_path: Path,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    write_trace(compact(parse("a = malloc(1); b = malloc(2); c = malloc(3)")), tmp_path / "t", kind)
    assert len(read_trace(tmp_path / "t")) == 3
    monkeypatch.setattr("heapster.checkers.traces.compact.MOST_STEPS", 2)
    with pytest.raises(TraceFileError, match="there are more steps than a trace may have"):
        read_trace(tmp_path / "t")


@pytest.mark.parametrize(("data", "place"), [
    (b"# made by hand\n\na = malloc(1); b = malloc(2)\nfree(a)\n", ["line 3", "line 3", "line 4"]),
    (b"0\n1\n\n2\n99\n\na 0 5\nf 0\n", ["line 7", "line 8"])])
def test_where_a_step_stands(data: bytes, place: list[str], tmp_path: Path) -> None:
    trace = read(data, tmp_path)
    assert [where(tmp_path / "t", index) for index in range(len(trace))] == place
    write_trace(trace, tmp_path / "t", "binary")
    assert where(tmp_path / "t", 1) == "step 2"


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        write_trace(compact(EVERYTHING), tmp_path / "no" / "t", FORMATS[0])
    assert list(tmp_path.iterdir()) == []


# Traces that come with Heapster, and generated ones.

def test_real_programs_are_shipped() -> None:
    assert set(shipped()) >= {"gcc", "python3", "sqlite3"}
    assert sum(path.stat().st_size for path in shipped().values()) < 1 << 20
    for name in shipped():
        assert first_misuse(read_trace(find_trace(name))) is None
    with pytest.raises(UsageError, match="no such file, and no shipped trace"):
        find_trace("gc")


@pytest.mark.parametrize("workload", WORKLOADS)
def test_a_generated_trace_is_legal_and_the_same_for_the_same_seed(workload: str) -> None:
    trace = generate(workload, 5000, 7)
    assert len(trace) >= 5000
    assert first_misuse(trace) is None
    assert generate(workload, 5000, 7).columns == trace.columns


# Handles.

def test_sparse_handles_become_dense(tmp_path: Path) -> None:
    trace = read(b"1\n2\n4\n1\na 2000000000 5\na 7 6\nf 2000000000\nf 7\n", tmp_path)
    assert format_steps(trace) == ("a = malloc(5)", "b = malloc(6)", "free(a)", "free(b)")


def test_frugal_handles_are_no_more_than_live_blocks() -> None:
    trace = compact(parse("""a = malloc(1); b = malloc(2); free(a); c = malloc(3); d = realloc(b, 4); free(NULL)
        e = malloc(5); finalize; f = malloc(6); f = malloc(7); usable_size(f); free(f)"""))
    assert format_steps(frugal(trace)) == (
        "a = malloc(1)", "b = malloc(2)", "free(a)", "a = malloc(3)", "b = realloc(b, 4)", "free(NULL)",
        "c = malloc(5)", "finalize", "a = malloc(6)", "b = malloc(7)", "usable_size(b)", "free(b)")
    long = generate("exponential", 3000, 1)
    assert frugal(long).handles() <= long.handles()
    assert first_misuse(frugal(long)) is None


@pytest.mark.parametrize(("text", "misuse"), [
    ("a = malloc(1); free(a); free(a)", (2, "free of a block that was freed already")),
    ("a = malloc(1); free(a + 8)", (1, "free of a pointer into a block")),
    ("a = malloc(1); finalize; b = realloc(a, 5)", (2, "realloc of a block that was freed already")),
    ("a = malloc(1); free(NULL); a = realloc(a, 9); free(a)", None)])
def test_misuse_is_seen_before_a_long_run(text: str, misuse: tuple[int, str] | None) -> None:
    assert first_misuse(compact(parse(text))) == misuse
