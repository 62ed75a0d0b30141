/* What `heapster build --check` compiles against a build and runs: a few calls of each kind. */

#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef PRELOADED
#include <dlfcn.h>
#define CALL(name) name
#define FIND(name) dlsym(RTLD_DEFAULT, #name)
#else
#include "heapster.h"
#define CALL(name) heapster_##name
#define FIND(name) ((void *)heapster_##name)
#endif

enum { BLOCKS = 1000, ALIGNMENT = 4096 };

static int fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    return 1;
}

/* What C23 has: the C library that this is linked with may not have it. Nonzero: nobody has. */
static int free_as_asked(void)
{
    void (*free_sized)(void *, size_t), (*free_aligned_sized)(void *, size_t, size_t);
    *(void **)&free_sized = FIND(free_sized);
    *(void **)&free_aligned_sized = FIND(free_aligned_sized);
    if (!free_sized || !free_aligned_sized)
        return 1;
    free_sized(CALL(calloc)(3, 100), 300);
    free_aligned_sized(CALL(aligned_alloc)(ALIGNMENT, 100), ALIGNMENT, 100);
    return 0;
}

int main(void)
{
    static unsigned char *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        size_t size = (size_t)(i * 37 % 5000);
        blocks[i] = CALL(malloc)
        (size);
        if (!blocks[i] || (uintptr_t)blocks[i] % 16)
            return fail("malloc gives no aligned block");
        memset(blocks[i], i & 255, size);
    }
    for (int i = 0; i < BLOCKS; i += 2) {
        CALL(free)
        (blocks[i]);
        blocks[i] = CALL(calloc)
        (3, (size_t)i);
        for (int k = 0; k < 3 * i; k++)
            if (blocks[i][k])
                return fail("calloc gives dirty memory");
    }
    for (int i = 1; i < BLOCKS; i += 2) {
        size_t size = (size_t)(i * 37 % 5000);
        blocks[i] = CALL(realloc)
        (blocks[i], size + 200000);
        if (size && (blocks[i][0] != (i & 255) || blocks[i][size - 1] != (i & 255)))
            return fail("realloc loses bytes");
    }
    for (int i = 0; i < BLOCKS; i++)
        CALL(free)
    (blocks[i]);
    void *aligned = NULL;
    if (CALL(posix_memalign)(&aligned, ALIGNMENT, 100) || (uintptr_t)aligned % ALIGNMENT)
        return fail("posix_memalign does not align");
    CALL(free)
    (aligned);
    if (free_as_asked())
        return fail("C23's functions are not there");
    puts("heapster works");
    return 0;
}
