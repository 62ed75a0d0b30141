"""One workload under one target, in a process of its own: what it used, or how it failed."""

import os
import re
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from heapster import children
from heapster.checkers.bench.build import LAUNCHER
from heapster.checkers.bench.targets import Candidate
from heapster.checkers.bench.workloads import Work, Workload
from heapster.results import TargetError

LIMIT = 60.0                        # seconds of wall clock for one run
PROBE = "tiny"
FAILURES = {10: ("spurious_null", "NULL was returned"), 11: ("contents_damaged", "a live block was changed")}
MILLION = 1e6
FOREIGN = ("LD_", "MALLOC_", "PYTHON", "GLIBC_TUNABLES")       # variables that would change what is measured
EMPTY = "empty"


@dataclass(frozen=True)
class Sample:
    """Processor time, memory and operations of one run."""

    cpu: float                      # seconds, user and system
    memory: int                     # peak, in KiB
    ops: int                        # calls of the allocator; 1 for a program that does not say


@dataclass(frozen=True)
class Failure:
    """How a run failed."""

    code: str
    message: str


@dataclass(frozen=True)
class Bench:
    """Where runs take place."""

    programs: Path                  # what `build` made
    folder: Path                    # where the programs run
    limit: float = LIMIT

    def run(self, workload: Workload, target: Candidate, share: float, *, empty: bool = False) -> Sample | Failure:
        """Run the workload; `empty` for its loop without the allocator."""
        arguments = [*workload.command(share), *([EMPTY] if empty else [])]
        done = self._communicate([self._program(workload), *arguments], target, workload.environment,
                                 workload.folder, workload.reads)
        return self._judged(done, workload)

    def check(self, target: Candidate) -> None:
        """TargetError unless a program with the target preloaded takes its malloc from there."""
        if not target.library:
            return
        done = self._communicate([str(self.programs / PROBE), "served"], target, {})
        words = done.out.strip()
        if done.code or not words or Path(words).resolve() != Path(target.library).resolve():
            said = done.err.strip().splitlines()
            reason = f": {said[0]}" if said else ": it cannot be preloaded, or has no malloc"
            raise TargetError(f"{target.name} cannot be measured{reason}")

    def _program(self, workload: Workload) -> str:
        if not workload.installed:
            return str(self.programs / workload.program)
        return find_program(workload.program) or workload.program

    def _judged(self, done: "_Done", workload: Workload) -> Sample | Failure:
        if done.hung:
            return Failure("hang", f"it did not end within {self.limit:g} s of wall clock")
        if done.code or not done.usage:
            raise TargetError(f"{workload.program} cannot be started: {done.err.strip() or 'no reason given'}")
        status, cpu, memory = map(int, done.usage.split())
        if status:
            return _failure(status, done.err)
        if workload.work:
            return _of_fixed_time(workload.work, cpu / MILLION, memory, done.out)
        return Sample(cpu / MILLION, memory, 1 if workload.installed else int(done.out))

    def _communicate(self, command: Sequence[str], target: Candidate, environment: Mapping[str, str],
                     folder: Path | None = None, reads: str = "") -> "_Done":
        """Run the launcher to its end, or kill it and all that it started."""
        reading, writing = os.pipe()
        try:
            launcher = [str(self.programs / LAUNCHER), str(writing), target.library, *command]
            with Path(reads or os.devnull).open("rb") as given, children.started(
                    launcher, env=environment_of(target, environment), cwd=folder or self.folder, text=True,
                    errors="replace", stdin=given, stdout=children.PIPE, stderr=children.PIPE,
                    pass_fds=(writing,)) as child:
                os.close(writing)
                writing = -1
                try:
                    out, err = child.communicate(timeout=self.limit)
                except children.TimeoutExpired:
                    children.end(child)
                    return _Done(*child.communicate(), hung=True)
            return _Done(out, err, os.read(reading, 256).decode(), child.returncode)
        finally:
            os.close(reading)
            if writing >= 0:
                os.close(writing)


@dataclass(frozen=True)
class _Done:
    """How the launcher ended."""

    out: str
    err: str
    usage: str = ""
    code: int = 0
    hung: bool = False


def find_program(name: str) -> str | None:
    """Where an installed program is: the system's before one of some environment."""
    return shutil.which(name, path=f"/usr/bin:/bin:{os.environ.get('PATH', '')}")


def absence(workload: Workload) -> str:
    """Why the workload cannot be run here; empty if it can."""
    if not workload.installed or find_program(workload.program):
        return "" if not workload.reads or Path(workload.reads).is_file() else f"there is no {workload.reads}"
    path = Path(workload.program)
    return f"{path.name} is not built" if path.is_absolute() else f"{path} is not installed"


def _of_fixed_time(work: Work, cpu: float, memory: int, out: str) -> Sample | Failure:
    """The time for the amount of work that is told, of a program that worked as much as it could."""
    said = re.search(work.said, out)
    if said is None or not float(said[1]):
        return Failure("exit", "it did not say how much it did")
    return Sample(cpu / float(said[1]) * work.amount, memory, 1)


def environment_of(target: Candidate, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program on the target: no variables that would change what is measured, but the target's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**kept, "LC_ALL": "C", **environment, **target.environment}


def _failure(status: int, err: str) -> Failure:
    """The failure that the status, as wait has it, stands for."""
    last = err.strip().splitlines()[-1:]
    said = f"; it said: {last[0][:200]}" if last else ""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        kind = "abort" if -code == signal.SIGABRT else "crash"
        return Failure(kind, f"it was ended by {signal.Signals(-code).name}{said}")
    if code in FAILURES:
        return Failure(*FAILURES[code])
    return Failure("exit", f"it ended with exit code {code}{said}")
