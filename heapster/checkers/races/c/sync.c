/* Mutexes, spinlocks, and locks for reading and writing of pthread and C11's threads, answered by the scheduler. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <threads.h>

#include "locks.h"

#define PC ((uintptr_t)__builtin_return_address(0))

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
    arrive(K_TRY_LOCK, (uintptr_t)lock, PC);
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

int interpose_locks(void *handle)
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
    };
    return interpose(handle, ours, sizeof ours / sizeof *ours);
}
