"""Planted concurrency faults that real threads show too, each with the pattern that surely does."""

from dataclasses import replace

from heapster.checkers.mutation import race_faults
from heapster.checkers.mutation.fault import one_edit

SHOWN_BY = {
    "find and claim in two critical sections": "crowd",
    "no lock around allocation": "crowd",
    "unlocked before the block is counted": "crowd",
    "no lock on a remote free": "handover",
    "no lock on any free": "crowd",
    "a freed block is settled after the unlock": "crowd",
    "a remote free locks the freer's arena first": "handover",
    "unlocked twice": "crowd",
    "neighbours on the mapped list read before the lock": "large",
    "a block is put on a remote list without a comparison": "handover",
    "a flush releases without the lock": "crowd",
}
OF_SCHEDULES = tuple(replace(fault, by="stress", caught_by=SHOWN_BY[fault.title]) for fault in race_faults.FAULTS
                     if fault.title in SHOWN_BY)
assert len(OF_SCHEDULES) == len(SHOWN_BY), "each is a fault of schedules, by its title"
OF_GROWTH = (
    one_edit("what a thread keeps is lost as it ends", "thread_cache",
             "        flush_all(m, thread)\n        index = 0\n", "        index = 0\n", "mayflies", by="stress"),)
FAULTS = OF_SCHEDULES + OF_GROWTH
