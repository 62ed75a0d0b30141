"""Traces from elsewhere: malloc labs' .rep in both headers, malloc-bench's protobuf."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from heapster.checkers.findings.store import Store
from heapster.checkers.replay.source import source
from heapster.checkers.traces.compact import Compact
from heapster.checkers.traces.errors import TraceFileError
from heapster.checkers.traces.reading import read_as, where
from heapster.checkers.traces.writing import write_trace
from heapster.model.trace import format_steps

BODY = "a 0 512\na 1 128\nr 0 640\nf 1\nr 2 10\nf -1\nf 0\nf 2\n"
STEPS = ("a = malloc(512)", "b = malloc(128)", "a = realloc(a, 640)", "free(b)", "c = realloc(NULL, 10)", "free(NULL)",
         "free(a)", "free(c)")


def read(data: bytes | str, folder: Path) -> tuple[str, Compact]:
    (folder / "t").write_bytes(data.encode() if isinstance(data, str) else data)
    return read_as(folder / "t")


@pytest.mark.parametrize("header", ["20000\n3\n8\n1\n", "1\n3\n8\n1024\n", "3\n8\n1\n", "\n20000\n\n3\n8\n1\n\n"])
def test_each_header_of_a_lab(header: str, tmp_path: Path) -> None:
    kind, trace = read(header + BODY, tmp_path)
    assert kind == "rep"
    assert (format_steps(trace), trace.warnings) == (STEPS, [])


@pytest.mark.parametrize("data", [
    "\ufeff20000\n3\n8\n1\n" + BODY, "20000\t/* heap size */\n3 // ids\n8\n1\n" + BODY, "# from a lab\n3\n8\n" + BODY,
    "20000 3 8 1 \n" + BODY, "20000\r\n3\r\n8\r\n1\r\n" + BODY.replace("\n", "\r\n"),
    "20000\n3\n8\n1\n# warm up\n" + BODY.replace("f 1", "  # in between\nf 1 # gone")])
def test_what_people_write_around_a_labs_requests(data: str, tmp_path: Path) -> None:
    kind, trace = read(data, tmp_path)
    assert kind == "rep"
    assert (format_steps(trace), trace.warnings) == (STEPS, [])


def test_a_request_to_write_is_counted_and_left_out(tmp_path: Path) -> None:
    _, trace = read("1\n1\n3\n1\na 0 300\nw 0 300\nf 0\n", tmp_path)
    assert format_steps(trace) == ("a = malloc(300)", "free(a)")
    assert trace.warnings == [f"{tmp_path / 't'}: 1 write (w ID SIZE): left out"]


def test_the_line_of_a_step_is_told_despite_comments(tmp_path: Path) -> None:
    (tmp_path / "t.rep").write_text("20000\n3\n8\n1\n# warm up\n" + BODY)
    assert where(tmp_path / "t.rep", 1) == "line 7"


def test_what_is_read_can_be_replayed(tmp_path: Path) -> None:
    (tmp_path / "t.rep").write_text("20000\n3\n8\n1\n" + BODY)
    found = source(str(tmp_path / "t.rep"), Store(tmp_path, print))
    assert format_steps(found.trace) == STEPS


def test_a_count_that_disagrees_is_a_warning(tmp_path: Path) -> None:
    _, trace = read("20000\n2\n9\n1\n" + BODY, tmp_path)
    assert len(trace) == 8
    assert [warning.partition(": ")[2] for warning in trace.warnings] == [
        "the header announces 9 operations, there are 8", "the header announces 2 ids, there is an id 2"]


@pytest.mark.parametrize(("body", "said"), [
    ("a 0 1\nx 0\n", "line 6: 'x 0' is no request"), ("a 0 1\nf 3\n", "line 6: 'f 3': id 3 was never allocated"),
    ("a 0\n", "line 5: 'a 0' is no request"), ("a 0 -1\n", "line 5: 'a 0 -1': out of range"),
    ("a 0 1\na x 1\n", "line 6: 'a x 1' holds what is no number"), ("a 0 1\n\xff\xfe\0\n", "line 6")])
def test_a_bad_line_is_named(body: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(TraceFileError, match=f"t, {said}"):
        read("20000\n3\n8\n1\n" + body, tmp_path)


def test_a_trace_becomes_a_labs(tmp_path: Path) -> None:
    _, trace = read("a = malloc(5); a = malloc(6); b = calloc(3, 4); free(a); thread 1; a = realloc(NULL, 9)", tmp_path)
    write_trace(trace, tmp_path / "t.rep", "rep")
    assert (tmp_path / "t.rep").read_text() == "0\n4\n5\n1\na 0 5\na 1 6\na 2 12\nf 1\nr 3 9\n"


# malloc-bench.

def varint(number: int) -> bytes:
    out = b""
    while number > 0x7f:
        out += bytes([number & 0x7f | 0x80])
        number >>= 7
    return out + bytes([number])


def message(field: int, *numbers: int | None) -> bytes:
    """A TraceLine in a Tracefile: `field` of the oneof, with these fields 1, 2, ...; None is left out."""
    body = b"".join(varint(n << 3) + varint(number) for n, number in enumerate(numbers, 1) if number is not None)
    line = varint(field << 3 | 2) + varint(len(body)) + body
    return b"\x0a" + varint(len(line)) + line


def zipped(data: bytes) -> bytes:
    """Gzipped, the same each time: it stands in the names of tests."""
    return gzip.compress(data, mtime=0)


LINES = (message(1, 7, 100), message(1, 1 << 40, 5000, 64), message(4, 9, 3, 20), message(3, 8, 7, 300),
         message(2, 9, 60), message(2), message(3, 0, None, 11), message(2, 8), message(2, 0), message(2, 1 << 40))


@pytest.mark.parametrize("pack", [zipped, bytes])
def test_a_tracefile_of_malloc_bench(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    kind, trace = read(pack(b"".join(LINES) + b"\x10\x05"), tmp_path)
    assert kind == "protobuf"
    assert format_steps(trace) == (
        "a = malloc(100)", "b = memalign(64, 5000)", "c = calloc(3, 20)", "a = realloc(a, 300)", "free(c)",
        "free(NULL)", "c = realloc(NULL, 11)", "free(a)", "free(c)", "free(b)")


def test_blocks_without_an_id_or_with_a_used_one_keep_a_handle_of_their_own(tmp_path: Path) -> None:
    lines = (message(1, 0, 8), message(1, 0, 9), message(1, None, 0), message(1, 1, 10), message(2, 0), message(2, 1))
    _, trace = read(zipped(b"".join(lines)), tmp_path)
    assert format_steps(trace) == (
        "a = malloc(8)", "b = malloc(9)", "c = malloc(0)", "d = malloc(10)", "free(b)", "free(d)")


@pytest.mark.parametrize(("data", "said"), [
    (zipped(b"".join(LINES))[:-20], "the trace is damaged"),
    (zipped(b"".join(LINES)[:-2]), "the trace is damaged: it is truncated"),
    (zipped(b"hello, world"), "line 1: unknown operation 'hello'"),
    (zipped(message(2, 4)), "line 1: id 4 is freed twice or was never allocated"),
    (zipped(message(1, 4, 8) + message(2, 4) + message(2, 4)), "line 3: id 4 is freed twice"),
    (zipped(message(6, 4)), "line 1: it is none of malloc"), (b"".join(LINES)[:-2], "it is truncated"),
     (b"\x1f\x8bxxxx", "damaged")])
def test_what_is_no_tracefile_is_named(data: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(TraceFileError, match=said):
        read(data, tmp_path)
