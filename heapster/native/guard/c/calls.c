/* The calls of malloc's family: guarded, or handed on to the allocator that is loaded behind us. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guard.h"

enum { EARLY_BYTES = 1 << 16 };

HIDDEN __thread int guard_busy __attribute__((tls_model("initial-exec")));

static struct {
    void *(*malloc)(size_t);
    void (*free)(void *);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*memalign)(size_t, size_t);
    size_t (*usable_size)(void *);
} next;

static _Alignas(16) char early[EARLY_BYTES]; /* for whoever asks while these are looked for; never given back */
static size_t early_used;
static unsigned long sample = 1, asked;
static unsigned long handed_on; /* live blocks of the next allocator, as far as they come from here */
static int finding, ready;

static int is_early(const void *p) { return (const char *)p >= early && (const char *)p < early + EARLY_BYTES; }

static void *take_early(size_t size)
{
    size_t at = __atomic_fetch_add(&early_used, (size + 2 * ALIGN - 1) & ~(size_t)(ALIGN - 1), __ATOMIC_RELAXED);
    if (size > EARLY_BYTES || at + size + ALIGN > EARLY_BYTES)
        return NULL;
    *(size_t *)(early + at) = size;
    return early + at + ALIGN;
}

static void find_next(void)
{
    finding = 1;
    next.calloc = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
    next.realloc = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
    next.memalign = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "memalign");
    next.usable_size = (size_t(*)(void *))dlsym(RTLD_NEXT, "malloc_usable_size");
    next.free = (void (*)(void *))dlsym(RTLD_NEXT, "free");
    next.malloc = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
    finding = 0;
}

/* Whether the next allocator may be asked. */
static int is_found(void)
{
    if (!next.malloc && !finding)
        find_next();
    return next.malloc != NULL;
}

__attribute__((constructor)) static void start(void)
{
    const char *wanted = getenv("HEAPSTER_GUARD_SAMPLE");
    if (wanted && atol(wanted) > 0)
        sample = (unsigned long)atol(wanted);
    is_found();
    guard_watch_faults();
    ready = 1;
}

__attribute__((destructor)) static void finish(void) { guard_sum_up(); }

/* A guarded block if it is this one's turn and there is a slot; else NULL. */
static void *take_guarded(size_t size, size_t alignment)
{
    if (!ready || guard_busy || size > PTRDIFF_MAX
        || (sample > 1 && __atomic_fetch_add(&asked, 1, __ATOMIC_RELAXED) % sample))
        return NULL;
    guard_busy++;
    void *p = guard_take(size, alignment < ALIGN ? ALIGN : alignment);
    if (!p)
        guard_passed();
    guard_busy--;
    return p;
}

/* A block of the next allocator, counted. */
static void *counted(void *p)
{
    if (p)
        __atomic_fetch_add(&handed_on, 1, __ATOMIC_RELAXED);
    return p;
}

/* Tells and ends the program if the next allocator has no block that `p` could be. */
static void expect_handed_on(void *p, const char *what)
{
    struct trace now;
    if (ready && !__atomic_load_n(&handed_on, __ATOMIC_RELAXED)) {
        guard_trace(&now);
        guard_tell(what, (uintptr_t)p, NULL, &now);
    }
}

void *malloc(size_t size)
{
    void *p = take_guarded(size, ALIGN);
    if (p)
        return p;
    return is_found() ? counted(next.malloc(size)) : take_early(size);
}

void free(void *p)
{
    if (!p || is_early(p))
        return;
    if (guard_owns(p)) {
        guard_give(p);
        return;
    }
    expect_handed_on(p, "free of an invalid pointer");
    __atomic_fetch_sub(&handed_on, 1, __ATOMIC_RELAXED);
    next.free(p);
}

void *calloc(size_t count, size_t each)
{
    size_t size;
    if (__builtin_mul_overflow(count, each, &size)) {
        errno = ENOMEM;
        return NULL;
    }
    void *p = take_guarded(size, ALIGN);
    if (p)
        return p; /* its pages are new */
    return is_found() ? counted(next.calloc(count, each)) : take_early(size);
}

static size_t usable(void *p, const char *call)
{
    if (is_early(p))
        return *(size_t *)((char *)p - ALIGN);
    if (guard_owns(p))
        return guard_expect(p, call)->size;
    expect_handed_on(p, "use of an invalid pointer");
    return next.usable_size(p);
}

void *realloc(void *p, size_t size)
{
    if (!p)
        return malloc(size);
    if (!size) {
        usable(p, "realloc");
        free(p);
        return NULL;
    }
    if (!guard_owns(p) && !is_early(p) && sample > 1)
        return next.realloc(p, size);
    size_t old = usable(p, "realloc");
    void *q = malloc(size);
    if (q) {
        memcpy(q, p, old < size ? old : size);
        free(p);
    }
    return q;
}

void *reallocarray(void *p, size_t count, size_t each)
{
    size_t size;
    if (!__builtin_mul_overflow(count, each, &size))
        return realloc(p, size);
    errno = ENOMEM;
    return NULL;
}

void *memalign(size_t alignment, size_t size)
{
    if (!alignment || alignment & (alignment - 1)) {
        errno = EINVAL;
        return NULL;
    }
    void *p = take_guarded(size, alignment);
    if (p)
        return p;
    return is_found() ? counted(next.memalign(alignment, size)) : NULL;
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **out, size_t alignment, size_t size)
{
    if (!alignment || alignment & (alignment - 1) || alignment % sizeof(void *))
        return EINVAL;
    int kept = errno;
    void *p = memalign(alignment, size);
    errno = kept;
    if (!p)
        return ENOMEM;
    *out = p;
    return 0;
}

void *valloc(size_t size) { return memalign(PAGE, size); }

void *pvalloc(size_t size)
{
    if (size > (size_t)-1 - PAGE) {
        errno = ENOMEM;
        return NULL;
    }
    return memalign(PAGE, (size + PAGE - 1) & ~(size_t)(PAGE - 1));
}

size_t malloc_usable_size(void *p) { return p ? usable(p, "malloc_usable_size") : 0; }

void free_sized(void *p, size_t size)
{
    (void)size;
    free(p);
}

void free_aligned_sized(void *p, size_t alignment, size_t size)
{
    (void)alignment, (void)size;
    free(p);
}
