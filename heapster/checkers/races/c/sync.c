/* What a target calls of pthread and C11's threads, answered by the scheduler: nobody really waits. */
#define _GNU_SOURCE
#include <errno.h>
#include <semaphore.h>
#include <string.h>
#include <threads.h>

#include "scheduler.h"

#define PC ((uintptr_t)__builtin_return_address(0))

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

static struct lock locks[LOCKS];
static uint8_t nested[LOCKS][LOCKS]; /* [outer][inner]: has been locked so */

static struct lock *lock_at(const void *address)
{
    uint32_t at = (uint32_t)((uintptr_t)address * 0x9E3779B97F4A7C15u >> 50) % LOCKS;
    for (int tried = 0; locks[at].at != 0 && locks[at].at != (uintptr_t)address; at = (at + 1) % LOCKS)
        if (++tried == LOCKS)
            problem(BAD_TARGET, (uintptr_t)address, NOBODY, "the target has more than %d locks", LOCKS);
    if (locks[at].at == 0)
        locks[at] = (struct lock){.at = (uintptr_t)address, .owner = NOBODY};
    return &locks[at];
}

static struct lock *fresh(const void *address, int kind)
{
    struct lock *lock = lock_at(address);
    *lock = (struct lock){.at = (uintptr_t)address, .owner = NOBODY, .kind = kind};
    return lock;
}

/* Its own thread may have gone on in a child of a fork. */
static int me(void) { return self->number; }

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

static int has_no_writer(struct thread *one) { return lock_at((void *)one->target)->owner == NOBODY; }

static void show(const struct lock *lock, int owned)
{
    if (lock->shows)
        *(int *)lock->at = owned;
}

/* A mutex, which a child of a fork may have made anew. */
static void *mutex_at(pthread_mutex_t *mutex)
{
    struct lock *lock = lock_at(mutex);
    lock->shows = 1;
    if (in_child && lock->owner != NOBODY && mutex->__data.__lock == 0)
        lock->owner = NOBODY, lock->depth = 0;
    return mutex;
}

static int own(struct lock *lock)
{
    lock->owner = me(), lock->depth = 1;
    show(lock, 1);
    self->held++;
    clock_acquire(lock->at);
    someone_wrote(lock->at, 1);
    return 0;
}

static int take(void *at, int kind, uintptr_t pc)
{
    struct lock *lock = lock_at(at);
    if (lock->owner == me()) {
        if (kind == RECURSIVE)
            return lock->depth++, 0;
        if (kind == ERRORCHECK)
            return EDEADLK;
        arrive(K_LOCK, (uintptr_t)at, pc);
        problem(RELOCK, (uintptr_t)at, NOBODY, "thread %d locks what is at 0x%lx, which it holds", me(),
                (unsigned long)at);
    }
    wait_until(K_LOCK, (uintptr_t)at, pc, is_free);
    note_order(lock);
    return own(lock);
}

static int try(void *at, int kind, uintptr_t pc)
{
    struct lock *lock = lock_at(at);
    arrive(K_TRYLOCK, (uintptr_t)at, pc);
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

static int give(void *at, uintptr_t pc)
{
    struct lock *lock = lock_at(at);
    arrive(K_UNLOCK, (uintptr_t)at, pc);
    if (lock->owner != me()) {
        if (lock->owner == NOBODY)
            problem(STRANGER_UNLOCK, (uintptr_t)at, NOBODY, "thread %d unlocks what is at 0x%lx, which nobody holds",
                    me(), (unsigned long)at);
        problem(STRANGER_UNLOCK, (uintptr_t)at, lock->owner,
                "thread %d unlocks what is at 0x%lx, which thread %d holds", me(), (unsigned long)at, lock->owner);
    }
    if (--lock->depth == 0)
        let_go(lock);
    return 0;
}

static int kind_of(const pthread_mutex_t *mutex) { return mutex->__data.__kind & KINDS; }

static int our_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
    int failed = pthread_mutex_init(mutex, attributes);
    fresh(mutex, 0);
    return failed;
}
static int our_mutex_destroy(pthread_mutex_t *mutex)
{
    fresh(mutex, 0);
    return 0;
}
static int our_mutex_lock(pthread_mutex_t *mutex) { return take(mutex_at(mutex), kind_of(mutex), PC); }
static int our_mutex_trylock(pthread_mutex_t *mutex) { return try(mutex_at(mutex), kind_of(mutex), PC); }
static int our_mutex_timedlock(pthread_mutex_t *mutex, const void *until)
{
    (void)until;
    return take(mutex_at(mutex), kind_of(mutex), PC);
}
static int our_mutex_unlock(pthread_mutex_t *mutex) { return give(mutex, PC); }

