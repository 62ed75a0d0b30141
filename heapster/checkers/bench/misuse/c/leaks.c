/* Addresses in fresh blocks: whoever can read one knows where to strike. What the program itself writes into blocks
   is zero. */

#include <malloc.h>

#include "misuse.h"

enum { BLOCKS = 12 };

static word *plain(size_t size)
{
    word *p = malloc(size);
    memset(p, 0, size);
    return p;
}

static void fresh(size_t size)
{
    word *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = plain(size);
    for (int i = 0; i < BLOCKS; i += 1 + (size >= LARGE))
        free(blocks[i]);
    for (int i = 0; i < BLOCKS; i++)
        expect_no_address(malloc(size), size);
}

static void fresh_of_larger(size_t size)
{
    word *p = plain(4 * size), *wall = plain(size);
    free(p);
    for (int i = 0; i < 3; i++)
        expect_no_address(malloc(size), size);
    (void)wall;
}

static void aligned(size_t size)
{
    word *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = plain(size);
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    for (int i = 0; i < BLOCKS; i++)
        expect_no_address(aligned_alloc(64, size), size);
}

static void grown(size_t size)
{
    word *p = plain(size), *q = plain(size), *wall = plain(size);
    free(q);
    p = realloc(p, 2 * size);
    expect_no_address(p, 2 * size);
    (void)wall;
}

static void free_it(void *p) { free(p); }

static void from_elsewhere(size_t size)
{
    for (int i = 0; i < BLOCKS; i++)
        in_thread(free_it, plain(size));
    for (int i = 0; i < BLOCKS; i++)
        expect_no_address(malloc(size), size);
}

#define CASE(name, promise, run, size, text) {"leak", name, promise, run, size, text}
const struct misuse leaks[] = {
    CASE("fresh-small", QUIET, fresh, SMALL, "fresh small blocks are read"),
    CASE("fresh-middle", QUIET, fresh, MIDDLE, "fresh blocks of 1 KB are read"),
    CASE("fresh-great", QUIET, fresh, GREAT, "fresh blocks of 20 KB are read"),
    CASE("fresh-large", QUIET, fresh, LARGE, "fresh large blocks are read"),
    CASE("fresh-mapped", QUIET, fresh, MAPPED, "fresh mappings are read"),
    CASE("fresh-of-larger", QUIET, fresh_of_larger, LARGE / 4,
         "fresh blocks that were part of a larger free block are read"),
    CASE("fresh-aligned", QUIET, aligned, SMALL, "fresh aligned blocks are read"),
    CASE("fresh-grown", QUIET, grown, LARGE, "what realloc adds is read"),
    CASE("fresh-from-elsewhere", QUIET, from_elsewhere, SMALL, "fresh blocks that another thread freed are read"),
    {0},
};
