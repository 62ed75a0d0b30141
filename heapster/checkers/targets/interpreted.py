"""Our allocator's source, read by Python: on the simulated machine, on real memory, or from a changed copy."""

from heapster.checkers.lockstep.run_trace import Make, begun, kind_of, on_source
from heapster.checkers.lockstep.spans import ProcessWithRoom, SpansLockstep
from heapster.checkers.targets.source import Source, source_in, with_spans, without_spans
from heapster.checkers.targets.target import Target
from heapster.machine.process import Process


def simulated(target: Target) -> Make:
    """The source that ships, on the simulated machine."""
    return _made(target, shipped_source(target))


def in_process(target: Target) -> Make:
    """The source that ships, on the real memory of this process."""
    if target.settings.has_runs:
        return begun(lambda: SpansLockstep(ProcessWithRoom(), with_spans()), target.settings.steps)
    kind, source = kind_of(hardened=bool(target.settings.harden)), shipped_source(target)
    return begun(lambda: kind(Process(), source), target.settings.steps)


def copied(target: Target) -> Make:
    """A copy of the source, on the simulated machine."""
    return _made(target, copied_source(target))


def _made(target: Target, source: Source) -> Make:
    make = on_source(source, hardened=bool(target.settings.harden), spans=target.settings.has_spans)
    return begun(make, target.settings.steps)


def shipped_source(target: Target) -> Source:
    """The source that ships, built as the target says."""
    return with_spans() if target.settings.has_spans else without_spans()


def copied_source(target: Target) -> Source:
    """The copy's source, likewise."""
    return source_in(target.path, spans=target.settings.has_spans)
