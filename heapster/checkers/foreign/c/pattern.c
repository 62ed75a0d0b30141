/* What is written into blocks: a pattern that depends on the block and on the place in it.

   Small blocks are filled; of large ones both ends and a comb of places between them. */
#include <string.h>

#include "judge.h"

#define WHOLE 1024u                 /* bytes; larger blocks are sampled */
#define EDGE 256u                   /* bytes at either end of a sampled block */
#define TOOTH 16u                   /* bytes of each tooth of the comb */
#define TEETH 32u

uint64_t mix(uint64_t x)            /* splitmix64's finaliser */
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static inline uint64_t word_at(uint64_t seed, uint64_t word)
{
    return (seed + word * 0x9e3779b97f4a7c15u) | 0x0101010101010101u;      /* no byte is ever 0 */
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

static uint64_t stride(uint64_t size)
{
    return ((size - 2 * EDGE) / (TEETH + 1) + 8) & ~(uint64_t)7;
}

void pattern_write(void *block, uint64_t seed, uint64_t size)
{
    if (size <= WHOLE) {
        write_span(block, seed, 0, size);
        return;
    }
    write_span(block, seed, 0, EDGE);
    for (uint64_t at = EDGE + stride(size); at + TOOTH < size - EDGE; at += stride(size))
        write_span(block, seed, at, at + TOOTH);
    write_span(block, seed, size - EDGE, size);
}

/* Offset of the first watched byte under `below` that is not as written, or NONE. */
uint64_t pattern_differs(const void *block, uint64_t seed, uint64_t size, uint64_t below)
{
    if (size <= WHOLE)
        return span_differs(block, seed, 0, below < size ? below : size);
    uint64_t found = span_differs(block, seed, 0, below < EDGE ? below : EDGE);
    for (uint64_t at = EDGE + stride(size); found == NONE && at + TOOTH < size - EDGE; at += stride(size))
        if (at + TOOTH <= below)
            found = span_differs(block, seed, at, at + TOOTH);
    if (found == NONE && below > size - EDGE)
        found = span_differs(block, seed, size - EDGE, below < size ? below : size);
    return found;
}

/* Offset of the first watched byte that is not zero, or NONE. */
uint64_t first_nonzero(const void *block, uint64_t size)
{
    const unsigned char *bytes = block;
    uint64_t step = size <= 1u << 16 ? 1 : 64;
    for (uint64_t at = 0; at < size && at < 1u << 24; at += at < 4096 ? 1 : step)
        if (bytes[at] != 0)
            return at;
    for (uint64_t at = size > 64 ? size - 64 : 0; at < size; at++)
        if (bytes[at] != 0)
            return at;
    return NONE;
}
