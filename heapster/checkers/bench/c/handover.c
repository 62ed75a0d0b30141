/* handover N: one thread asks for N batches of blocks, another frees them, after xmalloc-bench (Lever and Boreham,
   USENIX 2000). Batches are blocks themselves and wait in a queue of bounded length. */

#include <pthread.h>

#include "workload.h"

enum { BATCH = 128, QUEUE = 64, SMALLEST = 16, LARGEST = 512 };

struct batch {
    struct batch *next;
    void *blocks[BATCH];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct batch *first, *last;
static size_t waiting, batches;

static void put(struct batch *batch)
{
    pthread_mutex_lock(&lock);
    while (waiting == QUEUE)
        pthread_cond_wait(&changed, &lock);
    batch->next = NULL;
    if (waiting++)
        last->next = batch;
    else
        first = batch;
    last = batch;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static struct batch *get(void)
{
    pthread_mutex_lock(&lock);
    while (!waiting)
        pthread_cond_wait(&changed, &lock);
    struct batch *batch = first;
    first = batch->next;
    waiting--;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
    return batch;
}

static void *produce(void *nothing)
{
    uint64_t random = 7;
    for (size_t n = 0; n < batches; n++) {
        struct batch *batch = given(malloc(sizeof *batch));
        for (size_t i = 0; i < BATCH; i++)
            batch->blocks[i] = take(uniform(&random, SMALLEST, LARGEST));
        put(batch);
    }
    return nothing;
}

static void consume(void)
{
    for (size_t n = 0; n < batches; n++) {
        struct batch *batch = get();
        for (size_t i = 0; i < BATCH; i++)
            give(batch->blocks[i]);
        free(batch);
    }
}

int main(int argc, char **argv)
{
    batches = argument(argc, argv, 1, 1);
    pthread_t producer;
    if (pthread_create(&producer, NULL, produce, NULL))
        stop(WRONG_USE, "no thread can be made");
    consume();
    pthread_join(producer, NULL);
    return done(2 * batches * (BATCH + 1));
}
