/* Every block is in one list, in the order of addresses; free neighbours are fused. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

typedef struct block {
    size_t size; /* payload bytes */
    int is_free;
    struct block *next; /* in address order */
    struct block *prev;
} block_t;

#define META sizeof(block_t)
#define MIN_SPLIT 32
#define MAX_SIZE ((size_t)1 << 40)

static block_t *first = NULL;
static block_t *last = NULL;

static size_t align16(size_t n) { return (n + 15) & ~(size_t)15; }

static block_t *find_block(size_t size)
{
    block_t *b = first;
    while (b != NULL) {
        if (b->is_free && b->size >= size)
            return b;
        b = b->next;
    }
    return NULL;
}

static void split_block(block_t *b, size_t size)
{
    block_t *rest;
    if (b->size < size + META + MIN_SPLIT)
        return;
    rest = (block_t *)((char *)(b + 1) + size);
    rest->size = b->size - size - META;
    rest->is_free = 1;
    rest->next = b->next;
    rest->prev = b;
    if (rest->next != NULL)
        rest->next->prev = rest;
    else
        last = rest;
    b->next = rest;
    b->size = size;
}

static block_t *grow_heap(size_t size)
{
    block_t *b = sbrk(META + size);
    if (b == (void *)-1)
        return NULL;
    b->size = size;
    b->is_free = 0;
    b->next = NULL;
    b->prev = last;
    if (last != NULL)
        last->next = b;
    else
        first = b;
    last = b;
    return b;
}

static int are_adjacent(block_t *a, block_t *b) { return (char *)(a + 1) + a->size == (char *)b; }

static block_t *fuse(block_t *b)
{
    block_t *n = b->next;
    if (n != NULL && n->is_free && are_adjacent(b, n)) {
        b->size += META + n->size;
        b->next = n->next;
        /* clang-format off */
        if (b->next != NULL)
            b->next->prev = b;
        else last = b;                  /* alone in its line: a fault leaves it out */
        /* clang-format on */
    }
    return b;
}

void *malloc(size_t size)
{
    block_t *b;
    if (size == 0)
        size = 1;
    if (size > MAX_SIZE)
        return NULL;
    size = align16(size);
    b = find_block(size);
    if (b != NULL) {
        split_block(b, size);
        b->is_free = 0;
    } else {
        b = grow_heap(size);
        if (b == NULL)
            return NULL;
    }
    return b + 1;
}

void free(void *ptr)
{
    block_t *b;
    if (ptr == NULL)
        return;
    b = (block_t *)ptr - 1;
    b->is_free = 1;
    fuse(b);
    if (b->prev != NULL && b->prev->is_free)
        fuse(b->prev);
}

void *calloc(size_t count, size_t size)
{
    size_t total = count * size;
    void *p;
    if (size != 0 && total / size != count)
        return NULL;
    p = malloc(total);
    if (p != NULL)
        memset(p, 0, total);
    return p;
}

void *realloc(void *ptr, size_t size)
{
    block_t *b;
    void *p;
    size_t copy;
    if (ptr == NULL)
        return malloc(size);
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    if (size > MAX_SIZE)
        return NULL;
    b = (block_t *)ptr - 1;
    if (b->size >= align16(size)) {
        split_block(b, align16(size));
        if (b->next != NULL && b->next->is_free)
            fuse(b->next);
        return ptr;
    }
    p = malloc(size);
    if (p == NULL)
        return NULL;
    copy = b->size < size ? b->size : size;
    memcpy(p, ptr, copy);
    free(ptr);
    return p;
}
