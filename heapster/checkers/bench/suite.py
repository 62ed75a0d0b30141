"""The public suite mimalloc-bench, where someone has built it: its programs, with the command lines that it gives them.

The folder is that of the suite's repository. Its programs lie in `out/bench`, where they are also started, and what
they read lies in `bench`. See `bench.sh` of <https://github.com/daanx/mimalloc-bench>.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from heapster.checkers.bench.workloads import COUNT, Work, Workload
from heapster.results import UsageError

NAME = "mimalloc-bench"
BUILT, INPUTS = Path("out/bench"), Path("bench")
HOW_TO_BUILD = "cmake -B out/bench -S bench && cmake --build out/bench"
MOST_THREADS = 16                   # of alloc-test
LIMIT = 600.0                       # seconds of wall clock for one run: its programs take up to a minute
NOT_STARTED = ("redis", "lean", "lean-mathlib", "lua", "gs", "rocksdb", "linux", "spec")
NUMBER = "17545186520507317056371138836327483792789528"
LARSON = Work(r"Throughput = *(\d+) operations", 1e7)


@dataclass(frozen=True)
class Suite:
    """The programs of the suite that can be started, and those that cannot, with the reason."""

    folder: str                     # as the command line has it
    workloads: tuple[Workload, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)


def suite_in(folder: str, processors: int = 0) -> Suite:
    """The suite in that folder, for so many processors, those of this process if 0; UsageError if it is not there."""
    root = Path(folder).resolve()
    if not root.is_dir():
        raise UsageError(f"--suite {folder}: no such folder; name the one where {NAME} is")
    found = tuple(_workloads(root, processors or len(os.sched_getaffinity(0))))
    if not any(os.access(workload.program, os.X_OK) for workload in found if _is_its_own(workload)):
        raise UsageError(f"--suite {folder}: no program of {NAME} lies in {Path(folder) / BUILT}: "
                         f"build them there ({HOW_TO_BUILD})")
    return Suite(folder, found, dict.fromkeys(NOT_STARTED, f"bench does not start what {NAME} needs more for"))


def _is_its_own(workload: Workload) -> bool:
    return Path(workload.program).is_absolute()


def _workloads(root: Path, processors: int) -> Iterator[Workload]:
    """Each program as the suite runs it; those with threads a second time, if there is more than one processor."""
    several, few = str(processors), str(min(processors, MOST_THREADS))
    yield from _single(root)
    yield _built(root, "larsonN", "larson", (COUNT, "8", "1000", "5000", "100", "4141", several), 5, processors,
                 "a server: threads replace blocks and leave them to others", LARSON)
    yield _built(root, "larsonN-sized", "larson-sized", (COUNT, "8", "1000", "5000", "100", "4141", several), 5,
                 processors, "the same, with sizes told to delete", LARSON)
    yield _built(root, "mstressN", "mstress", (several, "50", COUNT), 25, processors, "mixed life times")
    yield _built(root, "rptestN", "rptest", (several, "0", "1", "2", COUNT, "1000", "100", "8", "16000"), 500,
                 processors, "random sizes up to 16 KB, some freed by others")
    yield _built(root, "xmalloc-testN", "xmalloc-test", ("-w", several, "-t", COUNT, "-s", "64"), 5, processors,
                 "half of the threads allocate, half free", Work(r"free/sec: ([\d.]+) M", 10))
    yield _built(root, "glibc-thread", "glibc-thread", (several,), 1, processors, "glibc's benchmark with threads",
                 Work(r"(\d+) iterations", 4e7))
    yield from _shbench(root, processors)
    for threads, name in ((1, "1"), (processors, "N"))[:2 if processors > 1 else 1]:
        yield _built(root, f"alloc-test{name}", "alloc-test", (str(threads) if threads == 1 else few,), 1, threads,
                     "random blocks of up to 1 KB, replaced at random")
        for program, meaning in (("cache-scratch", "passive false sharing"), ("cache-thrash", "active false sharing")):
            yield _built(root, program + name, program, (str(threads), COUNT, "1", "2000000", several), 1000, threads,
                         meaning)


def _single(root: Path) -> Iterator[Workload]:
    """The programs of one thread, those of the system among them."""
    yield _built(root, "cfrac", "cfrac", (NUMBER,), 1, 1, "factors a number: small blocks that live shortly")
    yield _built(root, "espresso", "espresso", (str(root / INPUTS / "espresso/largest.espresso"),), 1, 1,
                 "minimizes logic")
    yield _built(root, "barnes", "barnes", (), 1, 1, "bodies that attract each other: few blocks",
                 reads=str(root / INPUTS / "barnes/input"))
    yield _built(root, "malloc-large", "malloc-large", (), 1, 1, "blocks of 5 to 25 MB")
    yield _built(root, "mleak10", "mleak", (COUNT,), 5, 1, "threads that come and go")
    yield _built(root, "mleak100", "mleak", (COUNT,), 50, 1, "ten times as many")
    yield _built(root, "glibc-simple", "glibc-simple", (), 1, 1, "glibc's benchmark with one thread")
    yield Workload("z3", "z3", ("-smt2", str(root / INPUTS / "z3/test1.smt2")), 1, "a solver", NAME, installed=True)
    yield Workload("rbstress1", "ruby", (str(root / INPUTS / "rbstress/stress_mem.rb"), "1"), 1, "a Ruby script", NAME,
                   installed=True)


def _shbench(root: Path, processors: int) -> Iterator[Workload]:
    """Two programs whose sources the suite does not have: they are built by who fetched them."""
    for program in ("sh6bench", "sh8bench"):
        yield _built(root, f"{program}N", program, (str(2 * processors),), 1, processors, "blocks of mixed sizes")


def _built(root: Path, name: str, program: str, arguments: tuple[str, ...], count: int, threads: int, meaning: str,
           work: Work | None = None, reads: str = "") -> Workload:
    return Workload(name, str(root / BUILT / program), arguments, count, meaning, NAME, threads, installed=True,
                    folder=root / BUILT, reads=reads, work=work)
