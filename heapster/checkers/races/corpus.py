"""The written list of programs: each makes threads meet where allocators have gone wrong.

A growth of 4096 bytes makes the heap move often; `n1` puts all threads into one arena.
"""

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from heapster.checkers.races.programs import Op, Program, is_hardened, parse_program
from heapster.impl.layout import DEFAULT_CACHE, DEFAULT_KEEP, DEFAULT_POLICY
from heapster.model.placement import POLICY_NAMES

SHIPPED = (f"{POLICY_NAMES[DEFAULT_POLICY]}, {DEFAULT_CACHE} bytes of a size in a cache, {DEFAULT_KEEP} bytes of freed "
           "mappings kept")
OF_LIBRARY = "oplh"             # what the library sets itself when it is loaded


class Written(NamedTuple):
    """A program and what it is about."""

    about: str
    text: str
    most: int = 2               # preemptions worth exploring: many locks make too many schedules


def as_shipped(program: Program) -> Program:
    """The program on what ships: the library's policy, caches and kept mappings, until it changes them under way."""
    return program._replace(prologue=(Op("o"), *(op for op in program.prologue if op.code not in OF_LIBRARY)))


def is_shipped(program: Program) -> bool:
    """Whether it starts on what ships."""
    return any(op.code == "o" for op in program.prologue)


def settings(program: Program) -> dict[str, tuple[int, ...]]:
    """By letter, ascending: the policies, bytes of a size in a cache and bytes of freed mappings that it runs under."""
    found = {"p": {0}, "h": {0}, "l": {0}}
    for op in program.prologue:
        if op.code == "o":
            found = {"p": {DEFAULT_POLICY}, "h": {DEFAULT_CACHE}, "l": {DEFAULT_KEEP}}
        elif op.code in found:
            found[op.code] = {*op.numbers}
    for op in chain.from_iterable(program.lanes):
        if op.code in found:
            found[op.code] |= {*op.numbers}
    return {letter: tuple(sorted(numbers)) for letter, numbers in found.items()}


def policies(program: Program) -> tuple[str, ...]:
    """The policies that it runs under, in their order."""
    return tuple(POLICY_NAMES[number] for number in settings(program)["p"])


