"""The tables of `bench --misuse`: how many programs of each kind ended how, by target, and each program by itself."""

from collections.abc import Iterable, Iterator

from heapster.reports.tables import Table, Value
from heapster.wording import counted

LEGEND = ("told: the allocator ended the program. stopped: the program's own stray access faulted. silent: nothing "
          "came of it. fault: the allocator faulted. attack: it was turned against the program.")


def misused(runs: Iterable[Value]) -> Iterator[Table]:
    """The tables of each run that misused allocators."""
    for run in runs:
        if run.get("misuse"):
            yield from by_kind(run)
            yield each(run)


def by_kind(run: Value) -> Iterator[Table]:
    """A table for each kind of misuse, and for all: a row a target, a column an end."""
    for kind, targets in run["misuse"]["kinds"].items():
        ends = next(iter(targets.values())).keys()
        programs = sum(next(iter(targets.values())).values())
        yield Table(f"Misuse: {kind}, {counted(programs, 'program')}", ("target", *ends),
                    tuple((target, *[str(count) for count in counts.values()]) for target, counts in targets.items()))


def each(run: Value) -> Table:
    """A row a program: how it ended under each target, and what was promised of ours."""
    cases = run["misuse"]["cases"]
    targets = next(iter(cases.values()))["targets"]
    rows = [(name, case["promise"], *[one["outcome"] for one in case["targets"].values()], case["text"])
            for name, case in cases.items()]
    return Table("Each program", ("program", "promised", *targets, "what it does"), tuple(rows))
