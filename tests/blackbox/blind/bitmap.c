// An arena of 64-byte units and two bitmaps: which are in use, and at which a block ends. First fit.
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <stdlib.h>

#define UNIT 64
#define UNITS 65536

static _Alignas(64) unsigned char arena[UNITS * UNIT];
static uint8_t in_use[UNITS / 8], last[UNITS / 8];

static bool bit(const uint8_t *map, size_t i) { return (map[i / 8] >> (i % 8)) & 1; }
static void put(uint8_t *map, size_t i, bool on)
{
    if (on)
        map[i / 8] |= (uint8_t)(1 << (i % 8));
    else
        map[i / 8] &= (uint8_t)~(1 << (i % 8));
}

void *malloc(size_t size)
{
    size_t want = size / UNIT + (size % UNIT != 0), run = 0;
    if (want == 0)
        want = 1;
    if (want > UNITS)
        return NULL;
    for (size_t i = 0; i < UNITS; i++) {
        run = bit(in_use, i) ? 0 : run + 1;
        if (run < want)
            continue;
        size_t first = i + 1 - want;
        for (size_t k = first; k <= i; k++)
            put(in_use, k, true);
        put(last, i, true);
        return arena + first * UNIT;
    }
    return NULL;
}

static size_t units_of(size_t first)
{
    size_t i = first;
    while (!bit(last, i))
        i++;
    return i - first + 1;
}

void free(void *p)
{
    if (p == NULL)
        return;
    size_t first = (size_t)((unsigned char *)p - arena) / UNIT, n = units_of(first);
    for (size_t k = first; k < first + n; k++)
        put(in_use, k, false);
    put(last, first + n - 1, false);
}

void *realloc(void *p, size_t size)
{
    if (p == NULL)
        return malloc(size);
    size_t first = (size_t)((unsigned char *)p - arena) / UNIT, has = units_of(first) * UNIT;
    if (size <= has)
        return p;
    void *q = malloc(size);
    if (q == NULL)
        return NULL;
    memcpy(q, p, has);
    free(p);
    return q;
}