WRITTEN = (
    Written("two mallocs race for the last block", "n1,g4096,m3900/m24|m40"),
    Written("two mallocs race for a block that was freed", "n1,g4096,m24,m24,f0/m24|m24"),
    Written("two mallocs race for one of two blocks", "n1,g4096,m24,m24,m24,m24,f0,f2/m24,f4|m24,f5"),
    Written("an arena is created by two threads at once", "n1,g4096/m24|m24"),
    Written("threads get their arenas at once", "g4096/m24|m24|m24"),
    Written("the number of arenas changes while threads get theirs", "n3/n2,m24|m24,n1"),
    Written("a free into an arena while its owner coalesces", "n1,g4096,m24,m24,m24/f0,m24|f1"),
    Written("neighbours are freed from both sides", "n1,g4096,m24,m24,m24,m24/f0,f2|f1"),
    Written("a block is handed over and freed by another thread", "n2,g4096/m24,m40|m24,f0,m24"),
    Written("handed over while its neighbours are freed", "n1,g4096/m24,m24,f1|f0,m40"),
    Written("sized frees while their neighbours are freed", "n1,g4096,m24,a64:24,m24,m24/b0,m24|b1,b2"),
    Written("handed over both ways", "n2,g4096/m24,f2,m24|m40,f0,m40"),
    Written("a neighbour's header changes while the owner reads it", "n1,g4096,m24,m24,m24/f0,m24|u1,u1"),
    Written("a realloc grows into a block that another frees", "n1,g4096,m24,m24,m24/r0:56|f1"),
    Written("two reallocs want the same free block", "n1,g4096,m24,m24,m24,f1/r0:56|m24"),
    Written("a realloc shrinks while its rest is wanted", "n1,g4096,m200,m24/r0:24|m100,f2"),
    Written("a realloc moves while the old place is wanted", "n1,g4096,m24,m24/r0:200,u0|m24,m24"),
    Written("a realloc at the break races with growth", "n1,g4096,m24/r0:5000|m3000,m3000"),
    Written("a realloc moves to another arena", "n2,g4096,m24,m24/m24,f2|r0:300,f0"),
    Written("the arena grows twice", "n1,g4096/m3000,m3000|m3000"),
    Written("another arena grows by mmap", "n2,g4096,m24/m24,m3000|m24,m3000,f4"),
    Written("a large free while its arena is trimmed", "n1,g4096,m9000,m24/f0,m24|f1,m5000"),
    Written("the break moves while it is trimmed", "n1,g4096,m9000/f0|m5000"),
    Written("a region is dropped while another comes", "n2,g4096,m24/m24|m24,m4000,f3"),
    Written("regions come and go in one arena", "n2,g4096,m24/f0,m24|m3000,m3000,f2,f3,m24"),
    Written("a region is dropped from another thread", "n2,g4096,m24/m24,f2,f3|m3000,m3000,m3000,m24"),
    Written("mapped blocks come and go", "t4096/m5000,f0|m6000,f1"),
    Written("mapped neighbours on the list are freed", "t4096,m5000,m6000,m7000/f1|f0,f2"),
    Written("the first mapped blocks of all", "t4096/m5000|m6000"),
    Written("a mapped block shrinks while others come", "t4096,m20000/r0:5000,f0|m6000,s"),
    Written("a mapped block moves", "t4096,m5000/r0:20000|m6000,f1"),
    Written("the system refuses to move a mapped block", "t4096,m5000,xr1/r0:20000|m6000,f1,s"),
    Written("the system refuses to purge", "t4096,l65536,m65536,m20000,f1,xp1,v0:508/r0:65536|m20000,u2"),
    Written("the system refuses to take mapped blocks back", "t4096,m5000,m6000,xu1,xu2/f0|f1,s"),
    Written("the system refuses memory", "n1,g4096,xb1,xm1/m24|m24"),
    Written("the system refuses memory under way", "n1,g4096,m3900,xb1,xm1/m400|m24,f0"),
    Written("the break is refused, mmap is not", "n1,g4096,xb1/m24,f0|m3000,f1"),
    Written("the policy changes under way", "n1,g4096,m24,m24,m24,f0/p1,m24,p2|m24,p3,m24"),
    Written("the cursor moves while blocks go", "n1,p1,g4096,m24,m24,m24,m24,f0,f2/m24,f1|m24,f3"),
    Written("classes of sizes are searched under way", "n1,p4,g4096,m24,m24,m56,m24,f0,f2/m24,f1|m40,m24"),
    Written("free blocks are parted by class, and united", "n1,g4096,m24,m24,m24,f0/p4,m24,f1|p0,m24"),
    Written("best fit and worst fit search under way", "n1,p2,g4096,m24,m24,m56,m24,f0,f2/p3,m24|m24"),
    Written("threshold and growth change under way", "n1/t4096,g8192,m5000|m5000,g4096,f1"),
    Written("calloc in recycled memory", "n1,g4096,m40,m24,f0/c40|m40,f3"),
    Written("aligned blocks cut leads", "n1,g4096,m24/a64:24,f1|a128:24,m24"),
    Written("aligned blocks with mappings of their own", "t4096/a8192:24,f0|a64:5000"),
    Written("two threads free blocks whose mappings are kept", "t4096,l65536,m65536,m9000,m9000/f1|f2"),
    Written("two threads want one kept mapping", "t4096,l65536,m65536,m9000,f1/m9000,u2|m9000,u3"),
    Written("two threads cut one kept mapping", "t4096,l65536,m65536,m20000,f1/m9000|m5000"),
    Written("a kept mapping is joined while it is wanted", "t4096,l65536,m65536,m20000,r1:9000/f1|m9000"),
    Written("two callocs want one kept mapping", "t4096,l65536,m65536,m9000,f1/c9000|c9000"),
    Written("a block grows into a kept mapping that is wanted", "t4096,l65536,m65536,m20000,r1:9000/r1:20000|m5000"),
    Written("a block moves while a kept mapping is joined", "t4096,l65536,m65536,m20000,r1:9000/r1:60000|m9000"),
    Written("memory is out, and what is kept goes back", "t4096,l65536,m65536,m9000,f1,xb1,xm1,xm2/m20000|m9000"),
    Written("memory is out for two threads", "t4096,l65536,m65536,m9000,f1,xb1,xb2,xm1,xm2,xm3,xm4/m20000|m24000"),
    Written("how much is kept changes under way", "t4096,l65536,m65536,m9000,m9000,f1/l0,f2|l65536,m9000"),
    Written("two threads set how much is kept", "t4096,l65536,m65536,m9000,m9000,f1,f2/l8192|l0,m9000"),
    Written("the system does not take kept mappings back", "t4096,l65536,m65536,m9000,m9000,f1,xu1/l0|f2,m9000"),
    Written("an epoch purges a mapping that is wanted", "t4096,l65536,m65536,m20000,f1,v0:508/r0:65536|m20000,u2"),
    Written("an epoch purges a mapping that is joined", "t4096,l65536,m65536,m30000,r1:9000,v0:508/r0:65536|f1"),
    Written("two threads end an epoch", "t4096,l65536,m65536,m20000,m9000,f2,v0:506/r0:65536|r1:20000"),
    Written("statistics are read while a kept mapping is used again", "t4096,l65536,m65536,m9000,f1/m9000,f2|s"),
    Written("the status is written while a kept mapping is used again", "t4096,l65536,m65536,m9000,f1/m9000|w"),
    Written("the heap is trimmed while blocks come and go", "n1,g4096,m24,m24,m9000,f1/d0|m24,f2,m5000", 1),
    Written("two threads trim the heap", "n1,g4096,m24,m9000,f1/d0|d4096", 1),
    Written("the heap is trimmed while blocks are sent", "n2,h64,g4096,m24,m24,m24/d0|f0,f1,e", 1),
    Written("the heap is trimmed while a region is used again", "n2,g4096,m24/m24,f1,d0|m3000,m3000", 1),
    Written("the heap is trimmed while a kept mapping is wanted", "t4096,l65536,m65536,m9000,f1/d0|m9000", 1),
    Written("fork while the heap is trimmed", "n1,g4096,m24,m9000,f1/k|d0", 0),
    Written("statistics are read under way", "n1,g4096,m24,m24/m24,f0|s"),
    Written("statistics are read while the arena grows and shrinks", "n1,g4096,m9000/f0,m5000|s"),
    Written("statistics are read while an arena opens", "n2,g4096/m24,m5000|s"),
    Written("mapped statistics are read under way", "t4096,m5000/m6000,f0|s"),
    Written("the status is written under way", "n1,g4096,m24,m24/m5000,f0|w"),
    Written("the status of mapped blocks is written under way", "t4096,m5000/m6000,f0|w"),
    Written("fork while another thread allocates", "n1,g4096/k|m24", 1),
    Written("fork while another thread frees", "n1,g4096,m24,m24,m24/k|f1", 1),
    Written("fork while a region is trimmed", "n1,g4096,m9000/k|f0", 1),
    Written("fork while mapped blocks come and go", "t4096,m5000/k|f0,m6000", 1),
    Written("fork while neighbours on the mapped list are freed", "t4096,m5000,m6000,m7000/k|f1", 1),
    Written("fork while a mapped block moves", "t4096,m5000,m6000,m7000/k|r1:20000", 1),
    Written("fork while a mapped block grows into what was kept", "t4096,l65536,m9000,m20000,r1:9000/k|r1:20000", 1),
    Written("fork while blocks of its arena are resized", "n1,g4096,m24,m24,m24,m24/k|r1:200", 1),
    Written("fork while a mapping is kept and used again", "t4096,l65536,m65536,m9000,m9000,f1/k|f2,m9000", 1),
    Written("fork while an epoch ends", "t4096,l65536,m65536,m20000,f1,v0:508/k|r0:65536", 1),
    Written("a thread ends that kept blocks of another's arena", "n2,h64,g4096,m24,m24,m24/m24,m24|f0,f1,e"),
    Written("a first block of another's arena goes home", "n2,h64,g4096,m24,m24/m24,m24|f0,m24"),
    Written("two threads send blocks to one arena", "n3,h64,g4096,m24,m24/m24|f0,e|f1,e"),
    Written("a refill takes what is being sent", "n2,h64,g4096,m24,m24,m24,m24/m24,f2,m24|f0,f1,f3"),
    Written("a thread ends while its arena drains", "n2,h64,g4096,m24,m24/m24,f0,m24|f1,e"),
    Written("the owner of blocks ends while they are sent", "n2,h64,g4096,m24,m24,m24/e,m24|f0,f1,f2"),
    Written("two threads drain one remote list", "n2,h64,g4096,q3,n1/m24|m24"),
    Written("a header changes while a flush reads it", "n2,h64,g4096,m2000,m24/f0|f1,e"),
    Written("a thread with a cache goes while another looks into its own", "n2,h64/m24,e|m24,m24"),
    Written("threads with caches come and go", "n2,h64,m24/m24,e,m24|m24,e,m24"),
    Written("three threads get caches at once", "h64/m24,f0|m24,f1|m24,f2"),
    Written("a flush meets an allocation in one arena", "n1,h64,g4096,m24/f0,e|m24,m24"),
    Written("a refill carves beside a free", "n1,h128,g4096,m24,m2000/m24|f1"),
    Written("caches meet the end of memory", "n1,h64,g4096,m3900,xb1,xm1/m24,f0|m24,m24"),
    Written("caches are turned off and on under way", "n2,h64,g4096,m24,m24,m24/h0,f0,m24|f1,h128,f2"),
    Written("cached blocks are resized and moved", "n2,h64,g4096,m24,m24,m24/r0:200,u0|f1,f2,m200"),
    Written("sized frees of cached blocks send them home", "n2,h64,g4096,m24,m24,m24/b0,m24|b1,b2"),
    Written("a cached block comes back from calloc", "n2,h64,g4096,m24,m24/f0,c24|f1,c24"),
    Written("a block that looks freed is looked for among those sent", "n2,h64,m24,m24/i0|f1"),
    Written("statistics are read while blocks are sent", "n2,h64,m24,m24,m24/y|f0,f1,f2"),
    Written("statistics are read while a remote list is drained", "n2,h64,q3/m24,m24|y"),
    Written("statistics are read while a thread with a cache ends", "n2,h64,m24/m24,f0,e|y"),
    Written("fork while blocks are sent", "n2,h64,m24,m24,m24/k|f0,f1,f2", 1),
    Written("fork while a remote list is drained", "n2,h64,q3/m24|k", 1),
    Written("fork while a thread with a cache ends", "n2,h64,m24/k|m24,f0,e", 1),
    Written("the heap ends with full caches and remote lists", "n2,h64,m24,m24,f0,q3/z,m24", 0),
    Written("a remote list grows long while its owner drains it", "n3,h64,m24,q256/m24|f0,e", 0),
    Written("a remote list grows long from two sides", "n3,h64,m24,m24,q255/m24|f0,e|f1,e", 0),
    Written("a remote list is as long as may be", "n2,h64,m24,q319/m24|f0,e", 0),
    Written("a batch is sent while another is", "n3,h128,m24,m24,m24,m24/d0|f1,f2,e|f3,e"),
    Written("three threads in one arena", "n1,g4096,m24,m24,m24/f0,m24|f1|m40"),
    Written("fork while statistics are read", "n1,g4096,m24/k|s", 1),
    Written("two forks at once", "n1,g4096,m24/k|k", 0),
    Written("the heap ends while statistics are read", "n2,g4096,t4096,m24,m5000/z|s", 0),
    Written("the heap ends while the status is written", "n2,g4096,t4096,m24,m5000/z|w", 0),
    Written("the heap ends while a mapping is kept", "t4096,l65536,m65536,m9000/z|l0,s", 0),
    Written("the heap is ended by two threads", "n2,g4096,t4096,m24,m5000/z|z", 0),
    Written("a hardened heap is begun by two threads", "j,n1/m24|m24"),
    Written("two hardened arenas get their first spans at once", "j,n2/m24|m24"),
    Written("two slots of a span are taken at once", "j,n1,m24/m24|m24"),
    Written("two slots of a span are freed at once", "j,n1,m24,m24/f0|f1"),
    Written("a slot is freed by another thread than its arena's", "j,n2,m24/f0,m24|m24"),
    Written("a mapping is freed while another is made", "j,n1,m80000/f0|m80000"),
    Written("a slot is moved while the table grows", "j,n1,m24/r0:600|m80000"),
    Written("spare memory goes back while a slot is freed", "j,n1,m24,m24,f0/f1|d0"),
    Written("statistics are read while a hardened heap begins", "j,n1/y|m24", 1),
    Written("the status is written while a span is made", "j,n1,m24/w|m600", 1),
)