static int our_spin_init(pthread_spinlock_t *spin, int how)
{
    (void)how;
    *spin = 0;
    fresh((void *)spin, 0);
    return 0;
}
static int our_spin_destroy(pthread_spinlock_t *spin)
{
    fresh((void *)spin, 0);
    return 0;
}
static int our_spin_lock(pthread_spinlock_t *spin) { return take((void *)spin, 0, PC); }
static int our_spin_trylock(pthread_spinlock_t *spin) { return try((void *)spin, 0, PC); }
static int our_spin_unlock(pthread_spinlock_t *spin) { return give((void *)spin, PC); }

static int our_mtx_init(mtx_t *mutex, int kind)
{
    memset(mutex, 0, sizeof *mutex);
    fresh(mutex, kind & mtx_recursive ? RECURSIVE : 0);
    return thrd_success;
}
static void our_mtx_destroy(mtx_t *mutex) { fresh(mutex, 0); }
static int our_mtx_lock(mtx_t *mutex) { return take(mutex, lock_at(mutex)->kind, PC) ? thrd_error : thrd_success; }
static int our_mtx_trylock(mtx_t *mutex) { return try(mutex, lock_at(mutex)->kind, PC) ? thrd_busy : thrd_success; }
static int our_mtx_unlock(mtx_t *mutex) { return give(mutex, PC) ? thrd_error : thrd_success; }

/* Locks for reading and writing. */

static int our_rwlock_init(pthread_rwlock_t *lock, const void *attributes)
{
    (void)attributes;
    memset(lock, 0, sizeof *lock);
    fresh(lock, 0);
    return 0;
}
static int our_rwlock_destroy(pthread_rwlock_t *lock)
{
    fresh(lock, 0);
    return 0;
}
static int our_wrlock(pthread_rwlock_t *lock) { return take(lock, 0, PC); }
static int our_trywrlock(pthread_rwlock_t *lock) { return try(lock, 0, PC); }

static int our_rdlock(pthread_rwlock_t *lock)
{
    wait_until(K_READ_LOCK, (uintptr_t)lock, PC, has_no_writer);
    lock_at(lock)->readers |= 1u << me();
    clock_acquire((uintptr_t)lock);
    return 0;
}

static int our_tryrdlock(pthread_rwlock_t *lock)
{
    arrive(K_TRYLOCK, (uintptr_t)lock, PC);
    if (lock_at(lock)->owner != NOBODY)
        return EBUSY;
    lock_at(lock)->readers |= 1u << me();
    clock_acquire((uintptr_t)lock);
    return 0;
}

/* Readers release to later writers too: their accesses come before. */
static int our_rwunlock(pthread_rwlock_t *lock)
{
    struct lock *found = lock_at(lock);
    if (!(found->readers >> me() & 1))
        return give(lock, PC);
    arrive(K_UNLOCK, (uintptr_t)lock, PC);
    found->readers &= ~(1u << me());
    clock_release((uintptr_t)lock);
    someone_wrote((uintptr_t)lock, 1);
    return 0;
}

/* Conditions: signals go to whoever has waited longest. */

