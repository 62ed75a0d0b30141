/* mixed N COUNT LEAST MOST uniform|doubling [empty]: N times, COUNT blocks of random sizes are asked for, and freed
   in a random order. With `empty`, each has a static block for ever. */

#include "workload.h"

static _Alignas(16) unsigned char stand_ins[STAND_INS];
static void *blocks[MOST_LIVE];

int main(int argc, char **argv)
{
    struct live_set set = live_set(argc, argv);
    uint64_t random = 88172645463325252ULL;
    for (size_t n = 0; n < set.times; n++) {
        for (size_t i = 0; i < set.count; i++) {
            size_t wanted = size_for_set(&set, &random);
            blocks[i] =
                set.empty ? write_ends(stand_ins + i * STRIDE, wanted < STRIDE ? wanted : STRIDE) : take(wanted);
        }
        for (size_t left = set.count; left; left--) {
            size_t at = draw(&random) % left;
            if (set.empty)
                check_ends(blocks[at], size_of(blocks[at]));
            else
                give(blocks[at]);
            blocks[at] = blocks[left - 1];
        }
    }
    return done(2 * set.times * set.count);
}
