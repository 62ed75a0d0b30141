/* Fixed blocks in a region that the caller gives. */
#include "pool.h"

pool *pool_create(void *memory, size_t size)
{
    pool *p = memory;
    p->list = NULL;
    char *at = (char *)memory + 64;
    for (; at + POOL_BLOCK <= (char *)memory + size; at += POOL_BLOCK) {
        *(void **)at = p->list;
        p->list = at;
    }
    return p;
}

void *pool_take(pool *p, size_t size)
{
    void *block = size <= POOL_BLOCK ? p->list : NULL;
    if (block != NULL)
        p->list = *(void **)block;
    return block;
}

void pool_give(pool *p, void *block)
{
    if (block != NULL) {
        *(void **)block = p->list;
        p->list = block;
    }
}
