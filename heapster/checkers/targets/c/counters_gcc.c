/* gcc's counters, told by its libgcov: see counters.h. That asks for memory for the names of files; it is linked with
   --wrap, so that it is asked of us, not of the target, and comes out of one pool that is never given back. */
#include <stddef.h>
#include <string.h>

#include "counters.h"

#define POOL (1u << 20) /* bytes: some hundred for each source */
#define ROUNDED(size) (((size) + 15) & ~(size_t)15)

void __gcov_dump(void);

static _Alignas(16) char pool[POOL];
static size_t used;

void *__wrap_malloc(size_t size)
{
    if (size > POOL - used)
        return NULL;
    void *block = pool + used;
    used += ROUNDED(size);
    return block;
}

void *__wrap_calloc(size_t count, size_t size) { return __wrap_malloc(count * size); }
void __wrap_free(void *block) { (void)block; }

void *__wrap_realloc(void *block, size_t size)
{
    char *moved = __wrap_malloc(size);
    if (moved != NULL && block != NULL) /* what lies behind the old block is the pool's too */
        memmove(moved, block, size);
    return moved;
}

void heapster_tell_counters(void)
{
    static int told;
    if (!told++)
        __gcov_dump();
}
