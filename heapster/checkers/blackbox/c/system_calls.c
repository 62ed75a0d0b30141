/* What a target asks of the system, and of another allocator, for its memory: done, and entered in the map. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hooks.h"
#include "malloclab/memlib.h"
#include "observing.h"

#define PC ((uintptr_t)__builtin_return_address(0))

static uint64_t pages_of(uint64_t size)
{
    uint64_t page = (uint64_t)getpagesize();
    return (size + page - 1) & ~(page - 1);
}

static void *our_sbrk(intptr_t delta)
{
    char *old = sbrk(delta);
    if (old == (void *)-1)
        return old;
    if (delta > 0)
        observed_gain((uintptr_t)old, (uint64_t)delta, PC);
    else if (delta < 0)
        observed_loss((uintptr_t)old + (uintptr_t)delta, (uint64_t)-delta, PC);
    return old;
}

static int our_brk(void *place)
{
    char *old = sbrk(0);
    int failed = brk(place);
    if (failed == 0 && (char *)place > old)
        observed_gain((uintptr_t)old, (uint64_t)((char *)place - old), PC);
    else if (failed == 0 && (char *)place < old)
        observed_loss((uintptr_t)place, (uint64_t)(old - (char *)place), PC);
    return failed;
}

static void *our_mmap(void *hint, size_t size, int allows, int flags, int fd, off_t offset)
{
    void *mapped = mmap(hint, size, allows, flags, fd, offset);
    if (mapped != MAP_FAILED)
        observed_gain((uintptr_t)mapped, pages_of(size), PC);
    return mapped;
}

static int our_munmap(void *at, size_t size)
{
    uintptr_t pc = PC;
    observed_loss((uintptr_t)at, pages_of(size), pc);
    return munmap(at, size);
}

static void *our_mremap(void *old, size_t old_size, size_t size, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    void *to = flags & MREMAP_FIXED ? va_arg(more, void *) : NULL;
    va_end(more);
    void *mapped = flags & MREMAP_FIXED ? mremap(old, old_size, size, flags, to) : mremap(old, old_size, size, flags);
    if (mapped == MAP_FAILED)
        return mapped;
    uint64_t had = pages_of(old_size), has = pages_of(size);
    if (mapped != old)
        observed_loss((uintptr_t)old, had, PC);
    else if (has < had)
        observed_loss((uintptr_t)old + has, had - has, PC);
    if (mapped != old)
        observed_gain((uintptr_t)mapped, has, PC);
    else if (has > had)
        observed_gain((uintptr_t)mapped + had, has - had, PC);
    return mapped;
}

static int our_madvise(void *at, size_t size, int advice)
{
    uintptr_t pc = PC;
    if (advice == MADV_DONTNEED || advice == MADV_FREE || advice == MADV_REMOVE)
        observed_discard((uintptr_t)at, size, pc);
    return madvise(at, size, advice);
}

/* Of another allocator's, which lends it memory. */

static void *our_malloc(size_t size)
{
    void *got = malloc(size);
    if (got != NULL)
        observed_gain((uintptr_t)got, size, PC);
    return got;
}

static void *our_calloc(size_t count, size_t size)
{
    void *got = calloc(count, size);
    if (got != NULL)
        observed_gain((uintptr_t)got, count * size, PC);
    return got;
}

static void *our_aligned_alloc(size_t alignment, size_t size)
{
    void *got = aligned_alloc(alignment, size);
    if (got != NULL)
        observed_gain((uintptr_t)got, size, PC);
    return got;
}

static int our_posix_memalign(void **to, size_t alignment, size_t size)
{
    int error = posix_memalign(to, alignment, size);
    if (error == 0)
        observed_gain((uintptr_t)*to, size, PC);
    return error;
}

/* Of C++, whose library throws where there is none: done by that. */

static void *loaded;

static void *our_new(size_t size)
{
    void *(*make)(size_t) = (void *(*)(size_t))dlsym(loaded, "_Znwm");
    void *got = make(size);
    observed_gain((uintptr_t)got, size, PC);
    return got;
}

static void *our_aligned_new(size_t size, size_t alignment)
{
    void *(*make)(size_t, size_t) = (void *(*)(size_t, size_t))dlsym(loaded, "_ZnwmSt11align_val_t");
    void *got = make(size, alignment);
    observed_gain((uintptr_t)got, size, PC);
    return got;
}

void observing_system_calls(void *handle)
{
    loaded = handle;
    static const struct replacement ours[] = {
        {"sbrk", our_sbrk},
        {"brk", our_brk},
        {"mmap", our_mmap},
        {"mmap64", our_mmap},
        {"munmap", our_munmap},
        {"mremap", our_mremap},
        {"madvise", our_madvise},
        {"posix_madvise", our_madvise},
        {"malloc", our_malloc},
        {"calloc", our_calloc},
        {"aligned_alloc", our_aligned_alloc},
        {"posix_memalign", our_posix_memalign},
        {"_Znwm", our_new},
        {"_Znam", our_new},
        {"_ZnwmRKSt9nothrow_t", our_malloc},
        {"_ZnamRKSt9nothrow_t", our_malloc},
        {"_ZnwmSt11align_val_t", our_aligned_new},
        {"_ZnamSt11align_val_t", our_aligned_new},
    };
    interpose(handle, ours, sizeof ours / sizeof *ours);
}
