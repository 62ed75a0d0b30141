/* large N: N times, one of SLOTS blocks of 64 KB to 4 MB is freed, and another takes its place. Each page is written,
   since who asks for so much uses it. */

#include "workload.h"

enum { SLOTS = 16, SMALLEST = 64 << 10, LARGEST = 4 << 20 };

static void *replaced(void *old, size_t size)
{
    if (old)
        give(old);
    void *p = take(size);
    write_pages(p, size);
    return p;
}

int main(int argc, char **argv)
{
    size_t times = argument(argc, argv, 1, 1);
    void *slots[SLOTS] = {0};
    uint64_t random = 3;
    for (size_t i = 0; i < times; i++) {
        void **slot = &slots[draw(&random) % SLOTS];
        *slot = replaced(*slot, by_doubling(&random, SMALLEST, LARGEST));
    }
    for (size_t i = 0; i < SLOTS; i++)
        if (slots[i])
            give(slots[i]);
    return done(2 * times);
}
