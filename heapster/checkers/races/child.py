"""What a forked child finds: one thread, the memory as it was, and the locks of threads that are gone."""

from heapster.checkers.decode import Undecodable, decode
from heapster.checkers.races.sources import Source
from heapster.impl.layout import ALL_ARENAS, CACHING, DEFAULT_THRESHOLD, NEXT, NULL, STATS_BYTES
from heapster.machine.protocol import Fault
from heapster.machine.simulated import Simulated
from heapster.machine.traced import Broken
from heapster.model.invariants import violations

FRESH_THREAD = 60                   # no program has as many
BETWEEN_CALLS = "memory_is_accounted_for"   # a lost thread may have mapped a block and not yet listed it


def check_child(source: Source, child: Simulated) -> None:
    """Broken unless the child can release what `before_fork` owned, and use its whole heap."""
    try:
        source.lifecycle.after_fork_in_child(child)
        _keeps_alone(child)
        _use(source, child)
        found = [v for v in violations(decode(child)) if v.name != BETWEEN_CALLS]
    except Fault as fault:
        raise Broken("fork_unsafe", f"in the forked child: {fault}", fault.address) from fault
    except Undecodable as error:
        raise Broken("fork_unsafe", f"the forked child's heap: {error}") from error
    if found:
        raise Broken("fork_unsafe", f"the forked child's heap breaks {found[0].name}: {found[0].message}")


def _keeps_alone(child: Simulated) -> None:
    """Broken if a thread that the child does not have is among those that have caches."""
    caching = child.load(child.statics() + CACHING + NEXT)
    if caching not in (NULL, child.statics() + CACHING, child.thread()) or \
            caching == child.thread() and child.load(caching + NEXT) != child.statics() + CACHING:
        raise Broken("fork_unsafe", "the forked child counts a thread that it does not have among those with caches",
                     caching)


def _use(source: Source, child: Simulated) -> None:
    """Take every lock that there is, also as a thread that has no arena yet."""
    source.settings.set_arenas(child, 1)
    for thread in (child.running, FRESH_THREAD):
        child.on_thread(thread)
        for request in (24, DEFAULT_THRESHOLD):
            source.api.free(child, source.api.malloc(child, request))
    source.stats.stats(child, ALL_ARENAS, child.outside(STATS_BYTES))
