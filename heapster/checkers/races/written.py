"""The written list of programs: each makes threads meet where allocators have gone wrong.

A growth of 4096 bytes makes the heap move often; `n1` puts all threads into one arena.
"""

from typing import NamedTuple


class Written(NamedTuple):
    """A program and what it is about."""

    about: str
    text: str
    most: int = 2               # preemptions worth exploring: many locks make too many schedules


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
    Written("the system refuses to take mapped blocks back", "t4096,m5000,m6000,xu1,xu2/f0|f1,s"),
    Written("the system refuses memory", "n1,g4096,xb1,xm1/m24|m24"),
    Written("the system refuses memory under way", "n1,g4096,m3900,xb1,xm1/m400|m24,f0"),
    Written("the break is refused, mmap is not", "n1,g4096,xb1/m24,f0|m3000,f1"),
    Written("the policy changes under way", "n1,g4096,m24,m24,m24,f0/p1,m24,p2|m24,p3,m24"),
    Written("the cursor moves while blocks go", "n1,p1,g4096,m24,m24,m24,m24,f0,f2/m24,f1|m24,f3"),
    Written("best fit and worst fit search under way", "n1,p2,g4096,m24,m24,m56,m24,f0,f2/p3,m24|m24"),
    Written("threshold and growth change under way", "n1/t4096,g8192,m5000|m5000,g4096,f1"),
    Written("calloc in recycled memory", "n1,g4096,m40,m24,f0/c40|m40,f3"),
    Written("aligned blocks cut leads", "n1,g4096,m24/a64:24,f1|a128:24,m24"),
    Written("aligned blocks with mappings of their own", "t4096/a8192:24,f0|a64:5000"),
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
    Written("three threads in one arena", "n1,g4096,m24,m24,m24/f0,m24|f1|m40"),
    Written("fork while statistics are read", "n1,g4096,m24/k|s", 1),
    Written("two forks at once", "n1,g4096,m24/k|k", 0),
    Written("the heap ends while statistics are read", "n2,g4096,t4096,m24,m5000/z|s", 0),
    Written("the heap ends while the status is written", "n2,g4096,t4096,m24,m5000/z|w", 0),
    Written("the heap is ended by two threads", "n2,g4096,t4096,m24,m5000/z|z", 0),
)
