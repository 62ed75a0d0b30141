/* Free lists by size under one lock, memory of the system under another. Each FAULT_ is one that is planted. */
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

enum { CLASSES = 64, CHUNK = 1 << 14 };
typedef struct block {
    size_t size;
    struct block *next;
} block;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, grow_lock = PTHREAD_MUTEX_INITIALIZER;
static block *lists[CLASSES];
static _Alignas(16) char pool[CHUNK];
static char *top, *limit;
static size_t used_blocks;
static atomic_int ready;
static int plain_ready;

static void start(void)
{
    top = pool;
    limit = top + CHUNK;
}

static void make_ready(void)
{
#if defined FAULT_DOUBLE_CHECKED
    if (plain_ready)
        return;
#else
    if (atomic_load_explicit(&ready, memory_order_acquire))
        return;
#endif
    pthread_mutex_lock(&grow_lock);
#if defined FAULT_DONE_TWICE
    start();
#else
    if (top == NULL)
        start();
#endif
    plain_ready = 1;
    atomic_store_explicit(&ready, 1, memory_order_release);
    pthread_mutex_unlock(&grow_lock);
}

static block *carve(size_t total)
{
#if !defined FAULT_GROWS_UNLOCKED
    pthread_mutex_lock(&grow_lock);
#endif
    if ((size_t)(limit - top) < total) {
        size_t more = total > CHUNK ? total : CHUNK;
        char *got = sbrk((intptr_t)more);
        if (got != limit)
            top = got;
        limit = got + more;
    }
    block *made = (block *)top;
    top += total;
#if !defined FAULT_GROWS_UNLOCKED
    pthread_mutex_unlock(&grow_lock);
#endif
    made->size = total;
    return made;
}

static unsigned class_of(size_t total) { return total / 16 < CLASSES - 1 ? (unsigned)(total / 16) : CLASSES - 1; }

static block *fitting(unsigned class, size_t total)
{
    for (block *at = lists[class]; at != NULL; at = at->next)
        if (at->size >= total)
            return at;
    return NULL;
}

static void claim(unsigned class, block *wanted)
{
    for (block **at = &lists[class]; *at != NULL; at = &(*at)->next)
        if (*at == wanted) {
            *at = wanted->next;
            return;
        }
}

void *locked_malloc(size_t size)
{
    make_ready();
    size_t total = (size + sizeof(block) + 15) & ~(size_t)15;
    unsigned class = class_of(total);
#if defined FAULT_LIST_READ_BEFORE_LOCK
    block *found = fitting(class, total);
    pthread_mutex_lock(&lock);
#else
    pthread_mutex_lock(&lock);
    block *found = fitting(class, total);
#endif
#if defined FAULT_CLAIMED_LATER
    pthread_mutex_unlock(&lock);
    pthread_mutex_lock(&lock);
#endif
    if (found != NULL)
        claim(class, found);
#if defined FAULT_LOST_UNLOCK
    if (found == NULL)
        return carve(total) + 1;
#endif
#if !defined FAULT_COUNTED_OUTSIDE
    used_blocks++;
#endif
#if defined FAULT_LOCK_ORDER
    if (found == NULL)
        found = carve(total);
#endif
    pthread_mutex_unlock(&lock);
#if defined FAULT_COUNTED_OUTSIDE
    used_blocks++;
#endif
    return (found != NULL ? found : carve(total)) + 1;
}

void locked_free(void *payload)
{
    if (payload == NULL)
        return;
    block *freed = (block *)payload - 1;
#if defined FAULT_LOCK_ORDER
    pthread_mutex_lock(&grow_lock);
#endif
#if defined FAULT_WRONG_LOCK
    pthread_mutex_lock(&grow_lock);
#else
    pthread_mutex_lock(&lock);
#endif
#if defined FAULT_RELOCK
    pthread_mutex_lock(&lock);
#endif
    freed->next = lists[class_of(freed->size)];
    lists[class_of(freed->size)] = freed;
    used_blocks--;
#if defined FAULT_WRONG_LOCK
    pthread_mutex_unlock(&grow_lock);
#else
    pthread_mutex_unlock(&lock);
#endif
#if defined FAULT_STRANGER_UNLOCK
    pthread_mutex_unlock(&lock);
#endif
#if defined FAULT_LOCK_ORDER
    pthread_mutex_unlock(&grow_lock);
#endif
}
