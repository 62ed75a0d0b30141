/* Good fit by two levels of bitmaps, in the manner of TLSF: constant time, physical neighbours merged at once. */
#include <stdint.h>
#include <stddef.h>
#include <sys/mman.h>

#define SL 8
#define FL 22
#define FREE ((size_t)1)
#define POOL ((size_t)1 << 24)

typedef struct blk {
    struct blk *below;          /* the physical neighbour at the lower address */
    size_t size;                /* of the payload; its lowest bit: free */
    struct blk *next, *prev;    /* of a free one */
} blk;

#define HDR offsetof(blk, next)

static uint32_t flmap, slmap[FL];
static blk *heads[FL][SL];
static char *pool;

static size_t sz(const blk *b) { return b->size & ~FREE; }
static blk *above(blk *b) { return (blk *)((char *)b + HDR + sz(b)); }

static void mapping(size_t size, int *f, int *s)
{
    int top = 63 - __builtin_clzl(size);
    *f = top - 4;
    *s = (int)(size >> (top - 3)) - SL;
}

static void insert(blk *b)
{
    int f, s;
    mapping(sz(b), &f, &s);
    b->prev = NULL;
    b->next = heads[f][s];
    if (b->next)
        b->next->prev = b;
    heads[f][s] = b;
    b->size |= FREE;
    flmap |= 1u << f;
    slmap[f] |= 1u << s;
}

static void removeb(blk *b)
{
    int f, s;
    mapping(sz(b), &f, &s);
    if (b->next)
        b->next->prev = b->prev;
    if (b->prev)
        b->prev->next = b->next;
    else
        heads[f][s] = b->next;
    if (!heads[f][s]) {
        slmap[f] &= ~(1u << s);
        if (!slmap[f])
            flmap &= ~(1u << f);
    }
    b->size &= ~FREE;
}

static blk *search(size_t size)
{
    int f, s;
    mapping(size + ((size_t)1 << (60 - __builtin_clzl(size))) - 1, &f, &s);
    uint32_t sl = slmap[f] & (~0u << s);
    if (!sl) {
        uint32_t fl = flmap & (~0u << (f + 1));
        if (!fl)
            return NULL;
        f = __builtin_ctz(fl);
        sl = slmap[f];
    }
    return heads[f][__builtin_ctz(sl)];
}

static int setup(void)
{
    pool = mmap(NULL, POOL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pool == MAP_FAILED)
        return pool = NULL, 0;
    blk *b = (blk *)pool;
    b->size = POOL - 2 * HDR;
    above(b)->size = 0;
    above(b)->below = b;
    insert(b);
    return 1;
}

void *malloc(size_t size)
{
    if (size > POOL / 2 || (!pool && !setup()))
        return NULL;
    size = size < 16 ? 16 : (size + 15) & ~(size_t)15;
    blk *b = search(size);
    if (!b)
        return NULL;
    removeb(b);
    if (sz(b) >= size + HDR + 16) {
        size_t rest = sz(b) - size - HDR;
        b->size = size;
        blk *r = above(b);
        r->below = b;
        r->size = rest;
        above(r)->below = r;
        insert(r);
    }
    return (char *)b + HDR;
}

void free(void *p)
{
    if (!p)
        return;
    blk *b = (blk *)((char *)p - HDR), *up = above(b);
    if (up->size & FREE) {
        removeb(up);
        b->size += HDR + sz(up);
        above(b)->below = b;
    }
    if (b->below && (b->below->size & FREE)) {
        blk *low = b->below;
        removeb(low);
        low->size += HDR + sz(b);
        above(low)->below = low;
        b = low;
    }
    insert(b);
}
