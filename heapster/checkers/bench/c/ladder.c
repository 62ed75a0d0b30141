/* ladder N: N times, RUNGS blocks grow side by side by realloc, as strings and vectors do: every second in small
   steps up to 4 KB, the others by half of their size up to 1 MB. In the end each is cut to a half and freed. */

#include "workload.h"

enum { RUNGS = 8, STEP = 48, TOP_OF_STRINGS = 4 << 10, TOP_OF_VECTORS = 1 << 20 };

static size_t operations;

static void *resized(void *p, size_t size)
{
    size_t old = p ? size_of(p) : 0;
    void *moved = given(realloc(p, size));
    if (old && size_of(moved) != old)
        stop(DAMAGED, "realloc did not keep the contents");
    operations++;
    return write_ends(moved, size);
}

static size_t next_size(size_t size, int is_string) { return is_string ? size + STEP : size + size / 2; }

static void climb(void)
{
    void *blocks[RUNGS] = {0};
    for (int growing = RUNGS; growing;) {
        growing = 0;
        for (int i = 0; i < RUNGS; i++) {
            int is_string = i % 2;
            size_t size = blocks[i] ? next_size(size_of(blocks[i]), is_string) : (size_t)LEAST * (i + 1);
            if (size <= (is_string ? TOP_OF_STRINGS : TOP_OF_VECTORS)) {
                blocks[i] = resized(blocks[i], size);
                growing++;
            }
        }
    }
    for (int i = 0; i < RUNGS; i++) {
        give(resized(blocks[i], size_of(blocks[i]) / 2));
        operations++;
    }
}

int main(int argc, char **argv)
{
    for (size_t times = argument(argc, argv, 1, 1); times; times--)
        climb();
    return done(operations);
}
