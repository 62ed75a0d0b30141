/* Locks of a target as the scheduler knows them, by their addresses; and what waits at an address without being one. */
#ifndef HEAPSTER_LOCKS_H
#define HEAPSTER_LOCKS_H

#include "scheduler.h"

enum { LOCKS = 256, NOBODY = -1, RECURSIVE = 1, ERRORCHECK = 2, KINDS = 3 };

/* Of a mutex, a read-write lock, a spinlock, a condition, a semaphore, a barrier, something that is done once. */
struct lock {
    uintptr_t at;
    int owner, depth, kind, shows; /* shows: its first word says whether it is owned, as the C library has it */
    uint32_t readers;              /* a bit for each thread */
    int count, generation, is_once;
    int waiters[MOST_THREADS], waiting; /* of a condition, in the order in which they came */
    uint32_t signalled;
    uint32_t inside[MOST_THREADS];
};

extern struct lock locks[LOCKS];

struct lock *lock_at(const void *address);
struct lock *fresh(const void *address, int kind); /* as it is initialised */
int has_no_writer(struct thread *one);
void *mutex_at(pthread_mutex_t *mutex); /* a mutex, which a child of a fork may have made anew */
int own(struct lock *lock);             /* the running thread has it */
int take(void *at, int kind, uintptr_t pc);
int try(void *at, int kind, uintptr_t pc);
int give(void *at, uintptr_t pc);

/* Its own thread may have gone on in a child of a fork. */
static inline int me(void) { return self->number; }

#endif
