"""A C program for a finding that needs threads."""

from pathlib import Path

from heapster.checkers.blackbox.known_faults import LEAK
from heapster.checkers.blackbox.portable import companions, library, loader
from heapster.checkers.blackbox.reproducer import SECONDS_TO_HANG, SECONDS_TO_PASS, ReproducerFiles, head
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.results import Finding

GENERATIONS = 1000
TEMPLATE = Path(__file__).parent / "repro" / "threads.c"


def race_program(target: ForeignTarget, finding: Finding, threads: tuple[int, int, int],
                 folder: Path) -> ReproducerFiles:
    """Threads that allocate, verify, hand over and free, until something is wrong."""
    count, ops, seed = threads
    lines = [*head(f"/* {finding.code}: {finding.title}", target, folder),
             f"#define THREADS {count}", f"#define OPS {max(ops, 20_000)}", f"#define SEED {seed}u",
             f"#define SECONDS {SECONDS_TO_HANG if finding.code.endswith('_hang') else SECONDS_TO_PASS}",
             f"#define FORKS {int(finding.code.startswith('fork'))}",
             f"#define GENERATIONS {GENERATIONS if finding.code == LEAK else 0}",
             "#ifndef ALLOCATOR", f"#define ALLOCATOR \"{library(target)}\"", "#endif",
             f"#define MALLOC \"{target.symbols['malloc']}\"",
             f"#define FREE \"{target.symbols['free']}\"", f"#define INIT \"{target.symbols.get('init', '')}\"",
             *loader(target)]
    return ReproducerFiles("\n".join(lines) + "\n" + TEMPLATE.read_text(), companions(target))
