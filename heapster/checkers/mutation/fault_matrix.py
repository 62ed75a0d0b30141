"""The ways in which caches, remote lists and purging go wrong, and which checker finds which planted fault."""

from collections.abc import Iterator
from typing import NamedTuple

from heapster.checkers.mutation.planted import TABLES

PLANTED = {by: {fault.title for fault in table.faults} for by, table in TABLES.items()}
COMMANDS = {"fuzz": "heapster mutate '{}'", "prove": "heapster prove --faults thread_cache bins retained remote",
            "races": "heapster mutate --by races '{}'", "stress": "heapster mutate --by stress '{}'"}


class Way(NamedTuple):
    """A way to go wrong, and a fault that does."""

    kind: str
    checker: str                    # a key of PLANTED
    title: str


WAYS = (
    Way("double insertion", "fuzz", "a double free puts a block into its bin twice"),
    Way("double insertion", "fuzz", "a refill keeps the block that it gives"),
    Way("double insertion", "prove", "a block that is used again stays in its bin"),
    Way("double insertion", "prove", "a thread is registered again and again"),
    Way("double insertion", "fuzz", "a kept mapping that is used again stays on the list"),
    Way("double insertion", "races", "a kept mapping is found and taken in two critical sections"),
    Way("lost batch", "fuzz", "a batch that was sent is lost"),
    Way("lost batch", "prove", "flushed blocks are lost"),
    Way("lost batch", "prove", "draining stops at the first"),
    Way("lost batch", "races", "what is sent while a remote list is emptied is lost"),
    Way("count drift", "fuzz", "a stack does not count what is put on it"),
    Way("count drift", "fuzz", "a carved run is counted as one block"),
    Way("count drift", "prove", "a kept mapping is not counted"),
    Way("count drift", "races", "the bytes that are kept are counted outside the lock"),
    Way("ABA on the remote list", "races", "blocks are taken off a remote list one by one, without the lock (ABA)"),
    Way("ABA on the remote list", "races", "a block is put on a remote list without a comparison"),
    Way("ABA on the remote list", "stress", "a block is put on a remote list without a comparison"),
    Way("a purge of a live page", "fuzz", "a live page is purged"),
    Way("a purge of a live page", "prove", "the pages before those of a kept mapping are purged"),
    Way("a purge of a live page", "races", "a mapping is purged that another thread has taken meanwhile"),
    Way("a cache that outlives its thread", "fuzz", "a cache outlives its thread"),
    Way("a cache that outlives its thread", "fuzz", "a thread that ends keeps its blocks"),
    Way("a cache that outlives its thread", "prove", "a thread that ended stays on the list"),
    Way("a cache that outlives its thread", "races", "a cache outlives its thread"),
)


def table() -> Iterator[str]:
    """The ways as a table in Markdown, line by line."""
    yield "| what goes wrong | planted fault | found by | `heapster` runs it |"
    yield "|---|---|---|---|"
    for way in WAYS:
        yield f"| {way.kind} | {way.title} | {way.checker} | `{COMMANDS[way.checker].format(way.title)}` |"
