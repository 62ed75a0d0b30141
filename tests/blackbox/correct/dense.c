/* Slots without headers, of 8 bytes and more, so that small blocks lie side by side; the rest is mapped.
   A page's first bytes say how large its slots are. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE 4096
#define HEAD 16   /* bytes of a page before its first slot */
#define MOST 1024 /* bytes of the largest slot */
#define LISTS 8   /* 8, 16, 32 ... 1024 bytes */

struct page {
    size_t slot, mapped;
}; /* mapped: bytes, if it serves one block */
struct slot {
    struct slot *next;
};
static struct slot *lists[LISTS];

static struct page *page_of(void *p) { return (struct page *)((uintptr_t)p & ~(uintptr_t)(PAGE - 1)); }
static void *out_of_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

static void *map(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static int fill(int list)
{
    struct page *page = map(PAGE);
    if (page == NULL)
        return 0;
    page->slot = (size_t)8 << list;
    size_t start = page->slot > HEAD ? page->slot : HEAD;
    for (size_t at = start; at + page->slot <= PAGE; at += page->slot) {
        struct slot *slot = (struct slot *)((char *)page + at);
        slot->next = lists[list];
        lists[list] = slot;
    }
    return 1;
}

void *malloc(size_t size)
{
    if (size > PTRDIFF_MAX - 2 * PAGE)
        return out_of_memory();
    if (size > MOST) {
        size_t bytes = (size + HEAD + PAGE - 1) & ~(size_t)(PAGE - 1);
        struct page *page = map(bytes);
        if (page == NULL)
            return out_of_memory();
        *page = (struct page){bytes - HEAD, bytes};
        return (char *)page + HEAD;
    }
    int list = 0;
    while ((size_t)8 << list < size)
        list++;
    if (lists[list] == NULL && !fill(list))
        return out_of_memory();
    struct slot *slot = lists[list];
    lists[list] = slot->next;
    return slot;
}

void free(void *p)
{
    if (p == NULL)
        return;
    struct page *page = page_of(p);
    if (page->mapped != 0) {
        munmap(page, page->mapped);
        return;
    }
    int list = 0;
    while ((size_t)8 << list < page->slot)
        list++;
    ((struct slot *)p)->next = lists[list];
    lists[list] = p;
}

void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return out_of_memory();
    void *p = malloc(bytes);
    return p != NULL ? memset(p, 0, bytes) : NULL;
}

void *realloc(void *p, size_t size)
{
    if (p == NULL)
        return malloc(size);
    if (size == 0) {
        free(p);
        return NULL;
    }
    size_t held = page_of(p)->slot;
    if (held >= size)
        return p;
    void *q = malloc(size);
    if (q != NULL) {
        memcpy(q, p, held);
        free(p);
    }
    return q;
}
