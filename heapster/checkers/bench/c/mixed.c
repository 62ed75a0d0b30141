/* mixed N BLOCKS LEAST MOST uniform|doubling [empty]: N times, BLOCKS blocks of random sizes are asked for, and freed
   in a random order. With `empty`, each has a static block for ever. */

#include "workload.h"

enum { MOST_BLOCKS = 10000, LARGEST = 1 << 15, STRIDE = 1 << 9 };
static _Alignas(16) unsigned char stand_ins[MOST_BLOCKS * STRIDE + LARGEST];
static void *blocks[MOST_BLOCKS];

int main(int argc, char **argv) {
    size_t times = argument(argc, argv, 1, 1), count = argument(argc, argv, 2, 1);
    size_t least = argument(argc, argv, 3, LEAST), most = argument(argc, argv, 4, 2 * least);
    if (count > MOST_BLOCKS || most > LARGEST || argc < 6)
        stop(WRONG_USE, "mixed N BLOCKS LEAST MOST uniform|doubling [empty]");
    size_t (*size)(uint64_t *, size_t, size_t) = strcmp(argv[5], "uniform") ? by_doubling : uniform;
    int empty = argc > 6;
    uint64_t random = 88172645463325252ULL;
    for (size_t n = 0; n < times; n++) {
        for (size_t i = 0; i < count; i++) {
            size_t wanted = size(&random, least, most);
            blocks[i] = empty ? write_ends(stand_ins + i * STRIDE, wanted < STRIDE ? wanted : STRIDE) : take(wanted);
        }
        for (size_t left = count; left; left--) {
            size_t at = draw(&random) % left;
            if (empty)
                check_ends(blocks[at], size_of(blocks[at]));
            else
                give(blocks[at]);
            blocks[at] = blocks[left - 1];
        }
    }
    return done(2 * times * count);
}
