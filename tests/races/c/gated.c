/* Small blocks under a lock of a futex; larger ones behind a gate of a mutex and a condition. */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SMALL = 64, POOL = 1 << 21 };
typedef struct block {
    size_t size;
    struct block *next;
} block;
typedef struct list {
    block *first;
    char *pool;
    size_t used;
} list;

static _Alignas(16) char pools[2][POOL];
static list small = {.pool = pools[0]}, others = {.pool = pools[1]};
static atomic_int word; /* 0 free, 1 taken, 2 taken and waited for */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opens = PTHREAD_COND_INITIALIZER;
static int is_shut;

/* Drepper, "Futexes are tricky", section 5. */
static void lock(void)
{
    int was = 0;
    if (atomic_compare_exchange_strong(&word, &was, 1))
        return;
#if defined FAULT_WAITERS_FORGOTTEN
    while (was != 0) { /* who comes back from its wait forgets that others wait, too */
        if (was == 2 || atomic_compare_exchange_strong(&word, &was, 2))
            syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
        was = 0;
        atomic_compare_exchange_strong(&word, &was, 1);
    }
#else
    if (was != 2)
        was = atomic_exchange(&word, 2);
    while (was != 0) {
        syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
        was = atomic_exchange(&word, 2);
    }
#endif
}

static void unlock(void)
{
#if defined FAULT_WAKES_TOO_EARLY
    if (atomic_load(&word) == 2)
        syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    atomic_store(&word, 0);
#elif defined FAULT_WAKES_NOBODY
    atomic_store(&word, 0);
#else
    if (atomic_exchange(&word, 0) == 2)
        syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
#endif
}

static void enter(void)
{
    pthread_mutex_lock(&mutex);
#if defined FAULT_NOT_LOOKED_AT_AGAIN
    if (is_shut)
        pthread_cond_wait(&opens, &mutex);
#elif defined FAULT_LOOKED_AT_OUTSIDE
    int was_shut = is_shut;
    pthread_mutex_unlock(&mutex);
    pthread_mutex_lock(&mutex);
    if (was_shut)
        pthread_cond_wait(&opens, &mutex);
#else
    while (is_shut)
        pthread_cond_wait(&opens, &mutex);
#endif
    is_shut = 1;
    pthread_mutex_unlock(&mutex);
}

static void leave(void)
{
    pthread_mutex_lock(&mutex);
    is_shut = 0;
    pthread_mutex_unlock(&mutex);
#if !defined FAULT_SIGNALS_NOBODY
    pthread_cond_signal(&opens);
#endif
}

static void *take(list *from, size_t total)
{
    block **at = &from->first, *found;
    while (*at != NULL && (*at)->size < total)
        at = &(*at)->next;
    if ((found = *at) != NULL) {
        *at = found->next;
    } else if (POOL - from->used >= total) {
        found = (block *)(from->pool + from->used);
        from->used += total;
        found->size = total;
    }
    return found != NULL ? found + 1 : NULL;
}

static void put(list *to, block *freed)
{
    freed->next = to->first;
    to->first = freed;
}

void *gated_malloc(size_t size)
{
    size_t total = (size + sizeof(block) + 15) & ~(size_t)15;
    int is_small = size <= SMALL;
    is_small ? lock() : enter();
    void *given = take(is_small ? &small : &others, total);
    is_small ? unlock() : leave();
    return given;
}

void gated_free(void *payload)
{
    if (payload == NULL)
        return;
    block *freed = (block *)payload - 1;
    int is_small = (char *)freed < pools[1];
    is_small ? lock() : enter();
    put(is_small ? &small : &others, freed);
    is_small ? unlock() : leave();
}
