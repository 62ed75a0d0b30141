/* What the threads do, a round at a time. The numbers drawn in a round never depend on other threads, so
   that a seed gives each thread the same operations. Named after the workloads that they follow. */

#define _GNU_SOURCE
#include <sched.h>
#include <string.h>

#include "harness.h"

enum { LARGE_SLOTS = 8, LADDERS = 16, SETTINGS_EVERY = 256 };

/* Mostly small, as in programs. */
size_t usual_size(uint64_t random)
{
    switch (random & 7) {
    case 7:
        return 1 + (random >> 8) % 2048;
    case 6:
    case 5:
        return 1 + (random >> 8) % 512;
    default:
        return 1 + (random >> 8) % 96;
    }
}

void fill_slot(struct worker *w, struct block *b, uint64_t random)
{
    if ((random >> 32 & 15) == 0)
        take_zeroed(w, b, usual_size(random));
    else
        take(w, b, usual_size(random));
}

/* Private churn: a random slot is filled or emptied. */
void churn(struct worker *w)
{
    uint64_t random = draw(w);
    struct block *b = &w->slots[(random >> 40) % SLOTS];
    if (b->p)
        release(w, b);
    else
        fill_slot(w, b, random);
}

/* All threads in one arena: churn, and some blocks are resized. */
static void crowd(struct worker *w)
{
    uint64_t random = draw(w);
    struct block *b = &w->slots[(random >> 40) % SLOTS];
    if (!b->p)
        fill_slot(w, b, random);
    else if ((random >> 32 & 3) == 0)
        resize(w, b, usual_size(random));
    else
        release(w, b);
}

/* Larson and Krishnan, ISMM 1998: a server's threads replace blocks at random and leave them to the next
   generation. */
static void larson(struct worker *w)
{
    uint64_t random = draw(w);
    struct block *b = &w->slots[(random >> 40) % SLOTS];
    if (b->p)
        release(w, b);
    fill_slot(w, b, random);
}

static bool push(struct ring *ring, const struct block *b)
{
    size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head - atomic_load_explicit(&ring->tail, memory_order_acquire) == RING)
        return false;
    ring->blocks[head % RING] = *b;
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return true;
}

static bool must_stop(void)
{
    return atomic_load_explicit(&pausing, memory_order_relaxed) || atomic_load_explicit(&forking, memory_order_relaxed);
}

/* Whether it was pushed while others can be waited for: they may have stopped. */
static bool push_in_time(struct ring *ring, const struct block *b)
{
    while (!push(ring, b)) {
        if (must_stop())
            return false;
        sched_yield();
    }
    return true;
}

bool pop(struct ring *ring, struct block *b)
{
    size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail == atomic_load_explicit(&ring->head, memory_order_acquire))
        return false;
    *b = ring->blocks[tail % RING];
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return true;
}

static void consume(struct worker *w)
{
    struct block b;
    for (int i = 0; i < 2 && pop(&w->inbox, &b); i++)
        release(w, &b);
}

/* Producer-consumer (xmalloc, Lever and Boreham, USENIX 2000): another thread frees every block. */
static void handover(struct worker *w)
{
    struct worker *next = &workers[(w->index + 1) % threads];
    struct block b;
    fill_slot(w, &b, draw(w));
    consume(w);
    while (!push(&next->inbox, &b)) {
        consume(w);
        if (must_stop()) {
            release(w, &b);
            return;
        }
        sched_yield();
    }
}

/* mstress (mimalloc-bench): blocks change owners through shared slots. A private slot is never left empty
   by an exchange, nor filled by one. */
static void mstress(struct worker *w)
{
    uint64_t random = draw(w);
    struct block *b = &w->slots[(random >> 40) % SLOTS];
    if (!b->p)
        fill_slot(w, b, random);
    else if (random >> 56 & 1)
        release(w, b);
    if (b->p && (random >> 57 & 3) == 0) {
        struct shared_slot *slot = &shared[(random >> 48) % SHARED];
        while (atomic_flag_test_and_set_explicit(&slot->taken, memory_order_acquire))
            sched_yield();
        struct block mine = *b;
        *b = slot->block;
        slot->block = mine;
        atomic_flag_clear_explicit(&slot->taken, memory_order_release);
    }
}

/* Blocks that grow by steps, and shrink. */
static void ladder(struct worker *w)
{
    uint64_t random = draw(w);
    struct block *b = &w->slots[(random >> 40) % LADDERS];
    if (!b->p)
        take(w, b, 1 + random % 64);
    else if (b->size > 20000 || (random >> 24 & 31) == 0)
        release(w, b);
    else if ((random >> 24 & 7) == 1)
        resize(w, b, 1 + b->size / 2);
    else
        resize(w, b, b->size + 1 + (random >> 8) % (b->size + 32));
}

