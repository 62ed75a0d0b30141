/*
 * mm.c - implicit list with footers and a roving pointer (next fit).
 *
 * Block: | header 4 | payload ... | footer 4 |, sizes are multiples of 8.
 */
#include "mm.h"
#include "memlib.h"
#include <stdint.h>
#include <string.h>
#include <unistd.h>

typedef uint32_t u32;

static char *heap_listp;
static char *rover;

static u32 get(char *p) { return *(u32 *)p; }
static void put(char *p, u32 v) { *(u32 *)p = v; }
static char *hdr(char *bp) { return bp - 4; }
static u32 size_of(char *bp) { return get(hdr(bp)) & ~7u; }
static u32 alloc_of(char *bp) { return get(hdr(bp)) & 1u; }
static char *ftr(char *bp) { return bp + size_of(bp) - 8; }
static char *next(char *bp) { return bp + size_of(bp); }
static char *prev(char *bp) { return bp - (get(bp - 8) & ~7u); }

static void tag(char *bp, u32 size, u32 alloc)
{
    put(hdr(bp), size | alloc);
    put(ftr(bp), size | alloc);
}

static char *coalesce(char *bp)
{
    u32 prev_alloc = get(bp - 8) & 1u;
    u32 next_alloc = alloc_of(next(bp));
    u32 size = size_of(bp);

    if (!next_alloc)
        size += size_of(next(bp));
    if (!prev_alloc) {
        size += size_of(prev(bp));
        bp = prev(bp);
    }
    tag(bp, size, 0);
    if (rover > bp && rover < next(bp))
        rover = bp;
    return bp;
}

static char *extend(size_t words)
{
    size_t size = (words % 2 ? words + 1 : words) * 4;
    char *bp = mem_sbrk((intptr_t)size);
    if (bp == (char *)-1)
        return NULL;
    tag(bp, (u32)size, 0);
    put(hdr(next(bp)), 1);
    return coalesce(bp);
}

int mm_init(void)
{
    if ((heap_listp = mem_sbrk(16)) == (char *)-1)
        return -1;
    put(heap_listp, 0);
    put(heap_listp + 4, 8 | 1);
    put(heap_listp + 8, 8 | 1);
    put(heap_listp + 12, 0 | 1);
    heap_listp += 8;
    rover = heap_listp;
    return extend(1024) ? 0 : -1;
}

static char *find(u32 asize)
{
    char *from = rover;
    for (; size_of(rover) > 0; rover = next(rover))
        if (!alloc_of(rover) && asize <= size_of(rover))
            return rover;
    for (rover = heap_listp; rover < from; rover = next(rover))
        if (!alloc_of(rover) && asize <= size_of(rover))
            return rover;
    return NULL;
}

void *mm_malloc(size_t size)
{
    if (size == 0 || size > (1u << 30))
        return NULL;
    u32 asize = size <= 8 ? 16 : (u32)(8 * ((size + 8 + 7) / 8));
    char *bp = find(asize);
    if (!bp && !(bp = extend((asize > 4096 ? asize : 4096) / 4)))
        return NULL;
    u32 csize = size_of(bp);
    if (csize - asize >= 16) {
        tag(bp, asize, 1);
        tag(next(bp), csize - asize, 0);
    } else {
        tag(bp, csize, 1);
    }
    return bp;
}

void mm_free(void *bp)
{
    if (!bp)
        return;
    tag(bp, size_of(bp), 0);
    coalesce(bp);
}

void *mm_realloc(void *old, size_t size)
{
    void *new;
    if (size == 0) {
        mm_free(old);
        return NULL;
    }
    if (!old)
        return mm_malloc(size);
    if (!(new = mm_malloc(size)))
        return NULL;
    size_t had = size_of(old) - 8;
    memcpy(new, old, had < size ? had : size);
    mm_free(old);
    return new;
}