static struct {
    void *mutex;
    int timed;
} waits[MOST_THREADS];

static int is_signalled(struct thread *one)
{
    struct lock *condition = lock_at((void *)one->target);
    return (condition->signalled >> one->number & 1 || waits[one->number].timed)
           && lock_at(waits[one->number].mutex)->owner == NOBODY;
}

int condition_wait(void *at, void *mutex, int timed, uintptr_t pc)
{
    give(mutex, pc);
    struct lock *condition = lock_at(at);
    condition->waiters[condition->waiting++] = me();
    waits[me()].mutex = mutex, waits[me()].timed = timed;
    wait_until(K_COND_WAIT, (uintptr_t)at, pc, is_signalled);
    int was = condition->signalled >> me() & 1;
    condition->signalled &= ~(1u << me());
    if (was) {
        clock_acquire((uintptr_t)at);
    } else {
        int kept = 0;
        for (int i = 0; i < condition->waiting; i++)
            if (condition->waiters[i] != me())
                condition->waiters[kept++] = condition->waiters[i];
        condition->waiting = kept;
    }
    own(lock_at(mutex));
    return was ? 0 : ETIMEDOUT;
}

int condition_signal(void *at, int all, uintptr_t pc)
{
    struct lock *condition = lock_at(at);
    arrive(K_SIGNAL, (uintptr_t)at, pc);
    clock_release((uintptr_t)at);
    while (condition->waiting > 0) {
        condition->signalled |= 1u << condition->waiters[0];
        memmove(condition->waiters, condition->waiters + 1, sizeof(int) * (size_t)--condition->waiting);
        if (!all)
            break;
    }
    someone_wrote((uintptr_t)at, 1);
    return 0;
}

static int our_cond_init(void *condition, const void *attributes)
{
    (void)attributes;
    memset(condition, 0, sizeof(pthread_cond_t));
    fresh(condition, 0);
    return 0;
}
static int our_cond_destroy(void *condition)
{
    fresh(condition, 0);
    return 0;
}
static int our_cond_wait(void *condition, void *mutex) { return condition_wait(condition, mutex, 0, PC); }
static int our_cond_timedwait(void *condition, void *mutex, const void *until)
{
    (void)until;
    return condition_wait(condition, mutex, 1, PC);
}
static int our_cond_clockwait(void *condition, void *mutex, clockid_t clock, const void *until)
{
    (void)clock, (void)until;
    return condition_wait(condition, mutex, 1, PC);
}
static int our_cond_signal(void *condition) { return condition_signal(condition, 0, PC); }
static int our_cond_broadcast(void *condition) { return condition_signal(condition, 1, PC); }

/* What is done once. */

enum { UNTOUCHED, UNDER_WAY, DONE };

static int is_not_under_way(struct thread *one) { return lock_at((void *)one->target)->count != UNDER_WAY; }

static int begin_once(void *at, uintptr_t pc)
{
    struct lock *once = lock_at(at);
    wait_until(K_ONCE, (uintptr_t)at, pc, is_not_under_way);
    if (once->count == DONE)
        return clock_acquire((uintptr_t)at), 0;
    once->count = UNDER_WAY, once->is_once = 1;
    return 1;
}

static void end_once(void *at, int how)
{
    lock_at(at)->count = how;
    clock_release((uintptr_t)at);
    someone_wrote((uintptr_t)at, 1);
}

/* As the C library has it, by the generation of forks. */
void forget_once(void)
{
    for (int i = 0; i < LOCKS; i++)
        if (locks[i].is_once && locks[i].count == UNDER_WAY)
            locks[i].count = UNTOUCHED;
}

static int our_once(pthread_once_t *once, void (*routine)(void))
{
    if (begin_once(once, PC)) {
        routine();
        end_once(once, DONE);
    }
    return 0;
}
static void our_call_once(once_flag *once, void (*routine)(void)) { our_once((pthread_once_t *)once, routine); }

