"""Exports of the compiled allocator: the functions of `impl`, as C functions over words.

The calls of malloc's family are those of the table, each a function of `impl.api` of its name.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from heapster.impl import api, lifecycle, records, retained, settings, stats, thread_cache, trim, verify
from heapster.model.operations import CALLS, OPERATIONS, OperationRow


class Entry(NamedTuple):
    """One exported function."""

    function: Callable[..., Any]    # its first argument is the machine
    arity: int                      # words it takes besides
    answers: bool                   # whether it answers a word


def statics(m: Any) -> int:
    """Where the statics lie, for onlookers."""
    return m.statics()              # type: ignore[no-any-return]


def thread(m: Any) -> int:
    """Where the calling thread's storage lies, for onlookers."""
    return m.thread()               # type: ignore[no-any-return]


def _of(row: OperationRow) -> Entry:
    """A call of the table."""
    return Entry(getattr(api, row.name), len(row.parameters), row.answers != "void")


PREFIX = "heapster_word_"           # of the names in the object file

ENTRIES: dict[str, Entry] = {
    **{verb: _of(OPERATIONS[verb]) for verb in CALLS},
    "init": Entry(api.init, 2, True),
    "finalize": Entry(lifecycle.finalize, 0, True),
    "after_fork_in_child": Entry(lifecycle.after_fork_in_child, 0, False),
    "thread_end": Entry(thread_cache.thread_end, 0, False),
    "get_policy": Entry(settings.get_policy, 0, True),
    "set_policy": Entry(settings.set_policy, 1, True),
    "get_threshold": Entry(settings.get_threshold, 0, True),
    "set_threshold": Entry(settings.set_threshold, 1, False),
    "get_growth": Entry(settings.get_growth, 0, True),
    "get_cache": Entry(settings.get_cache, 0, True),
    "set_cache": Entry(settings.set_cache, 1, False),
    "set_key": Entry(settings.set_key, 1, False),
    "set_hardened": Entry(settings.set_hardened, 1, False),
    "get_keep": Entry(settings.get_keep, 0, True),
    "set_keep": Entry(retained.set_keep, 1, False),
    "trim": Entry(trim.trim, 1, True),
    "set_arenas": Entry(settings.set_arenas, 1, False),
    "stats": Entry(stats.stats, 2, False),
    "status": Entry(stats.status, 0, False),
    "verify": Entry(verify.verify, 0, False),
    "look_once_more": Entry(records.look_once_more, 0, False),
    "statics": Entry(statics, 0, True),
    "thread": Entry(thread, 0, True),
}
