/* live N COUNT LEAST MOST uniform|doubling [empty]: N times, a block of COUNT that is chosen at random is freed
   and another, of a random size, takes its place. With `empty`, each slot has a static block for ever. */

#include "workload.h"

static _Alignas(16) unsigned char blocks[STAND_INS];
static void *slots[MOST_LIVE];

int main(int argc, char **argv)
{
    struct live_set set = live_set(argc, argv);
    uint64_t random = 88172645463325252ULL;
    for (size_t i = 0; i < set.count; i++) {
        size_t wanted = size_for_set(&set, &random);
        slots[i] = set.empty ? write_ends(blocks + i * STRIDE, STRIDE) : take(wanted);
    }
    for (size_t i = 0; i < set.times; i++) {
        size_t at = draw(&random) % set.count, wanted = size_for_set(&set, &random);
        if (set.empty) {
            check_ends(slots[at], STRIDE);
            write_ends(slots[at], STRIDE);
        } else {
            give(slots[at]);
            slots[at] = take(wanted);
        }
    }
    for (size_t i = 0; i < set.count && !set.empty; i++)
        give(slots[i]);
    return done(2 * (set.times + set.count));
}
