/* Blocks: every call checked, every payload tagged with owner and sequence number over its whole length. */

#include <string.h>

#include "harness.h"

#define MIX 0x9E3779B97F4A7C15u

uint64_t draw(struct worker *w)
{
    w->random ^= w->random >> 12;
    w->random ^= w->random << 25;
    w->random ^= w->random >> 27;
    uint64_t mixed = w->random * 0x2545F4914F6CDD1Du;
    return mixed ^ mixed >> 32;
}

/* An operation was chosen: it counts, and the first ones make the digest that a seed fixes. */
void note(struct worker *w, uint64_t operation)
{
    atomic_store_explicit(&w->ops, atomic_load_explicit(&w->ops, memory_order_relaxed) + 1, memory_order_relaxed);
    if (w->digested < DIGESTED) {
        w->digested++;
        w->digest = (w->digest ^ operation) * MIX;
    }
}

static uint64_t next_key(struct worker *w) { return ((uint64_t)w->index << 56 | ++w->sequence) * MIX; }

static void fill(const struct block *b)
{
    uint64_t *words = (uint64_t *)b->p;
    size_t whole = b->size / 8;
    for (size_t i = 0; i < whole; i++)
        words[i] = b->key + i;
    uint64_t last = b->key + whole;
    memcpy(words + whole, &last, b->size % 8);
}

static size_t first_wrong(const struct block *b)
{
    size_t at = 0;
    while (at < b->size) {
        uint64_t expected = b->key + at / 8;
        if (b->p[at] != ((unsigned char *)&expected)[at % 8])
            break;
        at++;
    }
    return at;
}

static bool holds(const struct block *b, size_t size)
{
    const uint64_t *words = (const uint64_t *)b->p;
    size_t whole = size / 8;
    uint64_t wrong = 0;
    for (size_t i = 0; i < whole; i++)
        wrong |= words[i] ^ (b->key + i);
    uint64_t last = b->key + whole;
    return !wrong && !memcmp(words + whole, &last, size % 8);
}

void verify(struct worker *w, const struct block *b)
{
    if (!bare && b->p && !holds(b, b->size))
        finding("contents_damaged", "thread %d: byte %zu of a block of %zu bytes is not what its owner wrote", w->index,
                first_wrong(b), b->size);
}

static size_t least_alignment(size_t size)
{
    if (target.strict || size >= ALIGNMENT)
        return ALIGNMENT;
    return size >= 8 ? 8 : 1; /* C23 7.24.3: of an object that fits */
}

static void accept(struct worker *w, struct block *b, unsigned char *p, size_t alignment, size_t size)
{
    *b = (struct block){p, size, 0, size, 0};
    if (bare)
        return;
    if (!p)
        finding("spurious_null", "thread %d: no block of %zu bytes", w->index, size);
    if ((uintptr_t)p & (alignment - 1))
        finding("misaligned", "thread %d: a block of %zu bytes is no multiple of %zu", w->index, size, alignment);
    if (target.usable_size && target.usable_size(p) < size)
        finding("usable_too_small", "thread %d: %zu usable bytes of %zu", w->index, target.usable_size(p), size);
    b->key = next_key(w);
    fill(b);
}

void take(struct worker *w, struct block *b, size_t size)
{
    note(w, size);
    accept(w, b, target.malloc(size), least_alignment(size), size);
}

void take_zeroed(struct worker *w, struct block *b, size_t size)
{
    note(w, size | (uint64_t)1 << 60);
    unsigned char *p = target.calloc(1, size);
    if (!bare && p) {
        unsigned char dirt = 0;
        for (size_t i = 0; i < size; i++)
            dirt |= p[i];
        if (dirt)
            finding("not_zeroed", "thread %d: calloc(1, %zu) is not zero", w->index, size);
    }
    accept(w, b, p, least_alignment(size), size);
}

void take_aligned(struct worker *w, struct block *b, size_t alignment, size_t size, bool posix)
{
    void *p = NULL;
    size_t asked = size, said = UNSTATED;
    note(w, size | alignment << 32 | (uint64_t)posix << 61);
    if (posix && target.posix_memalign)
        target.posix_memalign(&p, alignment, size);
    else if (target.aligned_alloc)
        said = alignment, asked = (size + alignment - 1) & -alignment, p = target.aligned_alloc(alignment, asked);
    else
        said = 0, p = target.malloc(size), alignment = 1;
    accept(w, b, p, alignment, size);
    b->asked = asked, b->alignment = said;
}

/* Only a block that is held is given back: all else is a fault of this harness, and no finding. */
static void hold(const struct block *b)
{
    if (!b->p && !bare) /* bare, nobody looks whether a block was given */
        harness_misuse();
}

void resize(struct worker *w, struct block *b, size_t size)
{
    note(w, size | (uint64_t)1 << 62);
    hold(b);
    verify(w, b);
    unsigned char *p = target.realloc(b->p, size);
    struct block kept = {p, b->size < size ? b->size : size, b->key, 0, 0};
    if (!bare && p && !holds(&kept, kept.size))
        finding("prefix_lost", "thread %d: realloc from %zu to %zu bytes lost byte %zu", w->index, b->size, size,
                first_wrong(&kept));
    accept(w, b, p, least_alignment(size), size);
}

/* Every other block with what it was asked for with, where the target can be told. */
static void give_back(const struct block *b)
{
    int says = !bare && (b->key >> 32 & 1);
    if (says && !b->alignment && target.free_sized)
        target.free_sized(b->p, b->asked);
    else if (says && b->alignment > UNSTATED && target.free_aligned_sized)
        target.free_aligned_sized(b->p, b->alignment, b->asked);
    else
        target.free(b->p);
}

void release(struct worker *w, struct block *b)
{
    note(w, (uint64_t)1 << 63);
    hold(b);
    verify(w, b);
    give_back(b);
    b->p = NULL;
}

/* As the threads rest: no operation of the pattern, so that what a seed gives stays. */
void clear_away(struct worker *w, struct block *b)
{
    if (!b->p)
        return;
    verify(w, b);
    give_back(b);
    b->p = NULL;
}
