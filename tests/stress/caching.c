/* A correct malloc with a cache for each thread, to be preloaded, or one with the fault of a name. */

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum { CLASSES = 20, KEEP = 32, PIECE = 1 << 16, RECORD = 4096, SMALL = 1 << 16, SLOW = 8 };

struct cell {
    struct cell *next;
};
struct cache {
    struct cache *next;
    struct cell *lists[CLASSES];
    unsigned counts[CLASSES];
};
union header {
    struct {
        size_t kind, bytes;
        struct cache *owner;
    };
    char room[32];
};

static pthread_mutex_t small = PTHREAD_MUTEX_INITIALIZER, big = PTHREAD_MUTEX_INITIALIZER;
static struct cell *central[CLASSES];
static struct cache *idle;
static char *at, *end;
static __thread struct cache *mine __attribute__((tls_model("initial-exec")));
static pthread_key_t key;

static void *pages(size_t bytes)
{
    void *fresh = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return fresh == MAP_FAILED ? NULL : fresh;
}

static size_t class_of(size_t size)
{
    size_t kind = 0;
    while ((size_t)64 << kind < size + sizeof(union header))
        kind++;
    return kind;
}

/* Requires: the lock. */
static void push(struct cell **list, void *block) { *(struct cell *)block = (struct cell){*list}, *list = block; }

static void *pull(struct cell **list)
{
    struct cell *first = *list;
    if (first)
        *list = first->next;
    return first;
}

/* All but `most` blocks of a kind go back. */
static void flush(struct cache *cache, size_t kind, unsigned most)
{
    pthread_mutex_lock(&small);
    for (; cache->counts[kind] > most; cache->counts[kind]--)
        push(&central[kind], pull(&cache->lists[kind]));
    pthread_mutex_unlock(&small);
}

static void leave(void *value)
{
    struct cache *cache = value;
    for (size_t kind = 0; kind < CLASSES; kind++)
        flush(cache, kind, 0);
#ifdef LEAVES_A_DEAD_CACHE
    munmap(cache, RECORD); /* and `mine` still leads to it */
    return;
#endif
    mine = NULL;
#ifndef FORGETS_RECORDS
    pthread_mutex_lock(&small);
    cache->next = idle, idle = cache;
    pthread_mutex_unlock(&small);
#endif
}

static struct cache *my(void)
{
    if (mine)
        return mine;
    pthread_mutex_lock(&small);
    if ((mine = idle))
        idle = mine->next;
    pthread_mutex_unlock(&small);
    if (!mine)
        mine = pages(RECORD);
    if (mine)
        pthread_setspecific(key, mine);
    return mine;
}

static void lock_all(void)
{
    pthread_mutex_lock(&small);
#ifndef FORGETS_THE_BIG_LOCK
    pthread_mutex_lock(&big);
#endif
}

static void unlock_all(void)
{
#ifndef FORGETS_THE_BIG_LOCK
    pthread_mutex_unlock(&big);
#endif
    pthread_mutex_unlock(&small);
}

__attribute__((constructor)) static void start(void)
{
    pthread_key_create(&key, leave);
    pthread_atfork(lock_all, unlock_all, unlock_all);
}

#ifdef ENDS_BEFORE_OTHERS
__attribute__((destructor)) static void stop(void)
{
    mine = NULL;
    for (size_t kind = 0; kind < CLASSES; kind++)
        central[kind] = (struct cell *)8;
}
#endif

static union header *carve(size_t kind)
{
    size_t bytes = (size_t)64 << kind;
    pthread_mutex_lock(&small);
    union header *block = pull(&central[kind]);
    if (!block && (size_t)(end - at) < bytes)
        end = (at = pages(PIECE > bytes ? PIECE : bytes)) ? at + (PIECE > bytes ? PIECE : bytes) : NULL;
    if (!block && at)
        block = (void *)at, at += bytes;
    pthread_mutex_unlock(&small);
    return block;
}

static void *map_big(size_t size)
{
    size_t bytes = (size + sizeof(union header) + 4095) & ~(size_t)4095;
    pthread_mutex_lock(&big);
    union header *block = pages(bytes);
    for (int i = 0; block && i < SLOW; i++)
        memset(block, 0, bytes);
    if (block)
        block->kind = CLASSES, block->bytes = bytes;
    pthread_mutex_unlock(&big);
    return block ? block + 1 : NULL;
}

void *malloc(size_t size)
{
    if (size > SMALL)
        return map_big(size);
    size_t kind = class_of(size);
    struct cache *cache = my();
#ifdef TRIMS_AS_IT_ALLOCATES
    for (size_t each = 0; each < CLASSES; each++)
        if (cache->counts[each] > KEEP)
            flush(cache, each, KEEP);
#endif
    union header *block = pull(&cache->lists[kind]);
    if (block)
        cache->counts[kind]--;
    else
        block = carve(kind);
    if (!block)
        return errno = ENOMEM, NULL;
    block->kind = kind, block->bytes = (size_t)64 << kind, block->owner = cache;
    return block + 1;
}

void free(void *p)
{
    union header *block = (union header *)p - 1;
    if (!p)
        return;
    if (block->kind == CLASSES) {
        pthread_mutex_lock(&big);
        munmap(block, block->bytes);
        pthread_mutex_unlock(&big);
        return;
    }
    struct cache *cache = my();
#ifdef LOSES_WHAT_OTHERS_FREE
    if (block->owner != cache)
        return;
#endif
    size_t kind = block->kind;
    push(&cache->lists[kind], block);
    cache->counts[kind]++;
#ifndef TRIMS_AS_IT_ALLOCATES
    if (cache->counts[kind] > KEEP)
        flush(cache, kind, KEEP / 2);
#endif
}

void *calloc(size_t count, size_t size)
{
    void *p = malloc(count * size);
    return p ? memset(p, 0, count * size) : NULL;
}

void *realloc(void *p, size_t size)
{
    size_t old = p ? ((union header *)p - 1)->bytes - sizeof(union header) : 0;
    void *fresh = p && size <= old ? p : malloc(size);
    if (p && fresh && fresh != p) {
        memcpy(fresh, p, old);
        free(p);
    }
    return fresh;
}
