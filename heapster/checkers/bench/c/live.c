/* live N SLOTS LEAST MOST uniform|doubling [empty]: N times, a block of SLOTS that is chosen at random is freed
   and another, of a random size, takes its place. With `empty`, each slot has a static block for ever. */

#include "workload.h"

enum { MOST_SLOTS = 10000, LARGEST = 1 << 15, STRIDE = 1 << 9 };
static _Alignas(16) unsigned char blocks[MOST_SLOTS * STRIDE + LARGEST];
static void *slots[MOST_SLOTS];

int main(int argc, char **argv) {
    size_t times = argument(argc, argv, 1, 1), count = argument(argc, argv, 2, 1);
    size_t least = argument(argc, argv, 3, LEAST), most = argument(argc, argv, 4, 2 * least);
    if (count > MOST_SLOTS || most > LARGEST || argc < 6)
        stop(WRONG_USE, "live N SLOTS LEAST MOST uniform|doubling [empty]");
    size_t (*size)(uint64_t *, size_t, size_t) = strcmp(argv[5], "uniform") ? by_doubling : uniform;
    int empty = argc > 6;
    uint64_t random = 88172645463325252ULL;
    for (size_t i = 0; i < count; i++) {
        size_t wanted = size(&random, least, most);
        slots[i] = empty ? write_ends(blocks + i * STRIDE, STRIDE) : take(wanted);
    }
    for (size_t i = 0; i < times; i++) {
        size_t at = draw(&random) % count, wanted = size(&random, least, most);
        if (empty) {
            check_ends(slots[at], STRIDE);
            write_ends(slots[at], STRIDE);
        } else {
            give(slots[at]);
            slots[at] = take(wanted);
        }
    }
    for (size_t i = 0; i < count && !empty; i++)
        give(slots[i]);
    return done(2 * (times + count));
}