static int our_guard_acquire(uint8_t *guard) { return *guard ? 0 : begin_once(guard, PC); }
static void our_guard_release(uint8_t *guard)
{
    store_byte(guard, 1, PC);
    end_once(guard, DONE);
}
static void our_guard_abort(uint8_t *guard) { end_once(guard, UNTOUCHED); }

/* Semaphores and barriers. */

static int is_positive(struct thread *one) { return lock_at((void *)one->target)->count > 0; }

static int our_sem_init(sem_t *sem, int how, unsigned value)
{
    (void)how;
    fresh(sem, 0)->count = (int)value;
    return 0;
}
static int our_sem_destroy(sem_t *sem)
{
    fresh(sem, 0);
    return 0;
}

static int our_sem_wait(sem_t *sem)
{
    wait_until(K_BARRIER, (uintptr_t)sem, PC, is_positive);
    lock_at(sem)->count--;
    clock_acquire((uintptr_t)sem);
    return 0;
}

static int our_sem_trywait(sem_t *sem)
{
    arrive(K_TRYLOCK, (uintptr_t)sem, PC);
    if (lock_at(sem)->count <= 0)
        return errno = EAGAIN, -1;
    lock_at(sem)->count--;
    clock_acquire((uintptr_t)sem);
    return 0;
}

static int our_sem_post(sem_t *sem)
{
    arrive(K_SIGNAL, (uintptr_t)sem, PC);
    lock_at(sem)->count++;
    clock_release((uintptr_t)sem);
    someone_wrote((uintptr_t)sem, 1);
    return 0;
}

static int our_barrier_init(pthread_barrier_t *barrier, const void *attributes, unsigned count)
{
    (void)attributes;
    fresh(barrier, 0)->count = (int)count;
    return 0;
}
static int our_barrier_destroy(pthread_barrier_t *barrier)
{
    fresh(barrier, 0);
    return 0;
}

static int is_past(struct thread *one)
{
    struct lock *barrier = lock_at((void *)one->target);
    return barrier->inside[one->number] != (uint32_t)barrier->generation;
}

static int our_barrier_wait(pthread_barrier_t *at)
{
    struct lock *barrier = lock_at(at);
    arrive(K_SIGNAL, (uintptr_t)at, PC);
    clock_release((uintptr_t)at);
    barrier->inside[me()] = (uint32_t)barrier->generation;
    int is_last = ++barrier->waiting == barrier->count;
    if (is_last)
        barrier->waiting = 0, barrier->generation++;
    someone_wrote((uintptr_t)at, 1);
    wait_until(K_BARRIER, (uintptr_t)at, PC, is_past);
    clock_acquire((uintptr_t)at);
    return is_last ? PTHREAD_BARRIER_SERIAL_THREAD : 0;
}

/* Threads of the target's own. */

int create_thread(pthread_t *made, void *(*start)(void *), void *argument, uintptr_t pc)
{
    arrive(K_CREATE, FORK_OBJECT, pc);
    struct thread *thread = start_thread(-1, start, argument);
    clock_fork(thread);
    *made = thread->self;
    someone_wrote((uintptr_t)made, sizeof *made);
    return 0;
}

static int our_create(pthread_t *made, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    (void)attributes;
    return create_thread(made, start, argument, PC);
}

static int has_ended(struct thread *one) { return !((struct thread *)one->target)->live; }

int join_thread(pthread_t which, void **answer, uintptr_t pc)
{
    struct thread *thread = threads;
    while (thread < threads + HUB && (thread->start == NULL || !pthread_equal(thread->self, which)))
        thread++;
    if (thread == threads + HUB)
        return ESRCH;
    wait_until(K_JOIN, (uintptr_t)thread, pc, has_ended);
    clock_join(thread);
    if (answer != NULL)
        *answer = thread->answer;
    return 0;
}

static int our_join(pthread_t which, void **answer) { return join_thread(which, answer, PC); }

