/* A malloc with a fault of choice, to be preloaded: BREAK is 1 to 6. */

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef BREAK
#define BREAK 0
#endif

enum { HEADER = 16, ROOM = 1 << 30 };

static _Atomic size_t used;
static _Atomic(char *) memory;
static _Atomic size_t calls;

static char *place(size_t bytes)
{
    char *base = atomic_load(&memory);
    if (!base) {
        char *fresh = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        base = atomic_compare_exchange_strong(&memory, &base, fresh) ? fresh : atomic_load(&memory);
    }
    size_t at = atomic_fetch_add(&used, (bytes + 31) & ~(size_t)15);
    return base + at % (ROOM - (1 << 20));
}

void *malloc(size_t size)
{
    size_t call = atomic_fetch_add(&calls, 1);
    char *p = place(size) + HEADER;
    if (call > 5000) {
        if (BREAK == 1)
            p -= 8; /* overlaps its neighbour's end, and is not aligned */
        if (BREAK == 2)
            ((size_t *)(void *)(p - HEADER))[-1] ^= 1; /* in the block before it, unless that ends earlier */
        if (BREAK == 3)
            abort();
        if (BREAK == 4)
            *(volatile int *)8 = 1;
        if (BREAK == 5)
            for (;;)
                atomic_load(&calls);
    }
    ((size_t *)(void *)(p - (((uintptr_t)p & 15) ? 8 : HEADER)))[0] = size;
    return p;
}

void free(void *p) { (void)p; }

void *calloc(size_t count, size_t size)
{
    char *p = malloc(count * size);
    memset(p, BREAK == 6 && atomic_load(&calls) > 5000, count * size);
    return p;
}

void *realloc(void *old, size_t size)
{
    char *p = malloc(size);
    if (old) {
        size_t before = ((size_t *)old)[-2];
        memcpy(p, old, before < size ? before : size);
    }
    return p;
}