/* Alignments of 16 to 4096 bytes, beside blocks that ask for none. */
static void aligned(struct worker *w)
{
    uint64_t random = draw(w);
    struct block *b = &w->slots[(random >> 40) % SLOTS];
    if (b->p)
        release(w, b);
    else if (random >> 56 & 1)
        take_aligned(w, b, (size_t)16 << (random >> 32) % 9, usual_size(random), random >> 57 & 1);
    else
        take(w, b, usual_size(random));
}

/* Sizes on both sides of where blocks get mappings of their own. */
static void large(struct worker *w)
{
    uint64_t random = draw(w);
    struct block *b = &w->slots[(random >> 40) % LARGE_SLOTS];
    size_t size = 60000 + random % 140000;
    if (!b->p)
        take(w, b, size);
    else if (random >> 56 & 1)
        resize(w, b, size);
    else
        release(w, b);
}

/* Threads that live for a moment: each takes a few blocks, and others free what it leaves, some while it ends. */
static void mayflies(struct worker *w)
{
    consume(w);
    churn(w);
}

static void leave_to_others(struct worker *w)
{
    struct ring *inbox = &workers[(w->index + 1) % threads].inbox;
    for (int i = 0; i < SLOTS; i++)
        if (w->slots[i].p && push(inbox, &w->slots[i]))
            w->slots[i].p = NULL;
}

static void reclaim_all(struct worker *w)
{
    struct block b;
    bool any = false;
    for (int i = 0; i < threads - 1; i++)
        while (!must_stop() && pop(&workers[i].inbox, &b))
            release(w, &b), any = true;
    if (!any)
        sched_yield();
}

/* A thread that reclaims: it frees what all others took, and never takes anything itself. */
static void reclaim(struct worker *w)
{
    struct block b;
    uint64_t random = draw(w);
    if (threads == 1) {
        churn(w);
    } else if (w->index == threads - 1) { /* the first forks, which allocates */
        reclaim_all(w);
    } else {
        fill_slot(w, &b, random);
        if (!push_in_time(&w->inbox, &b))
            release(w, &b);
    }
}

/* As churn, with sizes that change sides while the threshold moves; thread 0 turns every knob. */
static void settings(struct worker *w)
{
    uint64_t random = draw(w);
    struct block *b = &w->slots[(random >> 40) % SLOTS];
    if (b->p)
        release(w, b);
    else
        take(w, b, (random >> 32 & 31) ? usual_size(random) : 4000 + random % 16000);
    if (w->index != 0 || (random >> 48) % SETTINGS_EVERY || !target.set_policy)
        return;
    size_t figures[STATS_WORDS] = {0};
    target.set_policy((int)(random % POLICIES));
    target.set_threshold((size_t)4096 << (random >> 2 & 7));
    target.set_cache((random >> 5 & 3) ? (size_t)32 << (random >> 7 & 15) : 0);
    target.stats(figures);
    if (figures[USED_BYTES] + figures[CACHED_BYTES] + figures[FREE_BYTES] > figures[HELD_BYTES])
        finding("torn_statistics", "%zu bytes held, %zu used, %zu cached and %zu free", figures[HELD_BYTES],
                figures[USED_BYTES], figures[CACHED_BYTES], figures[FREE_BYTES]);
}

const struct pattern patterns[] = {
    {.name = "churn", .round = churn},
    {.name = "crowd", .round = crowd, .crowded = true},
    {.name = "larson", .round = larson, .lifetime = GENERATION},
    {.name = "handover", .round = handover},
    {.name = "mstress", .round = mstress, .lifetime = GENERATION, .shares = true},
    {.name = "mayflies", .round = mayflies, .dying = leave_to_others, .lifetime = MAYFLY, .turn = TURN},
    {.name = "reclaim", .round = reclaim, .reclaims = true},
    {.name = "endings", .round = churn, .born = begin_life, .lifetime = MAYFLY, .turn = TURN, .exits = true},
    {.name = "ladder", .round = ladder},
    {.name = "aligned", .round = aligned},
    {.name = "large", .round = large},
    {.name = "settings", .round = settings},
    {.name = "fork", .round = churn, .forks = true},
    {0},
};

const struct pattern *find_pattern(const char *name)
{
    const struct pattern *found = patterns;
    while (found->name && strcmp(found->name, name))
        found++;
    return found->name ? found : NULL;
}
