"""Each misuse under each allocator, in a child of its own."""

from collections.abc import Callable, Mapping
from pathlib import Path
from platform import machine
from time import monotonic
from typing import NamedTuple

from heapster import children
from heapster.checkers.bench.misuse.cases import ENDED, EXITS, Case, Fate
from heapster.checkers.bench.running import environment_of
from heapster.checkers.bench.targets import Candidate, Field
from heapster.results import HarnessError

LIMIT = 30.0                        # seconds of wall clock
CPU_LIMIT = 10                      # seconds
MOST_WORDS = 200                    # characters of what an allocator said
RUNTIMES = ("/usr/lib", "llvm-*/lib/clang/*/lib/linux")     # where Debian has those of clang


class Reported(NamedTuple):
    """How a misuse ended, and what was said."""

    outcome: Fate
    words: str = ""


class Tried(NamedTuple):
    """The ends of all cases on all targets."""

    ends: Mapping[tuple[str, str], Reported]         # by the names of case and target
    seconds: float
    interrupted: bool = False


def with_scudo(field: Field) -> Field:
    """The targets, and scudo where clang's runtime has it: it is made against misuse."""
    name = f"libclang_rt.scudo_standalone-{machine()}.so"
    found = sorted(Path(RUNTIMES[0]).glob(f"{RUNTIMES[1]}/{name}"))
    if not found:
        return Field(field.targets, {**field.absent, "scudo": f"no {name} of clang's runtime is installed"})
    return Field((*field.targets, Candidate("scudo", str(found[-1]))), field.absent)


def try_all(program: Path, cases: tuple[Case, ...], targets: tuple[Candidate, ...],
            show: Callable[[float, str], None]) -> Tried:
    """Let each case misuse each target, until someone interrupts."""
    started = monotonic()
    ends: dict[tuple[str, str], Reported] = {}
    try:
        for done, case in enumerate(cases):
            show(done / len(cases), case.name)
            ends.update({(case.name, target.name): _end(program, case, target) for target in targets})
    except KeyboardInterrupt:
        return Tried(ends, monotonic() - started, interrupted=True)
    return Tried(ends, monotonic() - started)


def _end(program: Path, case: Case, target: Candidate) -> Reported:
    preload = {"LD_PRELOAD": target.library} if target.library else {}
    try:
        with children.started([program, case.name], env={**environment_of(target, {}), **preload}, text=True,
                              errors="replace", stdin=children.DEVNULL, stdout=children.PIPE, stderr=children.PIPE,
                              seconds=CPU_LIMIT) as child:
            out, err = child.communicate(timeout=LIMIT)
    except children.TimeoutExpired:
        return Reported(Fate.FAULT, "it did not come back")
    words = "".join((out + err).strip().splitlines()[-1:])[:MOST_WORDS]
    if child.returncode in EXITS:
        return Reported(EXITS[child.returncode], words)
    if child.returncode < 0:
        return Reported(Fate.TOLD if -child.returncode in ENDED else Fate.FAULT, words)
    raise HarnessError(f"the misuse {case.name} under {target.name} ended with exit code {child.returncode}: {words}")
