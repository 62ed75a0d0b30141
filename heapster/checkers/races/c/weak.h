/* A weak memory: which writes an atomic access may meet, and the order of what is sequentially consistent.

   As machine/weak_memory.py and sc_order.py have it, of RC11: each location keeps what was written to it in modification
   order, and a thread's view bounds from below which of these it may read, or write after. The newest is in memory. */
#ifndef HEAPSTER_WEAK_H
#define HEAPSTER_WEAK_H

#include "scheduler.h"

struct write {
    atomic_value value;
    uint64_t name;           /* what its thread had done by then: the same in each run in which it is the same */
    uint32_t epoch;          /* of its thread; 0: all know of it */
    uint32_t time;           /* its place in the modification order, doubled: there is room between two */
    uint8_t thread, swapped; /* swapped: the next one is a read-modify-write that read this one */
    uint32_t released[MOST_THREADS]; /* what who acquires it knows from there on */
};

struct act {              /* an atomic access or a fence */
    int thread, in_order; /* in_order: it is sequentially consistent */
    uint32_t epoch, made; /* made: the time of what it would write, while it is only thought of */
    const void *location; /* NULL: a fence */
    const struct write *reads, *writes;
    uint32_t knows[MOST_THREADS];
};

enum { MOST_ACTS = 128 };

/* weak.c */
int meet(const struct atomic *asked, atomic_value *read); /* does it; answers whether memory has changed */
void pass_fence(int order);
extern unsigned back; /* how far back from the newest was what was met last */

/* sc_order.c: whether no order of what is sequentially consistent is as RC11 wants it. */
int has_cycle(const struct act *acts, int count);

#endif
