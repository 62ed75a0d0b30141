/* mstress N ROUNDS THREADS: mixed life times, after mstress of mimalloc-bench. In each round THREADS new threads take N
   steps each: a block is asked for, freed, kept for the rest of the round, or exchanged through slots that all share.
   What is shared lives on into the next round and is freed by any thread. */

#include <pthread.h>
#include <stdatomic.h>

#include "workload.h"

enum { OWN = 1000, SHARED = 1000, SMALL = 256, MEDIUM = 4096, LARGE = 65536 };

static _Atomic(void *) shared[SHARED];
static size_t steps;

/* Of 64 blocks, 56 are small, 7 are of medium size, and 1 is large. */
static size_t drawn_size(uint64_t *random)
{
    uint64_t kind = draw(random) % 64;
    return kind < 56   ? uniform(random, LEAST, SMALL)
           : kind < 63 ? uniform(random, SMALL, MEDIUM)
                       : uniform(random, MEDIUM, LARGE);
}

static void give_if_any(void *p)
{
    if (p)
        give(p);
}

static void step(void **slot, uint64_t *random)
{
    switch (draw(random) % 8) {
    case 0:
    case 1:
    case 2:
    case 3: /* a new one in place of the old */
        give_if_any(*slot);
        *slot = take(drawn_size(random));
        break;
    case 4:
    case 5:
        give_if_any(*slot);
        *slot = NULL;
        break;
    case 6:
        *slot = atomic_exchange(&shared[draw(random) % SHARED], *slot);
        break;
    default: /* it lives on */
        if (*slot)
            check_ends(*slot, size_of(*slot));
    }
}

static void *work(void *seed)
{
    uint64_t random = (uintptr_t)seed;
    void **own = given(calloc(OWN, sizeof *own));
    for (size_t i = 0; i < steps; i++)
        step(&own[draw(&random) % OWN], &random);
    for (size_t i = 0; i < OWN; i++)
        give_if_any(own[i]);
    free(own);
    return NULL;
}

static void round_of(size_t threads, size_t number)
{
    pthread_t *started = given(malloc(threads * sizeof *started));
    for (size_t i = 0; i < threads; i++)
        if (pthread_create(&started[i], NULL, work, (void *)(number * threads + i + 1)))
            stop(WRONG_USE, "no thread can be made");
    for (size_t i = 0; i < threads; i++)
        pthread_join(started[i], NULL);
    free(started);
}

int main(int argc, char **argv)
{
    steps = argument(argc, argv, 1, 1);
    size_t rounds = argument(argc, argv, 2, 1), threads = argument(argc, argv, 3, 1);
    for (size_t number = 0; number < rounds; number++)
        round_of(threads, number);
    for (size_t i = 0; i < SHARED; i++)
        give_if_any(shared[i]);
    return done(steps * rounds * threads); /* half the steps ask, about as many free */
}
