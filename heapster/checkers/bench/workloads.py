"""The workloads: what each does, whom it follows, and how it is started.

A workload does a fixed amount of work, `count` times a share that the caller chooses. The C programs lie
beside this file; real programs are run where they are installed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from heapster.results import UsageError
from heapster.suggest import instead_of

FOLDER = Path(__file__).parent
COUNT, HERE = "{n}", "{here}"       # in arguments: the amount of work, and FOLDER


class Work(NamedTuple):
    """How a program that runs for a fixed time says what it did, and the amount of that for which its time is told."""

    said: str                       # a regular expression with one group, a number
    amount: float


@dataclass(frozen=True)
class Workload:
    """One program with its arguments, in which COUNT stands for the amount of work."""

    name: str
    program: str                    # one of ours, or an installed one
    arguments: tuple[str, ...]
    count: int
    meaning: str
    source: str = ""                # whom it follows
    threads: int = 1
    installed: bool = False         # the program is not ours
    loop: bool = False              # with `empty` as its last argument, it allocates nothing
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None      # where it runs, if not in one that is empty
    reads: str = ""                 # the file that it reads as its input
    work: Work | None = None        # for a program that runs for a fixed time

    def command(self, share: float) -> list[str]:
        """The arguments for this share of the usual work, at least 1."""
        count = str(max(1, round(self.count * share)))
        return [argument.replace(COUNT, count).replace(HERE, str(FOLDER)) for argument in self.arguments]


PAIRS = "malloc and free in turn"
LIVE = "10,000 live blocks, replaced at random"
LARSON = "Larson and Krishnan, ISMM 1998"
XMALLOC = "xmalloc-bench; Lever and Boreham, USENIX 2000"
MIMALLOC = "mimalloc-bench"
SOURCES = tuple(f"{HERE}/c/{name}.c" for name in ("larson", "handover", "mstress"))

ALL = (
    Workload("pair-64", "pairs", (COUNT, "64", "64"), 20_000_000, f"{PAIRS}, 64 bytes", loop=True),
    Workload("pair-sweep", "pairs", (COUNT, "16", "65536"), 12_000_000, f"{PAIRS}, 16 bytes to 64 KB", loop=True),
    Workload("pair-256K", "pairs", (COUNT, "262144", "262144"), 3_000_000, f"{PAIRS}, 256 KB", loop=True),
    Workload("live-small", "live", (COUNT, "10000", "16", "512", "uniform"), 6_000_000,
             f"{LIVE}, 16 to 512 bytes", loop=True),
    Workload("live-wide", "live", (COUNT, "10000", "16", "16384", "doubling"), 2_000_000,
             f"{LIVE}, 16 bytes to 16 KB", loop=True),
    Workload("mixed", "mixed", (COUNT, "10000", "16", "512", "uniform"), 600,
             "10,000 blocks of 16 to 512 bytes, all freed in a random order, over and over", loop=True),
    Workload("larson", "larson", (COUNT, "4", "5000", "2"), 500_000,
             "a server: threads replace blocks and leave them to their successors", LARSON, threads=2),
    Workload("handover", "handover", (COUNT,), 6_000,
             "producer and consumer: one thread asks for batches of blocks, another frees them", XMALLOC, threads=2),
    Workload("mstress", "mstress", (COUNT, "20", "2"), 100_000,
             "mixed life times: threads ask, share, exchange and free", MIMALLOC, threads=2),
    Workload("ladder", "ladder", (COUNT,), 120, "strings and vectors grow side by side by realloc"),
    Workload("large", "large", (COUNT,), 4_000, "16 live blocks of 64 KB to 4 MB, every page written"),
    Workload("churn", "churn", (COUNT, "2"), 1_500, "short-lived threads that leave blocks behind", threads=2),
    Workload("start-up", "tiny", (COUNT,), 250, "a tiny program is started over and over"),
    Workload("python3", "python3", ("-s", "-S", f"{HERE}/programs/objects.py", COUNT), 12,
             "a script with objects and JSON, all of whose objects come from malloc", installed=True,
             environment={"PYTHONMALLOC": "malloc"}),
    Workload("perl", "perl", (f"{HERE}/programs/words.pl", COUNT), 6,
             "a script that splits, counts and sorts words", installed=True),
    Workload("sqlite3", "sqlite3", ("-batch", ":memory:", ".parameter init", f".parameter set :n {COUNT}000",
                                    f".read {HERE}/programs/tables.sql"),
             40, "tables in memory: filled, indexed, joined, thinned out", installed=True),
    Workload("cc", "cc", ("-std=gnu11", "-O2", "-c", *SOURCES), 1, "the C compiler on three of these workloads",
             installed=True),
)
WORKLOADS = {workload.name: workload for workload in ALL}

# Kinds of workloads, and what part each has of the mean: fitted to what a public suite says of five allocators
# (docs/bench.md). Start-up is measured and has no part: with one the mean foretells that suite less well.
PARTS: tuple[tuple[float, tuple[str, ...]], ...] = (
    (0.76, ("python3", "perl", "sqlite3", "cc")),
    (0.12, ("pair-64", "pair-sweep", "pair-256K")),
    (0.04, ("larson", "handover", "mstress", "churn")),
    (0.04, ("ladder", "large")),
    (0.04, ("live-small", "live-wide", "mixed")),
    (0.00, ("start-up",)),
)
WEIGHTS = {name: part / len(names) for part, names in PARTS for name in names}
assert WEIGHTS.keys() == WORKLOADS.keys()


def table() -> str:
    """The workloads as rows of Markdown: name, meaning, threads, source, part of the mean."""
    return "\n".join(f"| `{one.name}` | {one.meaning} | {one.threads} | {one.source} | "
                     f"{100 * WEIGHTS[one.name]:.3g} % |" for one in ALL)


def chosen(names: Iterable[str], others: Sequence[Workload] = ()) -> tuple[Workload, ...]:
    """The workloads of these names; without names the others, ours if there are none. UsageError for what is none."""
    usual = {workload.name: workload for workload in others or ALL}
    known = WORKLOADS | usual
    wanted = tuple(dict.fromkeys(names)) or tuple(usual)
    for name in wanted:
        if name not in known:
            raise UsageError(f"unknown workload '{name}': {instead_of(name, known)}")
    return tuple(known[name] for name in wanted)
