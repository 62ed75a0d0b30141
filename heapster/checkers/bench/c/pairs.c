/* pairs N LEAST MOST [empty]: N times malloc and free, the sizes doubling from LEAST to MOST, each as often.
   With `empty`, one static block is written and checked in place of allocating: what the loop costs. */

#include "workload.h"

enum { LARGEST = 1 << 20 };
static _Alignas(16) unsigned char block[LARGEST];

static void pairs(size_t times, size_t size, int empty)
{
    for (size_t i = 0; i < times; i++) {
        if (empty)
            check_ends(write_ends(block, size), size);
        else
            give(take(size));
    }
}

int main(int argc, char **argv)
{
    size_t times = argument(argc, argv, 1, 1), least = argument(argc, argv, 2, LEAST);
    size_t most = argument(argc, argv, 3, least), sizes = 0;
    if (most > LARGEST)
        stop(WRONG_USE, "the blocks are too large");
    for (size_t size = least; size <= most; size *= 2)
        sizes++;
    size_t each = times / sizes + 1;
    for (size_t size = least; size <= most; size *= 2)
        pairs(each, size, argc > 4);
    return done(2 * each * sizes);
}
