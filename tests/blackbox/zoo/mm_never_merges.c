/* A malloc-lab solution that never merges what is freed.
   expect: spurious_null */
#ifdef FIXED
#include "../correct/mm.c"
#else
#include <string.h>
#include "memlib.h"
#include "mm.h"
typedef struct b {
    size_t size;
    struct b *next;
} B;
static B *list;
int mm_init(void)
{
    list = NULL;
    return mem_sbrk(0) == (void *)-1 ? -1 : 0;
}
void *mm_malloc(size_t size)
{
    if (size == 0 || size > 1u << 30)
        return NULL;
    size_t need = (size + 15) & ~(size_t)15;
    for (B **p = &list; *p; p = &(*p)->next)
        if ((*p)->size >= need) {
            B *b = *p;
            *p = b->next;
            return b + 1;
        }
    B *b = mem_sbrk((intptr_t)(need + sizeof *b));
    if (b == (void *)-1)
        return NULL;
    b->size = need;
    return b + 1;
}
void mm_free(void *p)
{
    if (p) {
        B *b = (B *)p - 1;
        b->next = list;
        list = b;
    }
}
void *mm_realloc(void *p, size_t size)
{
    if (!p)
        return mm_malloc(size);
    if (!size) {
        mm_free(p);
        return NULL;
    }
    B *b = (B *)p - 1;
    if (b->size >= size)
        return p;
    void *q = mm_malloc(size);
    if (q) {
        memcpy(q, p, b->size);
        mm_free(p);
    }
    return q;
}
#endif
