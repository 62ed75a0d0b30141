"""Work on a Dask cluster: a scheduler and workers as processes, as a user starts them; one is killed under way."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("distributed", reason="distributed is not installed (pip install 'heapster[cluster]')")

from distributed.core import Status

from heapster.checkers.blackbox.build import Compiler
from heapster.checkers.exhaust.layers import Expanded, Piece
from heapster.checkers.jobs import cluster, travel
from heapster.checkers.jobs.cluster import Cluster
from heapster.checkers.jobs.forked import Tell
from heapster.checkers.jobs.pool import silent, unheard
from heapster.checkers.jobs.travel import Goods, digest_of, packed
from heapster.checkers.jobs.worker import Delivered, Hand, _is_wanted
from heapster.cli import main
from heapster.results import HarnessError, TargetError, UsageError

NOTHING = Goods({}, digest_of({}), "")
ZOO = Path(__file__).parents[1] / "blackbox" / "zoo"
SLEEPS = 1.0


def started(*words: str) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}      # the pieces of work are of here
    return subprocess.Popen([sys.executable, "-m", "dask", *words, "--no-dashboard"], env=environment,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def worker(address: str, folder: Path) -> "subprocess.Popen[bytes]":
    return started("worker", address, "--nthreads", "1", "--no-nanny", "--local-directory", str(folder))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A scheduler with two workers, one of which a test may kill."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = f"tcp://127.0.0.1:{port}"
    running = [started("scheduler", "--host", "127.0.0.1", "--port", str(port))]
    running += [worker(found, tmp_path_factory.mktemp("worker")) for _ in range(2)]
    try:
        _await_workers(found)
        yield found
    finally:
        for process in running:
            process.kill()
            process.wait()


def _await_workers(address: str) -> None:
    for _ in range(60):
        try:
            pool = Cluster(address, NOTHING)
        except TargetError:
            time.sleep(0.5)
            continue
        jobs = pool.jobs
        pool.close()
        if jobs == 2:
            return
    raise AssertionError("no workers came")


def squared(piece: int) -> tuple[int, int]:
    return piece * piece, os.getpid()


def tells(piece: int, tell: Tell) -> int:
    """Tell whose hand this is, and be at it for a while."""
    tell((piece, os.getppid()))
    time.sleep(SLEEPS)
    return piece


def reads(piece: int) -> int:
    """The size of a file that travels."""
    return Path("mm.c").stat().st_size


def refuses(piece: int) -> int:
    raise UsageError(f"{piece} is too many")


def compiles_nowhere(folder: Path) -> None:
    path = os.environ["PATH"]
    os.environ["PATH"] = str(folder)
    try:
        assert Compiler().command
    finally:
        os.environ["PATH"] = path


def test_answers_come_in_the_order_of_the_pieces_from_other_processes(address: str) -> None:
    pool = Cluster(address, NOTHING)
    answers = list(pool.in_order(range(9), squared))
    pool.close()
    assert [number for number, _ in answers] == [piece * piece for piece in range(9)]
    assert {pid for _, pid in answers}.isdisjoint({os.getpid()})


def test_pieces_that_take_little_are_handed_out_together(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, bundled = list[int](), cluster.bundled

    def noted(done: list[Delivered]) -> int:
        sizes.append(len(done))
        return bundled(done)

    monkeypatch.setattr(cluster, "bundled", noted)
    pool = Cluster(address, NOTHING)
    answers = [number for number, _ in pool.in_order(range(30), squared)]
    pool.close()
    assert answers == [piece * piece for piece in range(30)]
    assert (sum(sizes), max(sizes)) == (30, cluster.MOST_BUNDLED)


def test_pieces_that_take_long_are_handed_out_one_by_one() -> None:
    def taking(seconds: float) -> list[Delivered]:
        return [Delivered("", [], b"", seconds)]

    assert [cluster.bundled(taking(seconds)) for seconds in (0.0, 0.1, 0.3, 0.6, 20.0)] == [4, 4, 3, 1, 1]


@pytest.mark.parametrize("size", [10, 1 << 19], ids=["small", "large"])
def test_files_are_there_for_one_run_after_another(size: int, address: str) -> None:
    files = {"mm.c": b"/" * size}
    pool = Cluster(address, Goods(files, digest_of(files), ""))
    found = [list(pool.in_order(range(2), reads)) for _ in range(3)]
    pool.close()
    assert found == [[size, size]] * 3


def test_what_a_piece_raises_is_raised_here(address: str) -> None:
    pool = Cluster(address, NOTHING)
    with pytest.raises(UsageError, match="2 is too many"):
        list(pool.in_order([2], refuses))
    pool.close()


def test_a_worker_without_a_compiler_says_so_in_a_line(address: str, tmp_path: Path) -> None:
    pool = Cluster(address, NOTHING)
    with pytest.raises(TargetError, match="a worker says: no C compiler"):
        list(pool.in_order([tmp_path], compiles_nowhere))
    pool.close()


def test_theorems_are_proved_by_workers(address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = []
    for number, where in enumerate((["--jobs", "1"], ["--scheduler", address])):
        written = tmp_path / f"{number}.json"
        assert main(["prove", "block.split", "--fresh", *where, "--json", str(written)]) == 0
        told = json.loads(written.read_text())["theorems"]
        rows.append([(row["name"], row["verdict"], row["paths"]) for row in told])
    assert rows[0] == rows[1]
    assert main(["prove", "--faults", "block.split", "--scheduler", address]) == 2
    assert "leave out" in capsys.readouterr().err


def test_traces_are_played_by_workers_and_what_is_found_is_kept_here(address: str, tmp_path: Path,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("misaligned.c", "firstfit.h"):
        (tmp_path / name).write_bytes((ZOO / name).read_bytes())
    (tmp_path / "t.trace").write_text("a = malloc(24)\nb = malloc(100)\nfree(a)\n")
    words = ["t.trace", "--targets", "sim,./misaligned.c", "--scheduler", address, "--json", "r.json"]
    assert main(["diff", *words, "--policy", "first_fit"]) == 1
    [found] = json.loads((tmp_path / "r.json").read_text())["findings"]
    assert found["code"] == "misaligned"
    kept = tmp_path / ".heapster" / found["id"]
    assert any(f".heapster/{found['id']}/repro.c" in line for line in found["details"])
    assert "heapster-diff-" not in (kept / "finding.json").read_text()
    assert main(["replay", found["id"]]) == 1
    assert main(["score", *words[:2], "libc,./misaligned.c", *words[3:]]) == 1
    rows = json.loads((tmp_path / "r.json").read_text())["table"]["t.trace"]
    assert [row["valid"] for row in rows.values()] == [True, False]


@pytest.mark.parametrize(("name", "value", "says"), [
    ("version", lambda: "0.0.9 (0123456789)", "has Heapster"), ("metadata", None, "is distributed"),
])
def test_a_cluster_of_another_version_is_told_in_a_line(name: str, value: Any, says: str, address: str,
                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        """Says that another version is installed here."""

        @staticmethod
        def version(_: str) -> str:
            return "1.0"

    if value is None:
        monkeypatch.setattr(cluster, name, Other)
    else:
        monkeypatch.setattr(cluster, name, value)
    with pytest.raises(TargetError, match=says):
        Cluster(address, NOTHING)


@pytest.mark.slow
def test_a_fault_is_found_once_by_workers_that_have_only_its_source(address: str, tmp_path: Path,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("calloc_zeroes_one.c", "firstfit.h"):
        (tmp_path / name).write_bytes((ZOO / name).read_bytes())
    words = ["fuzz", "./calloc_zeroes_one.c", "--seconds", "1", "--seed", "1", "--json", "r.json"]
    assert main([*words, "--scheduler", address]) == 1
    run = json.loads((tmp_path / "r.json").read_text())
    assert [finding["code"] for finding in run["findings"]] == ["not_zeroed"]
    assert run["target"] == "./calloc_zeroes_one.c"
    assert [path.name for path in (tmp_path / ".heapster").iterdir() if path.is_dir()] == [run["findings"][0]["id"]]


@pytest.mark.parametrize("target", ["sim", "./mm.c"])
def test_workers_run_every_program_that_is_run_here(target: str, address: str, tmp_path: Path,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mm.c").write_bytes((ZOO.parent / "correct" / "mm.c").read_bytes())
    expanded, runs = list[Piece](), []

    def in_order(pool: Cluster, pieces: list[Piece], work: Callable[[Piece], Expanded]) -> Iterator[Expanded]:
        expanded.extend(pieces)
        return pool.telling(pieces, partial(silent, work), unheard)

    monkeypatch.setattr(Cluster, "in_order", in_order)
    for where in (["--jobs", "1"], ["--scheduler", address]):
        assert main(["exhaust", target, "--calls", "2", "--sizes", "24", "--json", "run.json", *where]) == 0
        runs.append(json.loads((tmp_path / "run.json").read_text()))
    assert expanded
    assert [runs[1][key] for key in ("programs", "lengths", "heaps", "ways", "refusals")] == [
        runs[0][key] for key in ("programs", "lengths", "heaps", "ways", "refusals")]


def test_a_worker_that_dies_loses_only_its_piece(address: str) -> None:
    pool, heard = Cluster(address, NOTHING), list[tuple[int, int]]()

    def hear(told: tuple[int, int]) -> None:
        if not heard:
            os.kill(told[1], signal.SIGKILL)
        heard.append(told)

    answers = list(pool.telling(range(5), tells, hear))
    pool.close()
    assert answers == list(range(5))
    assert {piece for piece, _ in heard} == set(range(5))
    assert len({pid for _, pid in heard}) == 2


@pytest.mark.parametrize(("status", "state", "wanted"), [
    ("running", "executing", True), ("closing_gracefully", "executing", True), ("running", "cancelled", False),
    ("closing", "executing", False), ("closed", "executing", False)])
def test_a_piece_of_a_worker_that_ends_is_wanted_no_more(status: str, state: str, wanted: bool) -> None:
    """Else the worker, whose scheduler is gone, stays until the piece is done: nobody tells it of the task any more."""
    told = SimpleNamespace(status=Status[status], state=SimpleNamespace(tasks={"piece": SimpleNamespace(state=state)}))
    assert _is_wanted(told, "piece") is wanted


def test_a_piece_that_is_ended_leaves_no_files_of_its_own(tmp_path: Path) -> None:
    """As one whose command is interrupted: its process is killed in the middle."""
    hand = Hand(tmp_path)
    folder = Path(f"/proc/{hand.child.pid}/environ").read_bytes().partition(b"TMPDIR=")[2].partition(b"\0")[0]
    left = Path(os.fsdecode(folder)) / "heapster-mutate-x"
    left.mkdir()
    hand.end()
    assert not left.parent.exists()


def test_a_scheduler_of_its_own_is_started_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                     capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["exhaust", "sim", "--calls", "1", "--sizes", "24", "--json", "run.json"]
    assert main([*words, "--scheduler", "local", "--jobs", "1"]) == 0
    assert "dashboard" in capsys.readouterr().err
    assert json.loads((tmp_path / "run.json").read_text())["complete"] is True


def test_no_scheduler_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    assert main(["fuzz", "sim", "--examples", "1", "--scheduler", "tcp://127.0.0.1:9"]) == 4
    (line,) = [each for each in capsys.readouterr().err.splitlines() if each.startswith("heapster: ")]
    assert "no scheduler answers at tcp://127.0.0.1:9" in line


@pytest.mark.parametrize("address", ["nonsense", "tcp://127.0.0.1", "tcp://127.0.0.1:port", "gopher://127.0.0.1:9"])
def test_what_is_no_address_is_told_before_anybody_waits_for_it(
        address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("distributed.Client", None)
    assert main(["fuzz", "sim", "--examples", "1", "--scheduler", address]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"heapster: '{address}' is no scheduler's address: ")
    assert line.endswith(" (tcp://HOST:8786)")


def test_jobs_and_a_scheduler_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", "sim", "--jobs", "2", "--scheduler", "tcp://127.0.0.1:9"]) == 2
    assert "leave out one of them" in capsys.readouterr().err


def test_lines_are_counted_on_this_machine_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["fuzz", str(ZOO / "calloc_zeroes_one.c"), "--coverage", str(tmp_path / "c"), "--scheduler", "tcp://h:1"]
    assert main(words) == 2
    assert "--coverage counts on this machine" in capsys.readouterr().err


# What travels.

def test_a_source_travels_with_what_lies_beside_it_and_keeps_its_name(tmp_path: Path,
                                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lab").mkdir()
    for name in ("mm.c", "mm.h", "Makefile", "thesis.pdf"):
        (tmp_path / "lab" / name).write_text(name)
    goods = packed([Path("lab/mm.c")], tmp_path)
    assert set(goods.files) == {"lab/mm.c", "lab/mm.h", "lab/Makefile"}
    folder = goods.unpacked()
    (folder / "lab" / "mm.c").write_text("spoilt")
    assert goods.unpacked() == folder
    assert (folder / "lab" / "mm.c").read_text() == "mm.c"


def test_files_that_are_not_those_that_were_sent_are_refused() -> None:
    goods = Goods({"mm.c": b"one"}, digest_of({"mm.c": b"another"}), "")
    with pytest.raises(HarnessError, match="digests differ"):
        goods.unpacked()


def test_an_object_runs_on_no_other_kind_of_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "libx.so").write_bytes(b"\x7fELF and so on")
    goods = packed([Path("libx.so")], tmp_path)
    monkeypatch.setattr(travel, "machine", lambda: "riscv64 with musl")
    with pytest.raises(HarnessError, match="is an object for"):
        goods.unpacked()


def test_what_lies_elsewhere_cannot_travel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "mm.c").write_text("")
    for path in (Path("../mm.c"), tmp_path / "mm.c"):
        with pytest.raises(UsageError, match="does not lie below this folder"):
            packed([path], Path.cwd())


def test_no_more_travels_than_makes_sense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(travel, "MOST", 3)
    (tmp_path / "mm.c").write_text("long")
    with pytest.raises(UsageError, match="would have to travel"):
        packed([Path("mm.c")], tmp_path)
