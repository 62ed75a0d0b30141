/* A malloc-lab solution in the book's words: boundary tags, an explicit free list, first fit, merged at once. */
#include <string.h>
#include "memlib.h"
#include "mm.h"

#define WSIZE 8
#define DSIZE 16
#define MINBLOCK 32
#define CHUNK 4096
#define PACK(size, alloc) ((size) | (alloc))
#define GET(p) (*(size_t *)(p))
#define PUT(p, value) (*(size_t *)(p) = (value))
#define GET_SIZE(p) (GET(p) & ~(size_t)15)
#define GET_ALLOC(p) (GET(p) & 1)
#define HDRP(bp) ((char *)(bp) - WSIZE)
#define FTRP(bp) ((char *)(bp) + GET_SIZE(HDRP(bp)) - DSIZE)
#define NEXT_BLKP(bp) ((char *)(bp) + GET_SIZE(HDRP(bp)))
#define PREV_BLKP(bp) ((char *)(bp) - GET_SIZE((char *)(bp) - DSIZE))

struct node {
    struct node *next, *prev;
};
static struct node *free_list;

static void push(void *bp)
{
    struct node *node = bp;
    node->next = free_list;
    node->prev = NULL;
    if (free_list != NULL)
        free_list->prev = node;
    free_list = node;
}

static void unlink_block(void *bp)
{
    struct node *node = bp;
    if (node->prev != NULL)
        node->prev->next = node->next;
    else
        free_list = node->next;
    if (node->next != NULL)
        node->next->prev = node->prev;
}

static void *coalesce(void *bp)
{
    size_t prev_alloc = GET_ALLOC(FTRP(PREV_BLKP(bp)));
    size_t next_alloc = GET_ALLOC(HDRP(NEXT_BLKP(bp)));
    size_t size = GET_SIZE(HDRP(bp));
    if (!next_alloc) {
        unlink_block(NEXT_BLKP(bp));
        size += GET_SIZE(HDRP(NEXT_BLKP(bp)));
    }
    if (!prev_alloc) {
        bp = PREV_BLKP(bp);
        unlink_block(bp);
        size += GET_SIZE(HDRP(bp));
    }
    PUT(HDRP(bp), PACK(size, 0));
    PUT(FTRP(bp), PACK(size, 0));
    push(bp);
    return bp;
}

static void *extend_heap(size_t size)
{
    char *bp = mem_sbrk((intptr_t)size);
    if (bp == (void *)-1)
        return NULL;
    PUT(HDRP(bp), PACK(size, 0));
    PUT(FTRP(bp), PACK(size, 0));
    PUT(HDRP(NEXT_BLKP(bp)), PACK(0, 1));
    return coalesce(bp);
}

int mm_init(void)
{
    free_list = NULL;
    char *start = mem_sbrk(4 * WSIZE);
    if (start == (void *)-1)
        return -1;
    PUT(start, 0);
    PUT(start + WSIZE, PACK(DSIZE, 1));
    PUT(start + 2 * WSIZE, PACK(DSIZE, 1));
    PUT(start + 3 * WSIZE, PACK(0, 1));
    return extend_heap(CHUNK) == NULL ? -1 : 0;
}

static void *find_fit(size_t asize)
{
    for (struct node *node = free_list; node != NULL; node = node->next)
        if (GET_SIZE(HDRP(node)) >= asize)
            return node;
    return NULL;
}

static void place(void *bp, size_t asize)
{
    size_t csize = GET_SIZE(HDRP(bp));
    unlink_block(bp);
    if (csize - asize >= MINBLOCK) {
        PUT(HDRP(bp), PACK(asize, 1));
        PUT(FTRP(bp), PACK(asize, 1));
        bp = NEXT_BLKP(bp);
        PUT(HDRP(bp), PACK(csize - asize, 0));
        PUT(FTRP(bp), PACK(csize - asize, 0));
        push(bp);
    } else {
        PUT(HDRP(bp), PACK(csize, 1));
        PUT(FTRP(bp), PACK(csize, 1));
    }
}

static size_t adjusted(size_t size)
{
    if (size <= DSIZE)
        return MINBLOCK;
    return DSIZE * ((size + DSIZE + DSIZE - 1) / DSIZE);
}

void *mm_malloc(size_t size)
{
    if (size == 0 || size > 1u << 30)
        return NULL;
    size_t asize = adjusted(size);
    void *bp = find_fit(asize);
    if (bp == NULL) {
        bp = extend_heap(asize > CHUNK ? asize : CHUNK);
        if (bp == NULL)
            return NULL;
    }
    place(bp, asize);
    return bp;
}

void mm_free(void *bp)
{
    if (bp == NULL)
        return;
    size_t size = GET_SIZE(HDRP(bp));
    PUT(HDRP(bp), PACK(size, 0));
    PUT(FTRP(bp), PACK(size, 0));
    coalesce(bp);
}

void *mm_realloc(void *bp, size_t size)
{
    if (bp == NULL)
        return mm_malloc(size);
    if (size == 0) {
        mm_free(bp);
        return NULL;
    }
    size_t old = GET_SIZE(HDRP(bp)) - DSIZE;
    if (size <= old)
        return bp;
    void *new_bp = mm_malloc(size);
    if (new_bp == NULL)
        return NULL;
    memcpy(new_bp, bp, old);
    mm_free(bp);
    return new_bp;
}
