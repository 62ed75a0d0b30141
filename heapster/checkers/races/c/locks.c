/* Who holds which lock, and in which order locks are taken. See locks.h. */
#include <errno.h>

#include "locks.h"

struct lock locks[LOCKS];
static uint8_t nested[LOCKS][LOCKS]; /* [outer][inner]: has been locked so */

struct lock *lock_at(const void *address)
{
    uint32_t at = (uint32_t)((uintptr_t)address * 0x9E3779B97F4A7C15u >> 50) % LOCKS;
    for (int tried = 0; locks[at].at != 0 && locks[at].at != (uintptr_t)address; at = (at + 1) % LOCKS)
        if (++tried == LOCKS)
            problem(UNUSABLE, (uintptr_t)address, NOBODY, "the target has more than %d locks", LOCKS);
    if (locks[at].at == 0)
        locks[at] = (struct lock){.at = (uintptr_t)address, .owner = NOBODY};
    return &locks[at];
}

struct lock *fresh(const void *address, int kind)
{
    struct lock *lock = lock_at(address);
    *lock = (struct lock){.at = (uintptr_t)address, .owner = NOBODY, .kind = kind};
    return lock;
}

/* The order of locks: whoever locks one inside another, and elsewhere the other way round, may wait for ever. */

static int reaches(int from, int to, uint8_t *seen)
{
    if (from == to)
        return 1;
    seen[from] = 1;
    for (int i = 0; i < LOCKS; i++)
        if (nested[from][i] && !seen[i] && reaches(i, to, seen))
            return 1;
    return 0;
}

static void note_order(struct lock *inner)
{
    if (self->held == 0)
        return;
    int in = (int)(inner - locks);
    for (int out = 0; out < LOCKS; out++) {
        if (locks[out].at == 0 || locks[out].owner != me() || out == in)
            continue;
        uint8_t seen[LOCKS] = {0};
        if (!nested[out][in] && reaches(in, out, seen))
            problem(LOCK_ORDER, inner->at, NOBODY,
                    "thread %d locks what is at 0x%lx inside what is at 0x%lx, and it was "
                    "the other way round before",
                    me(), (unsigned long)inner->at, (unsigned long)locks[out].at);
        nested[out][in] = 1;
    }
}

int locks_left(uintptr_t *mutex)
{
    for (int i = 0; i < LOCKS; i++)
        if (locks[i].at != 0 && (locks[i].owner == me() || locks[i].readers >> me() & 1))
            return *mutex = locks[i].at, 1;
    return 0;
}

/* Mutexes. */

static int is_free(struct thread *one)
{
    return lock_at((void *)one->target)->owner == NOBODY && lock_at((void *)one->target)->readers == 0;
}

int has_no_writer(struct thread *one) { return lock_at((void *)one->target)->owner == NOBODY; }

static void show(const struct lock *lock, int owned)
{
    if (lock->shows)
        *(int *)lock->at = owned;
}

void *mutex_at(pthread_mutex_t *mutex)
{
    struct lock *lock = lock_at(mutex);
    lock->shows = 1;
    if (in_child && lock->owner != NOBODY && mutex->__data.__lock == 0)
        lock->owner = NOBODY, lock->depth = 0;
    return mutex;
}

int own(struct lock *lock)
{
    lock->owner = me(), lock->depth = 1;
    show(lock, 1);
    self->held++;
    clock_acquire(lock->at);
    someone_wrote(lock->at, 1);
    return 0;
}

int take(void *at, int kind, uintptr_t pc)
{
    struct lock *lock = lock_at(at);
    if (lock->owner == me()) {
        if (kind == RECURSIVE)
            return lock->depth++, 0;
        if (kind == ERRORCHECK)
            return EDEADLK;
        arrive(K_LOCK, (uintptr_t)at, pc);
        problem(FAULT_RELOCK, (uintptr_t)at, NOBODY, "thread %d locks what is at 0x%lx, which it holds", me(),
                (unsigned long)at);
    }
    wait_until(K_LOCK, (uintptr_t)at, pc, is_free);
    note_order(lock);
    return own(lock);
}

int try(void *at, int kind, uintptr_t pc)
{
    struct lock *lock = lock_at(at);
    arrive(K_TRY_LOCK, (uintptr_t)at, pc);
    if (lock->owner == me() && kind == RECURSIVE)
        return lock->depth++, 0;
    if (lock->owner == NOBODY && lock->readers == 0)
        return own(lock);
    be_shy((uintptr_t)at); /* who asks again and again lets others on */
    return EBUSY;
}

static void let_go(struct lock *lock)
{
    lock->owner = NOBODY, lock->depth = 0;
    show(lock, 0);
    self->held--;
    clock_release(lock->at);
    someone_wrote(lock->at, 1);
}

int give(void *at, uintptr_t pc)
{
    struct lock *lock = lock_at(at);
    arrive(K_UNLOCK, (uintptr_t)at, pc);
    if (lock->owner != me()) {
        if (lock->owner == NOBODY)
            problem(FAULT_STRANGER_UNLOCK, (uintptr_t)at, NOBODY,
                    "thread %d unlocks what is at 0x%lx, which nobody holds", me(), (unsigned long)at);
        problem(FAULT_STRANGER_UNLOCK, (uintptr_t)at, lock->owner,
                "thread %d unlocks what is at 0x%lx, which thread %d holds", me(), (unsigned long)at, lock->owner);
    }
    if (--lock->depth == 0)
        let_go(lock);
    return 0;
}
