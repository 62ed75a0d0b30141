/* larson N GENERATIONS SLOTS THREADS: a server, after Larson and Krishnan (ISMM 1998). Each of THREADS lines of
   threads owns SLOTS blocks. A thread replaces N of them at random, starts its successor, leaves it the blocks, and
   ends: so most blocks are freed by another thread than the one that asked for them. */

#include <pthread.h>
#include <semaphore.h>

#include "workload.h"

enum { SMALLEST = 16, LARGEST = 1000 };

struct line {
    void **slots;
    uint64_t random;
    size_t generations; /* that are still to come */
};

static size_t replacements, slots_each;
static sem_t ended;

static void start(struct line *line);

static void *serve(void *given_line)
{
    struct line *line = given_line;
    for (size_t i = 0; i < replacements; i++) {
        void **slot = &line->slots[draw(&line->random) % slots_each];
        give(*slot);
        *slot = take(uniform(&line->random, SMALLEST, LARGEST));
    }
    if (line->generations-- > 1)
        start(line);
    else
        sem_post(&ended);
    return NULL;
}

static void start(struct line *line)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve, line))
        stop(WRONG_USE, "no thread can be made");
    pthread_detach(thread);
}

/* The first owner's blocks come from the main thread. */
static void prepare(struct line *line, size_t generations, uint64_t random)
{
    line->slots = given(malloc(slots_each * sizeof *line->slots));
    line->random = random;
    line->generations = generations;
    for (size_t i = 0; i < slots_each; i++)
        line->slots[i] = take(uniform(&line->random, SMALLEST, LARGEST));
}

int main(int argc, char **argv)
{
    replacements = argument(argc, argv, 1, 1);
    size_t generations = argument(argc, argv, 2, 1), threads = argument(argc, argv, 4, 1);
    slots_each = argument(argc, argv, 3, 1);
    struct line *lines = given(malloc(threads * sizeof *lines));
    sem_init(&ended, 0, 0);
    for (size_t i = 0; i < threads; i++)
        prepare(&lines[i], generations, i + 1);
    for (size_t i = 0; i < threads; i++)
        start(&lines[i]);
    for (size_t i = 0; i < threads; i++)
        sem_wait(&ended);
    return done(2 * threads * (generations * replacements + slots_each));
}