static int our_detach(pthread_t which)
{
    (void)which;
    return 0;
}

static int our_yield(void)
{
    be_shy(0);
    arrive(K_YIELD, FORK_OBJECT, PC);
    return 0;
}
static void our_thrd_yield(void) { our_yield(); }
static int our_sleep(const void *how, void *left)
{
    (void)how, (void)left;
    return our_yield();
}
static unsigned our_sleep_seconds(unsigned seconds)
{
    (void)seconds;
    our_yield();
    return 0;
}

int interpose_sync(void *handle)
{
    static const struct replacement ours[] = {
        {"pthread_mutex_init", our_mutex_init},
        {"pthread_mutex_destroy", our_mutex_destroy},
        {"pthread_mutex_lock", our_mutex_lock},
        {"pthread_mutex_trylock", our_mutex_trylock},
        {"pthread_mutex_timedlock", our_mutex_timedlock},
        {"pthread_mutex_unlock", our_mutex_unlock},
        {"pthread_spin_init", our_spin_init},
        {"pthread_spin_destroy", our_spin_destroy},
        {"pthread_spin_lock", our_spin_lock},
        {"pthread_spin_trylock", our_spin_trylock},
        {"pthread_spin_unlock", our_spin_unlock},
        {"mtx_init", our_mtx_init},
        {"mtx_destroy", our_mtx_destroy},
        {"mtx_lock", our_mtx_lock},
        {"mtx_trylock", our_mtx_trylock},
        {"mtx_unlock", our_mtx_unlock},
        {"pthread_rwlock_init", our_rwlock_init},
        {"pthread_rwlock_destroy", our_rwlock_destroy},
        {"pthread_rwlock_wrlock", our_wrlock},
        {"pthread_rwlock_trywrlock", our_trywrlock},
        {"pthread_rwlock_rdlock", our_rdlock},
        {"pthread_rwlock_tryrdlock", our_tryrdlock},
        {"pthread_rwlock_unlock", our_rwunlock},
        {"pthread_cond_init", our_cond_init},
        {"pthread_cond_destroy", our_cond_destroy},
        {"pthread_cond_wait", our_cond_wait},
        {"pthread_cond_timedwait", our_cond_timedwait},
        {"pthread_cond_clockwait", our_cond_clockwait},
        {"pthread_cond_signal", our_cond_signal},
        {"pthread_cond_broadcast", our_cond_broadcast},
        {"cnd_init", our_cond_init},
        {"cnd_destroy", our_cond_destroy},
        {"cnd_wait", our_cond_wait},
        {"cnd_timedwait", our_cond_timedwait},
        {"cnd_signal", our_cond_signal},
        {"cnd_broadcast", our_cond_broadcast},
        {"pthread_once", our_once},
        {"call_once", our_call_once},
        {"__cxa_guard_acquire", our_guard_acquire},
        {"__cxa_guard_release", our_guard_release},
        {"__cxa_guard_abort", our_guard_abort},
        {"sem_init", our_sem_init},
        {"sem_destroy", our_sem_destroy},
        {"sem_wait", our_sem_wait},
        {"sem_trywait", our_sem_trywait},
        {"sem_post", our_sem_post},
        {"pthread_barrier_init", our_barrier_init},
        {"pthread_barrier_destroy", our_barrier_destroy},
        {"pthread_barrier_wait", our_barrier_wait},
        {"pthread_create", our_create},
        {"pthread_join", our_join},
        {"pthread_detach", our_detach},
        {"sched_yield", our_yield},
        {"pthread_yield", our_yield},
        {"thrd_yield", our_thrd_yield},
        {"nanosleep", our_sleep},
        {"thrd_sleep", our_sleep},
        {"usleep", our_sleep_seconds},
        {"sleep", our_sleep_seconds},
    };
    return interpose(handle, ours, sizeof ours / sizeof *ours);
}
