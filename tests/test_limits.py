"""Full disks, limits, closed streams and files of any content end in one line, and a finding is still told."""

import gzip
import json
import os
import resource
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import ENOSPC
from pathlib import Path

import pytest

from heapster import cli, files
from heapster.checkers.findings.store import Store
from heapster.checkers.targets.target import SIM
from heapster.checkers.traces import unpacking
from heapster.results import Finding
from tests.processes import HEAPSTER

LEAKY = """
#include <stddef.h>
static char heap[1 << 20];
static size_t top;
void *malloc(size_t n) { if (n > sizeof heap - top) return 0; void *p = heap + top; top += n; return p; }
void free(void *p) { (void)p; }
"""


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process, nor of those it starts, grows beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """What was said on stderr, without warnings and progress."""
    [line] = [line for line in capsys.readouterr().err.splitlines()
              if line.startswith("heapster: ") and "warning: " not in line]
    assert "internal error" not in line
    return line


@pytest.mark.parametrize("command", [
    "prove --write FILE", "trace generate random FILE --steps 2000", "report --trace gcc --steps 9 --html FILE",
    "trace convert gcc FILE", "record -o FILE -- ls cache"])
def test_a_file_size_limit_is_told(command: str, empty_folder: Path, monkeypatch: pytest.MonkeyPatch,
                                   capsys: pytest.CaptureFixture[str]) -> None:
    if "cache" in command:
        monkeypatch.setenv("XDG_CACHE_HOME", str(empty_folder / "empty"))
    with largest_file(512):
        code = cli.main(command.replace("FILE", "out").split())
    assert code == (4 if "cache" in command else 2)
    said = one_line(capsys)
    assert "File too large" in said or "File size limit exceeded" in said
    assert [path for path in empty_folder.iterdir() if path.is_file()] == []


