/* Conditions, what is done once, semaphores and barriers, answered by the scheduler: nobody really waits. */
#define _GNU_SOURCE
#include <errno.h>
#include <semaphore.h>
#include <string.h>
#include <threads.h>

#include "locks.h"

#define PC ((uintptr_t)__builtin_return_address(0))

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
    arrive(K_TRY_LOCK, (uintptr_t)sem, PC);
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

int interpose_waits(void *handle)
{
    static const struct replacement ours[] = {
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
    };
    return interpose(handle, ours, sizeof ours / sizeof *ours);
}