WITH_SPANS = (                  # of what is built with spans
    Written("two threads ask for the reservation", "n2,h64/m24|m24"),
    Written("two threads of an arena ask for the reservation", "n1,h64/m24|m24"),
    Written("the reservation is refused to one of two threads", "n2,h64,xm1/m24|m24"),
    Written("two threads cut one run", "n1,h64,m24/m24|m24"),
    Written("two arenas get runs", "n2,h64,m24/m24,m500|m24"),
    Written("slots are freed while their owner refills", "n2,h64,m24,m24/m24,m24|f0,f1,e"),
    Written("slots come back to a run while others are taken", "n1,h64,m24,m24/f0,e|m24,f1"),
    Written("two slots come straight back to their run", "n1,h64,m24,m24,h0/e,f0|f1"),
    Written("two slots come back to one run", "n1,h64,m24,m24/f0,e|f1,e"),
    Written("the last two slots of a run come back", "n1,h1024,m1000,m1000,R0/f0,e|f1,e"),
    Written("the last slot of a run comes back while slots of its class are taken", "n1,h1024,m1000,R0/m1000|f0,e"),
    Written("another thread frees the last slot of a run", "n2,h1024,m1000,R0/m1000,m1000|f0,e", 1),
    Written("a run goes to the pool while another arena gets one", "n2,h1024,m1000,R0/f0,e|m500"),
    Written("two arenas want the run of the pool", "n2,h1024,m1000,R0,f0,e/m500|m500"),
    Written("the pool is purged while its run is wanted", "n2,h1024,m1000,R0,f0,e/d0|m500", 1),
    Written("a run goes to the pool while that is purged", "n2,h1024,m1000,R0/f0,e|d0", 1),
    Written("a slot moves while another is freed", "n2,h64,m24,m24/r0:200,f0|f1,m24"),
    Written("a slot that looks freed is looked for in its run", "n2,h64,m24,q3/i0|d0", 1),
    Written("a thread that ended asks for slots", "n1,h64,m24/e,m24,f0|m24"),
    Written("statistics are read while a run is cut", "n1,h64/m24,m500|y"),
    Written("statistics are read while slots are sent", "n2,h64,m24,m24/y|f0,f1,e"),
    Written("statistics are read while a run is given up", "n1,h1024,m1000,R0/y|f0,e"),
    Written("fork while the reservation is made", "n2,h64/k|m24", 1),
    Written("fork while a run is taken", "n2,h64,m24/k|m24,m500", 1),
    Written("fork while a run of its arena is taken", "n1,h64,m24/k|m500", 1),
    Written("fork while slots come back", "n1,h64,m24,m24/k|f1,e", 1),
    Written("fork while a run is given up", "n1,h1024,m1000,R0/k|f0,e", 1),
    Written("fork while a run of the pool is taken", "n2,h1024,m1000,R0,f0,e/k|m500", 1),
    Written("fork while the pool is purged", "n2,h1024,m1000,R0,f0,e/k|d0", 0),
    Written("two threads end a heap with slots", "n2,h64,m24/z|z", 0),
    Written("the heap ends while a thread with slots asks for statistics", "n2,h64,m24/z|y", 0),
)


def corpus(*, spans: bool = False) -> Iterator[tuple[Program, int]]:
    """Each written program as it stands, then each on what ships; with the preemptions worth exploring.

    What ships has no part in a hardened heap: policies, caches and kept mappings are others'.
    """
    written = [(parse_program(each.text), each.most) for each in (*WITH_SPANS * spans, *WRITTEN)]
    yield from written
    known = {as_shipped(program): most for program, most in written if not is_hardened(program)}
    yield from known.items()
