/* Boundary tags in one mapping, an address-ordered walk; a used block has its lowest bit set. */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

typedef uint64_t word;
enum { HEAP = 1 << 25 };

static word *heap;

static word *tail(word *tag) { return tag + (*tag & ~1ull) / 8 - 1; }
static word *after(word *tag) { return tag + (*tag & ~1ull) / 8; }

static void mark(word *tag, word bytes, word used)
{
    *tag = bytes | used;
    *tail(tag) = bytes | used;
}

static int start(void)
{
    word *room = mmap(0, HEAP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED)
        return 0;
    heap = room + 2;
    heap[0] = 1; /* nothing lies to the left, and is used */
    heap++;
    mark(heap, HEAP - 32, 0);
    *after(heap) = 1;
    return 1;
}

void *malloc(size_t n)
{
    if (n > HEAP || (!heap && !start()))
        return 0;
    word need = (n + 16 + 15) / 16 * 16;
    if (need < 32)
        need = 32;
    for (word *tag = heap; *tag != 1; tag = after(tag)) {
        word has = *tag & ~1ull;
        if ((*tag & 1) || has < need)
            continue;
        if (has - need >= 32) {
            mark(tag, need, 1);
            mark(after(tag), has - need, 0);
        } else {
            mark(tag, has, 1);
        }
        return tag + 1;
    }
    return 0;
}

void free(void *p)
{
    if (!p)
        return;
    word *tag = (word *)p - 1, bytes = *tag & ~1ull, *right = after(tag);
    if (!(*right & 1))
        bytes += *right;
    if (!(tag[-1] & 1)) {
        bytes += tag[-1];
        tag -= tag[-1] / 8;
    }
    mark(tag, bytes, 0);
}

void *realloc(void *p, size_t n)
{
    void *q = malloc(n);
    if (p && q) {
        size_t had = (((word *)p)[-1] & ~1ull) - 16;
        memcpy(q, p, had < n ? had : n);
        free(p);
    }
    return q;
}
