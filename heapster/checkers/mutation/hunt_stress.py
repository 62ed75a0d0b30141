"""Planted concurrency faults hunted by real threads, in a library that is compiled with the fault."""

import tempfile
from pathlib import Path

from heapster import impl
from heapster.checkers.mutation.fault import Fault, Kill, plant
from heapster.checkers.stress.build import native_of
from heapster.checkers.stress.runner import StressPlan, stress
from heapster.checkers.targets.target import NATIVE

SECONDS = 20.0                  # mostly one is enough, if there is a processor for each thread all the time
SEEDS = 4
HANDLED = "pthread_atfork(NULL, NULL, heapster_word_after_fork_in_child)"
HELD = """\
static void each_lock(int (*turn)(pthread_mutex_t *)) {
    char *statics = (char *)heapster_word_statics();
    turn((pthread_mutex_t *)(statics + ATTACH_LOCK));
    for (int i = 0; i <= MAX_ARENAS; i++)
        turn((pthread_mutex_t *)(statics + ARENAS + i * ARENA_BYTES));
}

static void own(void) { each_lock(pthread_mutex_lock); }
static void give_up(void) { each_lock(pthread_mutex_unlock); }

"""                             # handlers that own the heap's locks across a fork
HANDLER = "static void handle_forks(void)"


def hunt_across_fork(folder: Path) -> str:
    """What the pattern of forks finds our library as if it owns its locks across one: a fault of `process.c`."""
    library = native_of(Path(impl.__file__).parent, folder, {"process.c": (
        (HANDLER, HELD + HANDLER), (HANDLED, "pthread_atfork(own, give_up, give_up)"))})
    return next((run.findings[0].code for run in [stress(StressPlan(NATIVE, 3, SECONDS, "fork", 1, library))]
                 if run.findings), "")


def hunt(fault: Fault, seed: int = 1) -> Kill:
    """Whether the pattern that shows the fault does, with one seed or another, and as what."""
    with tempfile.TemporaryDirectory(prefix="heapster-") as name:
        folder = Path(name)
        library = native_of(plant(fault, folder), folder / "build")
        runs = (stress(StressPlan(NATIVE, 2, SECONDS, fault.caught_by, number, library))
                for number in range(seed, seed + SEEDS))
        return next((Kill(fault, (fault.caught_by,), (run.findings[0].code,)) for run in runs if run.findings),
                    Kill(fault))
