/* What is written into blocks: a pattern that depends on the block and on the place in it.

   Small blocks are filled; of large ones both ends and a comb of places between them. In runs of many
   operations less is written, so that there can be more of them. */
#include <string.h>

#include "judge.h"

#define MOST_ZEROES (1u << 22) /* bytes that are looked at, at either end of a calloc'ed block */
#define TOOTH 16u              /* bytes of each tooth of the comb */

static uint64_t whole = 1024; /* bytes; larger blocks are sampled */
static uint64_t edge = 256;   /* bytes at either end of a sampled block */
static uint64_t teeth = 32;

void pattern_sparse(void) { whole = 160, edge = 48, teeth = 4; }

uint64_t mix(uint64_t x) /* splitmix64's finaliser */
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static inline uint64_t word_at(uint64_t seed, uint64_t word)
{
    return (seed + word * 0x9e3779b97f4a7c15u) | 0x0101010101010101u; /* no byte is ever 0 */
}

static void write_span(unsigned char *block, uint64_t seed, uint64_t from, uint64_t to)
{
    while (from < to) {
        uint64_t word = word_at(seed, from / 8), within = from % 8;
        uint64_t n = 8 - within < to - from ? 8 - within : to - from;
        memcpy(block + from, (unsigned char *)&word + within, n);
        from += n;
    }
}

static uint64_t span_differs(const unsigned char *block, uint64_t seed, uint64_t from, uint64_t to)
{
    while (from < to) {
        uint64_t word = word_at(seed, from / 8), within = from % 8;
        uint64_t n = 8 - within < to - from ? 8 - within : to - from;
        if (memcmp(block + from, (unsigned char *)&word + within, n) != 0) {
            while (block[from] == ((unsigned char *)&word)[from % 8])
                from++;
            return from;
        }
        from += n;
    }
    return NONE;
}

static uint64_t stride(uint64_t size) { return ((size - 2 * edge) / (teeth + 1) + 8) & ~(uint64_t)7; }

void pattern_write(void *block, uint64_t seed, uint64_t size)
{
    if (size <= whole) {
        write_span(block, seed, 0, size);
        return;
    }
    write_span(block, seed, 0, edge);
    for (uint64_t at = edge + stride(size); at + TOOTH < size - edge; at += stride(size))
        write_span(block, seed, at, at + TOOTH);
    write_span(block, seed, size - edge, size);
}

/* Offset of the first watched byte under `below` that is not as written, or NONE. */
uint64_t pattern_differs(const void *block, uint64_t seed, uint64_t size, uint64_t below)
{
    if (size <= whole)
        return span_differs(block, seed, 0, below < size ? below : size);
    uint64_t found = span_differs(block, seed, 0, below < edge ? below : edge);
    for (uint64_t at = edge + stride(size); found == NONE && at + TOOTH < size - edge; at += stride(size))
        if (at + TOOTH <= below)
            found = span_differs(block, seed, at, at + TOOTH);
    if (found == NONE && below > size - edge)
        found = span_differs(block, seed, size - edge, below < size ? below : size);
    return found;
}

static uint64_t nonzero_in(const unsigned char *bytes, uint64_t from, uint64_t to)
{
    static const unsigned char zeroes[4096];
    for (; from < to; from += sizeof zeroes) {
        uint64_t n = to - from < sizeof zeroes ? to - from : sizeof zeroes;
        if (memcmp(bytes + from, zeroes, n) == 0)
            continue;
        while (bytes[from] == 0)
            from++;
        return from;
    }
    return NONE;
}

/* Offset of the first watched byte that is not zero, or NONE. */
uint64_t first_nonzero(const void *block, uint64_t size)
{
    uint64_t looked_at = size < MOST_ZEROES ? size : MOST_ZEROES;
    uint64_t found = nonzero_in(block, 0, looked_at);
    return found != NONE || looked_at == size ? found : nonzero_in(block, size - looked_at, size);
}
