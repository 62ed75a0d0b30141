/* Real threads: each with blocks of its own, some handed to the others, which check and free them. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "judge.h"

#define MOST_THREADS 64u
#define SLOTS 64u
#define MAILBOXES 64u
#define ITEMS (MOST_THREADS * SLOTS + MAILBOXES)

struct item {
    void *pointer;
    uint64_t size, seed;
};

static struct item items[ITEMS];
static _Atomic(struct item *) mailbox[MAILBOXES];
static _Atomic uint64_t steps;
static _Atomic int suspicion;
static pthread_barrier_t gate;

struct worker {
    struct item *slots[SLOTS];
    uint64_t state;
};

static uint64_t draw(struct worker *w)
{
    w->state ^= w->state << 13, w->state ^= w->state >> 7, w->state ^= w->state << 17;
    return w->state * 0x2545f4914f6cdd1du >> 11;
}

static void suspect(int what)
{
    int none = NOTHING;
    atomic_compare_exchange_strong(&suspicion, &none, what);
}

static uint64_t draw_size(struct worker *w)
{
    static const uint64_t mosts[] = { 32, 32, 64, 128, 128, 512, 2048, 40000 };
    uint64_t size = 1 + draw(w) % mosts[draw(w) % 8];
    return size <= shared->most_size ? size : 1 + size % shared->most_size;
}

static int intact(const struct item *item, uint64_t below)
{
    return pattern_differs(item->pointer, item->seed, item->size, below) == NONE;
}

static void fill(struct worker *w, struct item *item, void *pointer, uint64_t size)
{
    item->pointer = pointer, item->size = size, item->seed = draw(w);
    if (pointer == NULL)
        return;
    if (((uintptr_t)pointer & (shared->alignment - 1)) != 0 && size >= shared->alignment
        && (shared->masked >> SUSPECT_MISALIGNED & 1) == 0)
        suspect(SUSPECT_MISALIGNED);
    pattern_write(pointer, item->seed, size);
}

static void take(struct worker *w, struct item *item)
{
    uint64_t size = draw_size(w);
    if ((shared->verbs >> CALLOC & 1) != 0 && draw(w) % 8 == 0) {
        void *pointer = target.calloc(1, (size_t)size);
        if (pointer != NULL && first_nonzero(pointer, size) != NONE)
            suspect(SUSPECT_DIRTY);
        fill(w, item, pointer, size);
        return;
    }
    fill(w, item, target.malloc((size_t)size), size);
}

static void resize(struct worker *w, struct item *item)
{
    uint64_t size = draw_size(w);
    if (!intact(item, NONE))
        suspect(SUSPECT_CONTENTS);
    void *pointer = target.realloc(item->pointer, (size_t)size);
    if (pointer == NULL)
        return;
    struct item moved = { pointer, item->size, item->seed };
    if (!intact(&moved, size))
        suspect(SUSPECT_PREFIX);
    fill(w, item, pointer, size);
}

/* Requires: it holds a block, as an item does until it is given back. */
static void give_back(struct item *item)
{
    if (item->pointer != NULL && !intact(item, NONE))
        suspect(SUSPECT_CONTENTS);
    void *pointer = item->pointer;
    item->pointer = NULL;
    if (pointer == NULL)
        harness_misuse((int32_t)(item - items));
    target.free(pointer);
}

static void step(struct worker *w)
{
    struct item **slot = &w->slots[draw(w) % SLOTS];
    uint64_t choice = draw(w) % 16;
    if ((*slot)->pointer == NULL)
        take(w, *slot);
    else if (choice < 3)
        *slot = atomic_exchange(&mailbox[draw(w) % MAILBOXES], *slot);
    else if (choice < 6 && (shared->verbs >> REALLOC & 1) != 0)
        resize(w, *slot);
    else
        give_back(*slot);
}

static void *work(void *argument)
{
    struct worker *w = argument;
    pthread_barrier_wait(&gate);
    for (uint64_t i = 0; i < shared->ops && suspicion == NOTHING; i++) {
        step(w);
        if (i % 1024 == 0)
            shared->done_ops = atomic_fetch_add(&steps, 1024);
    }
    return NULL;
}

static void start(struct worker *workers, pthread_t *threads, uint64_t count)
{
    for (uint64_t t = 0; t < count; t++) {
        workers[t].state = mix(shared->seed * MOST_THREADS + t) | 1;
        for (uint64_t s = 0; s < SLOTS; s++)
            workers[t].slots[s] = &items[t * SLOTS + s];
        if (pthread_create(&threads[t], NULL, work, &workers[t]) != 0)
            shared->init_failed = 1;
    }
}

/* `threads` workers at once; with `repeat` set, the same work one worker after the other. */
void run_threads(void)
{
    static struct worker workers[MOST_THREADS];
    static pthread_t threads[MOST_THREADS];
    uint64_t count = shared->threads < MOST_THREADS ? shared->threads : MOST_THREADS;
    int sequential = shared->repeat != 0;
    enter(CALLING);
    for (uint64_t m = 0; m < MAILBOXES; m++)
        mailbox[m] = &items[count * SLOTS + m];
    pthread_barrier_init(&gate, NULL, sequential ? 1 : (unsigned)count);
    if (!sequential)
        start(workers, threads, count);
    for (uint64_t t = 0; t < count; t++) {
        if (sequential)
            start(&workers[t], &threads[t], 1);
        pthread_join(threads[t], NULL);
    }
    for (uint64_t i = 0; i < count * SLOTS + MAILBOXES && suspicion == NOTHING; i++)
        if (items[i].pointer != NULL)
            give_back(&items[i]);
    shared->done_ops = atomic_load(&steps);
    shared->suspicion = (uint64_t)suspicion;
}