def test_memory_to_share_is_not_to_be_had(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with largest_file(4096):
        assert cli.main(["diff", "gcc", "--policy", "best_fit", "--json", "d.json"]) == 2
    assert "to share with a child (ulimit -f)" in one_line(capsys)
    run = json.loads((empty_folder / "d.json").read_text(encoding="utf-8"))
    assert (run["verdict"], run["interrupted"]) == ("inconclusive", True)
    assert "ulimit" in run["unfinished"]


def test_a_strangers_finding_is_printed_when_nothing_can_be_kept(
        empty_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (empty_folder / "leaky.c").write_text(LEAKY, encoding="utf-8")
    real, kept = tempfile.mkstemp, (empty_folder / ".heapster").resolve()

    def full(*, dir: Path, prefix: str) -> tuple[int, str]:  # noqa: A002
        if kept in (Path(dir), *Path(dir).parents) and not prefix.startswith((".finding", ".min.trace", "..git")):
            raise OSError(ENOSPC, os.strerror(ENOSPC))
        return real(dir=dir, prefix=prefix)

    monkeypatch.setattr(tempfile, "mkstemp", full)
    assert cli.main(["fuzz", "leaky.c", "--seconds", "1", "--seed", "1", "--json", "r.json"]) == 1
    out = capsys.readouterr().out
    assert "FAILED" in out and "No space left on device" in out
    assert json.loads((empty_folder / "r.json").read_text(encoding="utf-8"))["findings"]


@pytest.mark.parametrize("error", [OSError(ENOSPC, "No space left on device"), MemoryError(),
                                   FileNotFoundError(2, "No usable temporary directory found")])
def test_what_the_system_lacks_is_no_error_of_ours(
        error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(cli, "check_environment", fail)
    assert cli.main(["doctor"]) == 2
    one_line(capsys)


def test_a_bug_is_not_taken_for_a_full_disk() -> None:
    for error in (FileNotFoundError(2, "No such file", "x"), ValueError("x")):
        assert files.exhausted(error) == ""


@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1, 2)])
def test_closed_streams_lead_nowhere(closed: tuple[int, ...], empty_folder: Path) -> None:
    shell = " ".join(f"{number}>&-" for number in closed)
    command = ["sh", "-c", f'exec "$@" {shell}', "sh", *HEAPSTER, "fuzz", "--examples", "2", "--json", "r.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert json.loads((empty_folder / "r.json").read_text(encoding="utf-8"))["verdict"] == "passed"


def test_a_reader_that_goes_away_costs_no_results(empty_folder: Path) -> None:
    with subprocess.Popen([*HEAPSTER, "fuzz", "--examples", "2", "--json", "r.json"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        child.stdout.close()
        assert child.wait(60) == 0
    assert (empty_folder / "r.json").exists()


# What is read.

DEEP = {"toml": "a = " + "[" * 100_000, "json": "[" * 100_000}
UNREADABLE: dict[str, Callable[[str], bytes]] = {
    "nested too deeply": lambda kind: DEEP[kind].encode(),
    "not text": lambda kind: b'a = "\xff\xfe"' if kind == "toml" else b'{"a": "\xff"}',
    "MiB": lambda kind: b" " * (1 << 12),
    "digits": lambda kind: (b"a = " if kind == "toml" else b"") + b"1" * 10_000,
}


@pytest.mark.parametrize("words", UNREADABLE)
@pytest.mark.parametrize(("name", "command"), [
    ("heapster.toml", "fuzz"), ("pyproject.toml", "fuzz"), ("pool.toml", "fuzz pool.toml"),
    ("r.json", "report r.json"), ("b.json", "fuzz libc --baseline b.json")])
def test_a_file_of_any_content_is_one_line(
        name: str, command: str, words: str, empty_folder: Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(files, "MAX_TOML", 1 << 18)
    monkeypatch.setattr(files, "MAX_JSON", 1 << 18)
    if words == "MiB":
        monkeypatch.setattr(files, "MAX_TOML", 1000)
        monkeypatch.setattr(files, "MAX_JSON", 1000)
    (empty_folder / name).write_bytes(UNREADABLE[words](name.rpartition(".")[2]))
    assert cli.main(command.split()) == 2
    assert name in one_line(capsys)


def test_a_broken_store_is_passed_over(empty_folder: Path) -> None:
    warnings: list[str] = []
    store = Store(empty_folder / "kept", warnings.append)
    store.keep(Finding("abcd1234", "code", "title", ("a = malloc(1)",), "heapster replay abcd1234"), SIM)
    for name, content in (("aaaa", "[" * 100_000), ("bbbb", "\0"), ("cccc", "{}"), ("dddd", "1" * 10_000)):
        (store.folder / name).mkdir()
        (store.folder / name / "finding.json").write_text(content, encoding="utf-8")
    assert [kept.finding.id for kept in store.all()] == ["abcd1234"]
    assert len(warnings) == 1


@pytest.mark.slow
def test_two_runs_share_a_folder(empty_folder: Path) -> None:
    """Both find the same fault, keep it and write their results."""
    (empty_folder / "leaky.c").write_text(LEAKY, encoding="utf-8")
    command = [*HEAPSTER, "fuzz", "leaky.c", "--seconds", "2", "--seed", "1", "--json"]
    runs = [subprocess.Popen([*command, f"{number}.json"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for number in (1, 2)]
    assert [run.wait(120) for run in runs] == [1, 1]
    found = [{one["id"] for one in json.loads((empty_folder / f"{number}.json").read_text())["findings"]}
             for number in (1, 2)]
    assert found[0] & found[1]
    warnings: list[str] = []
    assert Store(empty_folder / ".heapster", warnings.append).all() and not warnings


def test_a_signal_of_the_limit_is_ignored() -> None:
    """SIGXFSZ would end us; Python leaves it to the call that fails."""
    assert signal.getsignal(signal.SIGXFSZ) is signal.SIG_IGN


def test_what_inflates_without_end_is_no_trace(
        empty_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(unpacking, "MAX_INFLATED", 1 << 16)
    (empty_folder / "bomb.gz").write_bytes(gzip.compress(b"free(NULL)\n" * (1 << 16)))
    assert cli.main(["replay", "bomb.gz"]) == 2
    assert "inflates to more than 200 times its size" in one_line(capsys)
    monkeypatch.setattr(unpacking, "MAX_INFLATED", 1 << 20)
    assert cli.main(["trace", "info", "bomb.gz"]) == 0
