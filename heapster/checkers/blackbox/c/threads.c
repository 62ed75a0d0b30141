/* Real threads: each with blocks of its own, some handed to the others, which check and free them. The first may
   fork meanwhile; or threads come and go, and what they take together must come to rest. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "judge.h"
#include "preempting.h"

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
static int preempted;                  /* workers rest in the midst of their work */
static _Atomic int forking;            /* the first thread has not made all its forks */
static _Atomic uint64_t epoch, beside; /* forks under way or made, and steps that the others took */
static pthread_barrier_t gate;

enum {
    BESIDE = 5000,
    HEAD_START = 50,
    PATIENCE = 2000
}; /* steps of the others for a fork, and before it; of waiting */

struct worker {
    struct item *slots[SLOTS];
    uint64_t state;
    int forks; /* this is the one that does */
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
    static const uint64_t mosts[] = {32, 32, 64, 128, 128, 512, 2048, 40000};
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
    if ((shared->verbs >> OP_CALLOC & 1) != 0 && draw(w) % 8 == 0) {
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
    struct item moved = {pointer, item->size, item->seed};
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
    else if (choice < 6 && (shared->verbs >> OP_REALLOC & 1) != 0)
        resize(w, *slot);
    else
        give_back(*slot);
}

/* A forked child goes on alone with what it has inherited. */
static void live_as_child(struct worker *w)
{
    for (unsigned s = 0; s < SLOTS; s++) {
        if (w->slots[s]->pointer != NULL)
            give_back(w->slots[s]);
        take(w, w->slots[s]);
    }
    for (unsigned s = 0; s < SLOTS; s++)
        if (w->slots[s]->pointer != NULL)
            give_back(w->slots[s]);
    _exit(suspicion == NOTHING ? 0 : 3);
}

static void fork_once(struct worker *w)
{
    int status = 0;
    enter(FORKED);
    pid_t child = fork();
    if (child == 0)
        live_as_child(w);
    if (child > 0 && (waitpid(child, &status, 0) != child || status != 0)) {
        shared->code = (uint64_t)status;
        suspect(SUSPECT_FORK);
    }
    enter(CALLING);
}

/* The first thread: it forks while the others are in the midst of their work. */
static void fork_beside_others(struct worker *w)
{
    for (uint64_t n = 0; n < shared->forks && suspicion == NOTHING; n++) {
        uint64_t before = beside;
        epoch = n + 1;
        for (int i = 0; i < PATIENCE && beside - before < HEAD_START; i++) {
            step(w);
            sched_yield();
        }
        fork_once(w);
        shared->current = n, shared->done_ops = beside;
    }
    forking = 0;
}

/* Any other: so many steps for each fork, and sleep, so that a child that hangs is not waited for in a hurry. */
static void work_beside(struct worker *w)
{
    uint64_t seen = 0;
    for (int left = 0; forking && suspicion == NOTHING;) {
        if (seen != epoch)
            seen = epoch, left = BESIDE;
        if (left-- > 0)
            step(w), beside++;
        else
            left = 0, usleep(200);
    }
}

static void *work(void *argument)
{
    struct worker *w = argument;
    pthread_barrier_wait(&gate);
    if (shared->forks != 0) {
        w->forks ? fork_beside_others(w) : work_beside(w);
        return NULL;
    }
    if (preempted)
        start_resting();
    for (uint64_t i = 0; i < shared->ops && suspicion == NOTHING; i++) {
        step(w);
        if (i % 1024 == 0)
            shared->done_ops = atomic_fetch_add(&steps, 1024), enter(CALLING);
    }
    if (preempted)
        stop_resting();
    return NULL;
}

static struct worker workers[MOST_THREADS];
static pthread_t threads[MOST_THREADS];

static void start(uint64_t t)
{
    workers[t].state = mix(shared->seed * MOST_THREADS + t) | 1;
    workers[t].forks = t == 0 && shared->forks != 0;
    for (uint64_t s = 0; s < SLOTS; s++)
        workers[t].slots[s] = &items[t * SLOTS + s];
    if (pthread_create(&threads[t], NULL, work, &workers[t]) != 0)
        shared->init_failed = 1;
}

/* So many workers at once, or one after the other; all that they leave is given back. */
static void one_generation(uint64_t count, int sequential)
{
    for (uint64_t m = 0; m < MAILBOXES; m++)
        mailbox[m] = &items[count * SLOTS + m];
    forking = shared->forks != 0, epoch = 0;
    pthread_barrier_init(&gate, NULL, sequential ? 1 : (unsigned)count);
    for (uint64_t t = 0; t < count && !sequential; t++)
        start(t);
    for (uint64_t t = 0; t < count; t++) {
        if (sequential)
            start(t);
        pthread_join(threads[t], NULL);
    }
    pthread_barrier_destroy(&gate);
    for (uint64_t i = 0; i < count * SLOTS + MAILBOXES && suspicion == NOTHING; i++)
        if (items[i].pointer != NULL)
            give_back(&items[i]);
}

static uint64_t thread_count(void) { return shared->threads < MOST_THREADS ? shared->threads : MOST_THREADS; }

/* `threads` workers at once; with `repeat` set, the same work one worker after the other. */
void run_threads(void)
{
    enter(CALLING);
    preempted = shared->repeat == 0 && shared->forks == 0;
    one_generation(thread_count(), shared->repeat != 0);
    shared->done_ops = atomic_load(&steps) + beside;
    shared->suspicion = (uint64_t)suspicion;
}

void run_generations(void)
{
    enter(CALLING);
    for (uint64_t round = 0; round < shared->repeat && suspicion == NOTHING && !shared->init_failed; round++) {
        one_generation(thread_count(), 0);
        sample_footprint(round);
        enter(CALLING);
    }
    shared->suspicion = (uint64_t)suspicion;
}
