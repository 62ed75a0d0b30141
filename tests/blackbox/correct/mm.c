/* A malloc-lab solution: an implicit list with boundary tags, first fit, merged at once. */
#include <string.h>
#include "memlib.h"
#include "mm.h"

#define SIZE(b) (*(size_t *)(b) & ~(size_t)15)
#define USED(b) (*(size_t *)(b) & 1)
#define FOOT(b) (*(size_t *)((b) + SIZE(b) - 8))
static char *first;

static void set(char *b, size_t size, int used)
{
    *(size_t *)b = size | (size_t)used;
    FOOT(b) = size | (size_t)used;
}

int mm_init(void)
{
    char *p = mem_sbrk(32);
    if (p == (void *)-1)
        return -1;
    first = p + 24;
    *(size_t *)(p + 16) = 1;
    *(size_t *)first = 1;
    return 0;
}

static char *merge(char *b)
{
    char *right = b + SIZE(b);
    if (!USED(right))
        set(b, SIZE(b) + SIZE(right), 0);
    size_t left = *(size_t *)(b - 8);
    if (!(left & 1)) {
        size_t size = SIZE(b);
        b -= left & ~(size_t)15;
        set(b, size + SIZE(b), 0);
    }
    return b;
}

void *mm_malloc(size_t size)
{
    if (size == 0 || size > 1u << 30)
        return NULL;
    size_t need = (size + 16 + 15) & ~(size_t)15;
    char *b = first;
    while (SIZE(b) != 0 && (USED(b) || SIZE(b) < need))
        b += SIZE(b);
    if (SIZE(b) == 0) {
        if (mem_sbrk((intptr_t)need) == (void *)-1)
            return NULL;
        set(b, need, 0);
        *(size_t *)(b + need) = 1;
        b = merge(b);
    }
    size_t rest = SIZE(b) - need;
    if (rest >= 32) {
        set(b, need, 1);
        set(b + need, rest, 0);
    } else {
        set(b, SIZE(b), 1);
    }
    return b + 8;
}

void mm_free(void *p)
{
    if (p != NULL) {
        char *b = (char *)p - 8;
        set(b, SIZE(b), 0);
        merge(b);
    }
}

void *mm_realloc(void *p, size_t size)
{
    if (p == NULL)
        return mm_malloc(size);
    if (size == 0) {
        mm_free(p);
        return NULL;
    }
    size_t room = SIZE((char *)p - 8) - 16;
    if (size <= room)
        return p;
    void *q = mm_malloc(size);
    if (q != NULL) {
        memcpy(q, p, room);
        mm_free(p);
    }
    return q;
}

bool mm_checkheap(int line)
{
    (void)line;
    for (char *b = first; SIZE(b) != 0; b += SIZE(b))
        if (FOOT(b) != *(size_t *)b)
            return false;
    return true;
}
