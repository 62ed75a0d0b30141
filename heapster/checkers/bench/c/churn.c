/* churn N THREADS: N times, THREADS threads are started, ask for some blocks, free most of them, and end; the others
   are freed by the main thread, as results are. */

#include <pthread.h>

#include "workload.h"

enum { BLOCKS = 64, RESULTS = 8, MOST_THREADS = 64, SMALLEST = 16, LARGEST = 1024 };

struct task {
    pthread_t thread;
    uint64_t random;
    void *results[RESULTS];
};

static void *work(void *given_task)
{
    struct task *task = given_task;
    void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = take(uniform(&task->random, SMALLEST, LARGEST));
    for (size_t i = 0; i < BLOCKS; i++) {
        if (i < RESULTS)
            task->results[i] = blocks[i];
        else
            give(blocks[i]);
    }
    return NULL;
}

static void start(struct task *task)
{
    if (pthread_create(&task->thread, NULL, work, task))
        stop(WRONG_USE, "no thread can be made");
}

static void finish(struct task *task)
{
    pthread_join(task->thread, NULL);
    for (size_t i = 0; i < RESULTS; i++)
        give(task->results[i]);
}

int main(int argc, char **argv)
{
    size_t times = argument(argc, argv, 1, 1), threads = argument(argc, argv, 2, 1);
    static struct task tasks[MOST_THREADS];
    if (threads > MOST_THREADS)
        stop(WRONG_USE, "too many threads");
    for (size_t i = 0; i < threads; i++)
        tasks[i].random = i + 1;
    for (size_t n = 0; n < times; n++) {
        for (size_t i = 0; i < threads; i++)
            start(&tasks[i]);
        for (size_t i = 0; i < threads; i++)
            finish(&tasks[i]);
    }
    return done(2 * times * threads * BLOCKS);
}
