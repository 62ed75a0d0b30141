"""Our allocator's source, read by Python: on the simulated machine, on real memory, or from a changed copy."""

from heapster.checkers.lockstep.run_trace import Make, begun, kind_of, on_source
from heapster.checkers.targets.source import Source, shipped, source_in, with_spans
from heapster.checkers.targets.target import Target
from heapster.machine.process import Process


def simulated(target: Target) -> Make:
    """The source that ships, on the simulated machine."""
    if target.settings.has_spans:
        return begun(on_source(with_spans(), spans=True), target.settings.steps)
    return begun(on_source(hardened=bool(target.settings.harden)), target.settings.steps)


def in_process(target: Target) -> Make:
    """The source that ships, on the real memory of this process."""
    kind = kind_of(hardened=bool(target.settings.harden))
    return begun(lambda: kind(Process()), target.settings.steps)


def copied(target: Target) -> Make:
    """A copy of the source, on the simulated machine."""
    hardened, spans = bool(target.settings.harden), target.settings.has_spans
    source = source_in(target.path, spans=spans)
    return begun(on_source(source, hardened=hardened, spans=spans), target.settings.steps)


def shipped_source(target: Target) -> Source:
    """The source that ships, with spans if the target has them."""
    return with_spans() if target.settings.has_spans else shipped()


def copied_source(target: Target) -> Source:
    """The copy's source, likewise."""
    return source_in(target.path, spans=target.settings.has_spans)
