/* libc's malloc under a lock that is owned across fork, to be preloaded. */

#include <pthread.h>
#include <stddef.h>

void *__libc_malloc(size_t size);
void __libc_free(void *p);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void take(void) { pthread_mutex_lock(&mutex); }
static void give(void) { pthread_mutex_unlock(&mutex); }

__attribute__((constructor)) static void start(void) { pthread_atfork(take, give, give); }

void *malloc(size_t size)
{
    take();
    void *p = __libc_malloc(size);
    give();
    return p;
}

void free(void *p)
{
    take();
    __libc_free(p);
    give();
}

void *calloc(size_t count, size_t size)
{
    take();
    void *p = __libc_calloc(count, size);
    give();
    return p;
}

void *realloc(void *old, size_t size)
{
    take();
    void *p = __libc_realloc(old, size);
    give();
    return p;
}
