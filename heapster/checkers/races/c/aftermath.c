/* What is left once all threads have ended: blocks that never come back, and heaps that grow from round to round. */
#include <string.h>

#include "scheduler.h"

enum {
    PAST = MOST_OPS * 2,
    HARD_LIMIT = 1 << 12,    /* blocks that one thread asks for before it is left open whether others ever come back */
    MOST_ACCESSES = 1 << 22, /* of all that they ask for, before that is left open too: a list may have to be walked */
    GROWTHS = 2,             /* times that the system must have been asked for more meanwhile */
    MOST_PLACES = 1 << 15,
    STALE_ROUNDS = 8,
    FIRST_ROUNDS = 256
};

static struct {
    uintptr_t at, size;
    int is_back;
} past[PAST]; /* blocks that the program had */
static int past_count;
static uint64_t growths;

void note_growth(void) { growths++; }

/* These bytes are somebody's again, or the system's. */
void note_back(uintptr_t start, uintptr_t end)
{
    for (int i = 0; i < past_count; i++)
        if (past[i].at < end && start < past[i].at + past[i].size)
            past[i].is_back = 1;
}

static int first_missing(void)
{
    for (int i = 0; i < past_count; i++)
        if (!past[i].is_back)
            return i;
    return -1;
}

/* What threads that come later ask for. */
static struct {
    uint64_t limit, asked, accesses;
    int is_patient, is_open; /* is_patient: they go on until the system has been asked for more; is_open: in vain */
} draining;

static uint64_t size_of(const struct op *op)
{
    return op->code == 'm' || op->code == 'c' ? op->numbers[0] : op->code == 'a' ? op->numbers[1] : 24;
}

static void drain(void)
{
    alone = 1;
    const uint64_t before = growths, count = shared->lane_start[shared->lanes + 1];
    for (uint64_t i = 0; first_missing() >= 0; i++) {
        if (draining.is_patient ? growths >= before + GROWTHS : i == draining.limit)
            return;
        uint64_t size = size_of(&shared->ops[i % count]);
        int goes_on = i < HARD_LIMIT && draining.accesses < MOST_ACCESSES;
        alone = 1; /* each call by itself has an end, however long all of them take */
        void *given = goes_on ? target.malloc(size) : NULL;
        draining.accesses += (uint64_t)alone;
        draining.is_open |= !goes_on;
        if (given == NULL)
            return;
        draining.asked++;
        note_back((uintptr_t)given, (uintptr_t)given + size);
    }
}

static void *drain_lane(void *unused)
{
    for (;;) {
        drain();
        back_to_hub();
    }
    return unused;
}

/* The hub, as it has freed what was left, and fresh threads, as many as there were. */
static void drain_all(int is_patient)
{
    draining.is_patient = is_patient;
    drain();
    for (int i = 0; i < (int)shared->lanes && first_missing() >= 0; i++) {
        if (!threads[i].live)
            start_lane(i, drain_lane, NULL);
        run_alone(i);
    }
}

void expect_all_back(void)
{
    draining.limit = shared->drain;
    if (draining.limit == 0 || shared->lane_start[shared->lanes + 1] == 0)
        return;
    drain_all(0);
    shared->drained = first_missing() < 0 ? draining.asked + 1 : 0;
    if (first_missing() < 0 || !shared->expects_all)
        return;
    drain_all(1);
    int lost = first_missing();
    if (lost >= 0 && !draining.is_open)
        problem(
            LOST_BLOCK, past[lost].at, -1,
            "what was at 0x%lx has been freed, and never comes back: %lu blocks that are asked for later lie elsewhere",
            (unsigned long)past[lost].at, (unsigned long)draining.asked);
}

/* Growth: whether round after round takes memory that none before it had. */

static uintptr_t places[MOST_PLACES];
static int is_new_place, is_refused, rounds_on;

static void note_place(uintptr_t at)
{
    uint32_t slot = (uint32_t)(at * 0x9E3779B97F4A7C15u >> 40) % MOST_PLACES, tried = 0;
    while (places[slot] != 0 && places[slot] != at && ++tried < MOST_PLACES)
        slot = (slot + 1) % MOST_PLACES;
    is_new_place |= places[slot] != at;
    places[slot] = at;
}

void note_block(const void *at, uint64_t size)
{
    if (rounds_on)
        note_place((uintptr_t)at);
    else if (past_count < PAST)
        past[past_count].at = (uintptr_t)at, past[past_count++].size = size != 0 ? size : 1;
}

/* To have nothing left after so many rounds is to grow. */
int note_refusal(void)
{
    is_new_place = is_refused = 1;
    return rounds_on;
}

enum growing { STEADY, GROWING, OPEN };

/* Something new in each round is no growth yet: blocks may be spread. Nor is what the system gives before they are. */
static enum growing grows(void (*round)(void))
{
    int stale = 0;
    uint64_t settled = 0;
    memset(places, 0, sizeof places);
    rounds_on = 1, is_refused = 0;
    for (uint64_t i = 0; i < shared->rounds && stale < STALE_ROUNDS; i++) {
        if (i == FIRST_ROUNDS)
            settled = growths;
        is_new_place = 0, alone = 1;
        round();
        stale = is_new_place ? 0 : stale + 1;
        if (i >= FIRST_ROUNDS && (growths > settled || is_refused)) {
            rounds_on = 0;
            return GROWING;
        }
    }
    rounds_on = 0;
    return stale < STALE_ROUNDS ? OPEN : STEADY;
}

void expect_no_growth(void (*by_one)(void), void (*by_threads)(void))
{
    const uint64_t events = shared->events_out, calls = shared->calls;
    /* Who never uses a block again does not do it because of threads. */
    enum growing found = grows(by_one) == STEADY ? grows(by_threads) : STEADY;
    shared->rounds_open |= found == OPEN;
    if (found == GROWING)
        problem(HEAP_GROWTH, 0, -1,
                "round after round of the program, by threads that end and free all, takes memory that no round before "
                "had, until the system is asked for more; the same calls by one thread do not");
    shared->events_out = events, shared->calls = calls;
}
