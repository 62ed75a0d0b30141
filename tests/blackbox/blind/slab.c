/* Slabs of 8 KiB, aligned to themselves; a 64-bit mask tells which objects are free. Larger ones are mapped. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SLAB_BYTES   8192ul
#define SLAB_OF(p)   ((slab_t *)((uintptr_t)(p) & ~(SLAB_BYTES - 1)))
#define NKINDS       6
#define BIG          0xb16

typedef struct slab {
    struct slab *next;
    uint64_t free_mask;
    uint32_t object, objects;
    uint32_t kind;
    uint32_t pad;
    size_t bytes;
} __attribute__((aligned(64))) slab_t;

static slab_t *partial[NKINDS];
static const uint32_t kinds[NKINDS] = {128, 192, 256, 512, 1024, 2048};

static void *aligned_pages(size_t bytes)
{
    char *raw = mmap(NULL, bytes + SLAB_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED)
        return NULL;
    char *at = (char *)(((uintptr_t)raw + SLAB_BYTES - 1) & ~(SLAB_BYTES - 1));
    if (at > raw)
        munmap(raw, (size_t)(at - raw));
    if (raw + SLAB_BYTES > at)
        munmap(at + bytes, (size_t)(raw + SLAB_BYTES - at));
    return at;
}

static slab_t *new_slab(uint32_t kind)
{
    slab_t *s = aligned_pages(SLAB_BYTES);
    if (!s)
        return NULL;
    s->kind = kind;
    s->object = kinds[kind];
    s->objects = (uint32_t)((SLAB_BYTES - sizeof *s) / s->object);
    s->free_mask = s->objects == 64 ? ~0ull : (1ull << s->objects) - 1;
    s->next = partial[kind];
    partial[kind] = s;
    return s;
}

static void *big(size_t n)
{
    size_t bytes = (n + sizeof(slab_t) + 4095) & ~4095ul;
    slab_t *s = aligned_pages(bytes);
    if (!s)
        return NULL;
    s->kind = BIG;
    s->bytes = bytes;
    return s + 1;
}

void *malloc(size_t n)
{
    uint32_t kind = 0;
    if (n > PTRDIFF_MAX - 65536)
        return NULL;
    while (kind < NKINDS && kinds[kind] < n)
        kind++;
    if (kind == NKINDS)
        return big(n);
    slab_t *s = partial[kind];
    if (!s && !(s = new_slab(kind)))
        return NULL;
    int bit = __builtin_ctzll(s->free_mask);
    s->free_mask &= ~(1ull << bit);
    if (!s->free_mask)
        partial[kind] = s->next;
    return (char *)(s + 1) + (size_t)bit * s->object;
}

void free(void *p)
{
    if (!p)
        return;
    slab_t *s = SLAB_OF(p);
    if (s->kind == BIG) {
        munmap(s, s->bytes);
        return;
    }
    size_t bit = (size_t)((char *)p - (char *)(s + 1)) / s->object;
    if (!s->free_mask) {
        s->next = partial[s->kind];
        partial[s->kind] = s;
    }
    s->free_mask |= 1ull << bit;
}
