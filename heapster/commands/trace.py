"""`heapster trace`: what is in traces, and one form for another."""

from collections.abc import Iterator
from pathlib import Path

from heapster.checkers.traces.compact import Compact
from heapster.checkers.traces.generating import WORKLOADS, generate
from heapster.checkers.traces.legality import first_misuse
from heapster.checkers.traces.reading import FORMATS, find_trace, read_as, read_trace
from heapster.checkers.traces.summary import summary
from heapster.checkers.traces.writing import first_steps, write_trace
from heapster.commands.kept import trace_named
from heapster.config import POLICIES
from heapster.reports.output import Line, note, say, warn
from heapster.reports.terminal import PLAIN, STRONG
from heapster.results import UsageError
from heapster.wording import counted

INFERRED = {".rep": "rep", ".txt": "text"}      # a file's suffix: its format




def info(traces: tuple[str, ...], store: str) -> None:
    """Say what is in traces."""
    for name in traces:
        kind, trace = read_as(find_trace(trace_named(name, store)))
        _warn(trace)
        say(_about(name, kind, trace))


def head(name: str, count: int, store: str) -> None:
    """Print the first steps, as text."""
    say((step, PLAIN) for step in first_steps(read_trace(find_trace(trace_named(name, store))), count))


def convert(name: str, output: Path, kind: str | None, store: str) -> None:
    """Write a trace in another form."""
    trace = read_trace(find_trace(trace_named(name, store)))
    _warn(trace)
    write_trace(trace, output, kind or INFERRED.get(output.suffix, "binary"))
    note(f"{output}: {counted(len(trace), 'step')}")


def generate_(workload: str, output: Path, steps: int, seed: int, kind: str | None) -> None:
    """Make a trace: random, exponential, ramp, peaks, plateau, binary, coalescing or growing."""
    write_trace(_generated(workload, steps, seed), output, kind or INFERRED.get(output.suffix, "binary"))


def _generated(workload: str, steps: int, seed: int) -> Compact:
    policy = workload.removeprefix("adversary-")
    if policy != workload and policy in POLICIES:
        from heapster.checkers.diff.hunting import adversary  # noqa: PLC0415  loads Hypothesis
        return adversary(policy, seed).trace
    if workload in WORKLOADS:
        return generate(workload, steps, seed)
    raise UsageError(f"unknown workload '{workload}': one of {', '.join(WORKLOADS)}, adversary-POLICY")


def _warn(trace: Compact) -> None:
    for warning in trace.warnings:
        warn(warning)


def _about(name: str, kind: str, trace: Compact) -> Iterator[Line]:
    verbs, sizes, threads = summary(trace)
    yield f"{name}: {FORMATS[kind]}", STRONG
    by_verb = ", ".join(f"{times:,} {verb}" for verb, times in verbs.most_common())
    yield f"  {counted(len(trace), 'step')}: {by_verb}", PLAIN
    yield f"  {counted(trace.handles(), 'handle')}, {counted(len(threads), 'thread')}", PLAIN
    if sizes:
        common = ", ".join(f"{size:,} ({counted(times, 'time')})" for size, times in sizes.most_common(3))
        asked = f"{counted(sum(sizes.values()), 'request')} of {min(sizes):,} to {counted(max(sizes), 'byte')}"
        yield f"  {asked}; most often {common}", PLAIN
    if misuse := first_misuse(trace):
        yield f"  misuse: step {misuse[0] + 1} is a {misuse[1]}", PLAIN
