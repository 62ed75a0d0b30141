"""The workloads: what each does, whom it follows, and how it is started.

A workload does a fixed amount of work, `count` times a share that the caller chooses. The C programs lie
beside this file; real programs are run where they are installed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from heapster.results import UsageError
from heapster.suggest import instead_of

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"        # what real programs are given
COUNT, GIVEN = "{n}", "{given}"     # in arguments: the amount of work, and PROGRAMS


@dataclass(frozen=True)
class Workload:
    """One program with its arguments, in which COUNT stands for the amount of work."""

    name: str
    program: str                    # one of ours, or an installed one
    arguments: tuple[str, ...]
    count: int
    meaning: str
    source: str = "ours"            # whom it follows
    threads: int = 1
    installed: bool = False         # the program is not ours
    loop: bool = False              # with `empty` as its last argument, it allocates nothing
    environment: Mapping[str, str] = field(default_factory=dict)

    def command(self, share: float) -> list[str]:
        """The arguments for this share of the usual work, at least 1."""
        count = str(max(1, round(self.count * share)))
        return [argument.replace(COUNT, count).replace(GIVEN, str(PROGRAMS)) for argument in self.arguments]


PAIRS = "malloc and free in turn"
LIVE = "10,000 live blocks, replaced at random"

ALL = (
    Workload("pair-64", "pairs", (COUNT, "64", "64"), 20_000_000, f"{PAIRS}, 64 bytes", loop=True),
    Workload("pair-sweep", "pairs", (COUNT, "16", "65536"), 12_000_000, f"{PAIRS}, 16 bytes to 64 KB", loop=True),
    Workload("pair-256K", "pairs", (COUNT, "262144", "262144"), 8_000_000, f"{PAIRS}, 256 KB", loop=True),
    Workload("live-small", "live", (COUNT, "10000", "16", "512", "uniform"), 6_000_000,
             f"{LIVE}, 16 to 512 bytes", loop=True),
    Workload("live-wide", "live", (COUNT, "10000", "16", "16384", "doubling"), 2_000_000,
             f"{LIVE}, 16 bytes to 16 KB", loop=True),
    Workload("start-up", "tiny", (COUNT,), 250, "a tiny program is started over and over"),
)
WORKLOADS = {workload.name: workload for workload in ALL}


def chosen(names: Iterable[str]) -> tuple[Workload, ...]:
    """The workloads of these names, all if there is none; UsageError for a name that is none."""
    wanted = tuple(dict.fromkeys(names)) or tuple(WORKLOADS)
    for name in wanted:
        if name not in WORKLOADS:
            raise UsageError(f"unknown workload '{name}': {instead_of(name, WORKLOADS)}")
    return tuple(WORKLOADS[name] for name in wanted)
