"""Logs of mtrace, valgrind, ltrace and heaptrack, as those tools write them."""

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest

from heapster.checkers.traces.compact import Compact
from heapster.checkers.traces.errors import TraceFileError
from heapster.checkers.traces.reading import read_as
from heapster.model.trace import format_steps

MTRACE = """= Start
@ ./p:[0x11c0] + 0x5634a0 0x28
@ ./p:(main+0x2a)[0x11d3] + 0x5634d0 0x30
@ ./p:[0x11e8] < 0x5634a0
@ ./p:[0x11e8] > 0x563510 0x64
@ [0x7f1234] ! 0x563510 0x3fffffffffffffff
@ ./p:[0x129d] + 0x563760 0
@ ./p:[0x12c8] + (nil) 0x3fffffffffffffff
@ ./p:[0x1234] - 0x5634d0
@ ./p:[0x1235] - 0x9999
+ 0x5634d0 0x8
= End
"""
VALGRIND = """==7207== Memcheck, a memory error detector
==7207== Command: ./p
--7207-- malloc(40) = 0x4A41040
hello from the program
--7207-- calloc(3,16) = 0x4A410B0
--9999-- malloc(1) = 0x4A41040
--7207-- realloc(0x4A41040,100) = 0x4A41120
--7207-- memalign(al 64, size 200) = 0x4A41240
--7207-- _Znwm(72) = 0x4A41300
--7207-- _ZdlPv(0x4A41300)
--7207-- free(0x4A410B0)
--7207-- malloc(0) = 0x4A41360
--7207-- realloc(0x4A41360,0)free(0x4A41360)
--7207--  = 0
--7207-- malloc(4611686018427387903) = 0x0
--7207-- free(0x0)
"""
LTRACE = """[pid 7] p->malloc(40)                           = 0x5000
[pid 7] p->posix_memalign(0x7ffca1d232e8, 64, 200, 1) = 0
[pid 8] p->calloc(3, 16 <unfinished ...>
[pid 8] libc.so.6->malloc(48)                   = 0x6000
[pid 7] p->free(0x5000)                         = <void>
[pid 8] <... calloc resumed> )                  = 0x6000
[pid 7] p->puts("malloc(3) = 4")                = 14
[pid 8] p->realloc(0x6000, 0)                   = 0
[pid 7] p->free(0x7777)                         = <void>
[pid 7] +++ exited (status 0) +++
"""
HEAPTRACK = """v 10400 3
X ./p
a 28 8
+ 0
+ 0
t 9 7
a 30 9
+ 1
- 0
- 1
"""


def read(data: str | bytes, folder: Path) -> tuple[str, Compact]:
    (folder / "log").write_bytes(data.encode() if isinstance(data, str) else data)
    return read_as(folder / "log")


def said(trace: Compact) -> list[str]:
    return [warning.partition(": ")[2] for warning in trace.warnings]


def test_mtrace(tmp_path: Path) -> None:
    kind, trace = read(MTRACE, tmp_path)
    assert kind == "mtrace"
    assert format_steps(trace) == ("a = malloc(40)", "b = malloc(48)", "c = realloc(a, 100)", "d = malloc(0)",
                                   "free(b)", "e = malloc(8)")
    assert said(trace) == ["1 free of blocks that nobody was seen to allocate: left out",
                           "2 calls that failed: left out"]


def test_valgrind_of_the_first_process(tmp_path: Path) -> None:
    kind, trace = read(VALGRIND, tmp_path)
    assert kind == "valgrind"
    assert format_steps(trace) == (
        "a = malloc(40)", "b = calloc(3, 16)", "c = realloc(a, 100)", "d = memalign(64, 200)", "e = malloc(72)",
        "free(e)", "free(b)", "f = malloc(0)", "free(f)", "free(NULL)")
    assert said(trace) == ["1 call that failed: left out"]


def test_valgrind_that_was_not_asked_for_calls(tmp_path: Path) -> None:
    with pytest.raises(TraceFileError, match="valgrind writes calls only with --trace-malloc=yes"):
        read("==7207== Memcheck, a memory error detector\n", tmp_path)


def test_ltrace_with_threads_and_calls_that_call(tmp_path: Path) -> None:
    kind, trace = read(LTRACE, tmp_path)
    assert kind == "ltrace"
    assert format_steps(trace) == (
        "a = malloc(40)", "b = posix_memalign(64, 200)", "free(a)", "thread 1", "c = calloc(3, 16)",
        "free(c)", "thread 0")
    assert said(trace) == ["1 free of blocks that nobody was seen to allocate: left out"]


def test_an_address_that_comes_again_without_a_free(tmp_path: Path) -> None:
    _, trace = read("= Start\n@ p + 0x10 0x1\n@ p + 0x10 0x2\n@ p - 0x10\n", tmp_path)
    assert format_steps(trace) == ("a = malloc(1)", "b = malloc(2)", "free(b)")
    assert said(trace) == [
        "1 address was handed out again without a free between: their first blocks stay allocated"]


def test_heaptrack_frees_the_oldest_of_a_kind(tmp_path: Path) -> None:
    kind, trace = read(gzip.compress(HEAPTRACK.encode()), tmp_path)
    assert kind == "heaptrack"
    assert format_steps(trace) == ("a = malloc(40)", "b = malloc(40)", "c = malloc(48)", "free(a)", "free(c)")
    assert said(trace)[-1] == "of blocks of one size and stack, the oldest is read as the one freed"


def test_heaptrack_of_which_nothing_was_interpreted(tmp_path: Path) -> None:
    _, trace = read("v 10400 3\n+ 28 1 5000\n+ 30 1 6000\n- 5000\n", tmp_path)
    assert format_steps(trace) == ("a = malloc(40)", "b = malloc(48)", "free(a)")


@pytest.mark.parametrize("line", ["a 28", "+ 7", "+ x", "- 1"])
def test_a_line_that_is_none_of_heaptracks_is_named(line: str, tmp_path: Path) -> None:
    with pytest.raises(TraceFileError, match="line 3: this is no line of heaptrack's"):
        read(f"v 10400 3\na 28 8\n{line}\n", tmp_path)


@pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd is not installed")
def test_what_zstd_packed(tmp_path: Path) -> None:
    packed = subprocess.run(["zstd", "-c"], input=HEAPTRACK.encode(), capture_output=True, check=True).stdout
    assert read(packed, tmp_path)[0] == "heaptrack"
    with pytest.raises(TraceFileError, match="it is damaged: zstd cannot unpack it"):
        read(packed[:-9], tmp_path)


def test_what_zstd_packed_where_it_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(TraceFileError, match="zstd packed this file and is not installed here"):
        read(b"\x28\xb5\x2f\xfd....", tmp_path)
