/* A cache for each thread, given back by a key's destructor as the thread ends; the central list is under a lock. */
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { KEPT = 4, PAGE = 1 << 16 };
typedef struct block {
    size_t size;
    struct block *next;
} block;
typedef struct cache {
    block *first;
    unsigned count;
    struct cache *next;
} cache;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static block *central;
static cache *spare;
static char *top, *limit;
#if defined FAULT_TORN_DOWN_AT_EXIT
static void *mapped;
#endif
static _Thread_local cache *mine;

static void flush(cache *of)
{
    pthread_mutex_lock(&lock);
    for (block *at = of->first, *next; at != NULL; at = next) {
        next = at->next;
        at->next = central;
        central = at;
    }
    pthread_mutex_unlock(&lock);
#if !defined FAULT_FLUSHED_TWICE
    of->first = NULL;
    of->count = 0;
#endif
}

static void end(void *given)
{
    cache *ended = given;
#if defined FAULT_GIVEN_AWAY_BEFORE_FLUSH
    pthread_mutex_lock(&lock);
    ended->next = spare;
    spare = ended;
    pthread_mutex_unlock(&lock);
    flush(ended);
#else
#if defined FAULT_CACHE_LOST_AT_END
    mine = NULL;
    return;
#endif
    flush(ended);
#if defined FAULT_FLUSHED_TWICE
    flush(ended);
#endif
    pthread_mutex_lock(&lock);
    ended->next = spare;
    spare = ended;
    pthread_mutex_unlock(&lock);
#endif
#if !defined FAULT_CACHE_USED_AFTER_END
    mine = NULL;
#endif
}

static void before_fork(void)
{
#if !defined FAULT_FORK_WITHOUT_LOCK
    pthread_mutex_lock(&lock);
#endif
}
static void after_fork(void)
{
#if !defined FAULT_FORK_WITHOUT_LOCK
    pthread_mutex_unlock(&lock);
#endif
}
static void nothing(void) {}

static void stop(void)
{
#if defined FAULT_TORN_DOWN_AT_EXIT
    central = NULL;
    top = limit = (char *)16;
    munmap(mapped, PAGE);
#endif
}

static void start(void)
{
    pthread_key_create(&key, end);
    atexit(stop);
#if defined FAULT_CHILD_KEEPS_LOCK
    pthread_atfork(before_fork, after_fork, nothing);
#elif defined FAULT_PARENT_KEEPS_LOCK
    pthread_atfork(before_fork, nothing, after_fork);
#else
    pthread_atfork(before_fork, after_fork, after_fork);
#endif
}

static void *carve(size_t total)
{
    if ((size_t)(limit - top) < total) {
        size_t more = total > PAGE ? total : PAGE;
        top = mmap(NULL, more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        limit = top + more;
#if defined FAULT_TORN_DOWN_AT_EXIT
        mapped = top;
#endif
    }
    void *made = top;
    top += total;
    return made;
}

static cache *my_cache(void)
{
    pthread_once(&once, start);
    if (mine != NULL)
        return mine;
    pthread_mutex_lock(&lock);
    cache *got = spare;
    if (got != NULL)
        spare = got->next;
    else
        got = carve((sizeof(cache) + 15) & ~(size_t)15);
    pthread_mutex_unlock(&lock);
    pthread_setspecific(key, got);
#if defined FAULT_ONE_CACHE_FOR_ALL
    static cache shared;
    got = &shared;
#endif
    return mine = got;
}

void *cached_malloc(size_t size)
{
    size_t total = (size + sizeof(block) + 15) & ~(size_t)15;
    cache *own = my_cache();
    for (block **at = &own->first; *at != NULL; at = &(*at)->next)
        if ((*at)->size >= total) {
            block *found = *at;
            *at = found->next;
            own->count--;
            return found + 1;
        }
    pthread_mutex_lock(&lock);
    block **at = &central;
    while (*at != NULL && (*at)->size < total)
        at = &(*at)->next;
    block *found = *at;
#if defined FAULT_REFILL_UNLOCKS_TOO_EARLY
    pthread_mutex_unlock(&lock);
    pthread_mutex_lock(&lock);
#endif
    if (found != NULL) {
        *at = found->next;
    } else {
        found = carve(total);
        found->size = total;
    }
    pthread_mutex_unlock(&lock);
    return found + 1;
}

void cached_free(void *payload)
{
    if (payload == NULL)
        return;
    cache *own = my_cache();
    block *freed = (block *)payload - 1;
    freed->next = own->first;
    own->first = freed;
#if defined FAULT_KEPT_AND_GIVEN_BACK
    if (own->count == 0) {
        pthread_mutex_lock(&lock);
        freed->next = central;
        central = freed;
        pthread_mutex_unlock(&lock);
    }
#endif
    if (++own->count > KEPT)
        flush(own);
}
