/* Which writes an atomic access may meet, and what comes of it. See weak.h. */
#include <string.h>

#include "weak.h"

enum { LOCATIONS = 1 << 11, POOL = 1 << 12, MOST_WRITES = 64, MOST_SEEN = 8, WORDS = 1 << 12 };

struct seen { /* by a thread, from its epoch on */
    uint32_t epoch;
    struct write *write;
};

struct location {
    uintptr_t address;
    uint32_t size, count, begun;       /* begun: the time of the first write; those before it are of another life */
    struct write *writes[MOST_WRITES]; /* in modification order, oldest first */
    struct seen seen[MOST_THREADS][MOST_SEEN];
    uint8_t seen_count[MOST_THREADS];
};

struct found { /* what an access may meet, newest first */
    struct write *writes[MOST_WRITES];
    unsigned count;
};

unsigned back;
static struct location locations[LOCATIONS];
static uint32_t location_count;
static uint16_t slots[2 * LOCATIONS];
static uint8_t opened[WORDS]; /* how many locations lie in words of this hash: most plain writes meet none */
static struct write pool[POOL];
static uint32_t pool_used;
static struct act acts[MOST_ACTS];
static int act_count, is_crowded; /* is_crowded: no more is chosen, as not all is known */

static uint32_t epoch(void) { return self->clock[self->number] + 1; }

static int knows(int thread, uint32_t since) { return thread == self->number || since <= self->clock[thread]; }

static int acquires(int order) { return order != __ATOMIC_RELAXED && order != __ATOMIC_RELEASE; }

static int releases(int order)
{
    return order == __ATOMIC_RELEASE || order == __ATOMIC_ACQ_REL || order == __ATOMIC_SEQ_CST;
}

/* Locations. */

static uint32_t hash(uintptr_t address) { return (uint32_t)(address * 0x9E3779B97F4A7C15u >> 40); }

static uint8_t *opened_at(uintptr_t address) { return &opened[hash(address >> 3) % WORDS]; }

static void count_words(const struct location *one, int by)
{
    for (uintptr_t at = one->address & -(uintptr_t)8; at < one->address + one->size; at += 8)
        *opened_at(at) = (uint8_t)(*opened_at(at) + by);
}

static void close_location(struct location *one)
{
    if (one->count == 0)
        return;
    count_words(one, -1);
    one->begun = one->writes[one->count - 1]->time + 2;
    one->count = 0;
    memset(one->seen_count, 0, sizeof one->seen_count);
}

static int is_any_open(uintptr_t start, uintptr_t end)
{
    if (end - start > 8 * WORDS)
        return 1;
    for (uintptr_t at = start & -(uintptr_t)8; at < end; at += 8)
        if (*opened_at(at) != 0)
            return 1;
    return 0;
}

void close_locations(uintptr_t start, uintptr_t end)
{
    if (!is_any_open(start, end))
        return;
    for (uint32_t i = 0; i < location_count; i++)
        if (locations[i].address < end && start < locations[i].address + locations[i].size)
            close_location(&locations[i]);
}

static struct location *slot_of(uintptr_t address)
{
    uint32_t at = hash(address) % (2 * LOCATIONS);
    while (slots[at] != 0 && locations[slots[at] - 1].address != address)
        at = (at + 1) % (2 * LOCATIONS);
    if (slots[at] == 0) {
        if (location_count == LOCATIONS)
            problem(UNUSABLE, address, -1, "the target has more than %d atomics", LOCATIONS);
        locations[location_count].address = address;
        slots[at] = (uint16_t)++location_count;
    }
    return &locations[slots[at] - 1];
}

static atomic_value in_memory(uintptr_t address, size_t size)
{
    atomic_value value = 0;
    memcpy(&value, (const void *)address, size);
    return value;
}

/* Where nothing is left, each location keeps its newest write: no run is as long as to need the others. */
static void clear_pool(void)
{
    static struct write newest[LOCATIONS];
    is_crowded = 1, act_count = 0, pool_used = 0;
    for (uint32_t i = 0; i < location_count; i++)
        if (locations[i].count != 0)
            newest[i] = *locations[i].writes[locations[i].count - 1];
    for (uint32_t i = 0; i < location_count; i++) {
        struct location *one = &locations[i];
        if (one->count == 0)
            continue;
        one->writes[0] = &pool[pool_used++];
        *one->writes[0] = newest[i];
        one->writes[0]->epoch = 0, one->writes[0]->time = 0, one->count = 1;
        memset(one->seen_count, 0, sizeof one->seen_count);
    }
}

static struct write *new_write(void)
{
    pool[pool_used] = (struct write){0};
    return &pool[pool_used++];
}

static struct location *open_location(uintptr_t address, size_t size)
{
    if (pool_used > POOL - 2)
        clear_pool();
    struct location *one = slot_of(address);
    if (one->count != 0 && one->size == size)
        return one;
    close_locations(address, address + size);
    close_location(one);
    one->size = (uint32_t)size, one->count = 1;
    one->writes[0] = new_write();
    one->writes[0]->value = in_memory(address, size), one->writes[0]->time = one->begun;
    count_words(one, 1);
    return one;
}

/* What may be. */

/* The time of the latest write that who knows as much must know of. */
static uint32_t floor_of(const struct location *one)
{
    uint32_t latest = 0;
    for (int thread = 0; thread < MOST_THREADS; thread++)
        for (int i = one->seen_count[thread] - 1; i >= 0; i--)
            if (knows(thread, one->seen[thread][i].epoch)) {
                if (one->seen[thread][i].write->time > latest)
                    latest = one->seen[thread][i].write->time;
                break;
            }
    return latest;
}

static struct act act_of(const struct location *one, int order, const struct write *reads, const struct write *after)
{
    struct act act = {.thread = self->number, .in_order = order == __ATOMIC_SEQ_CST};
    act.epoch = epoch(), act.location = one, act.reads = reads;
    act.made = after != NULL ? after->time + 1 : 0;
    memcpy(act.knows, self->clock, sizeof act.knows);
    for (int i = 0; reads != NULL && acquires(order) && i < MOST_THREADS; i++)
        if (reads->released[i] > act.knows[i])
            act.knows[i] = reads->released[i];
    return act;
}

static int is_consistent(const struct location *one, enum atomic_kind kind, int order, const struct write *met)
{
    const struct write *reads = kind != ATOMIC_STORE ? met : NULL, *after = kind != ATOMIC_LOAD ? met : NULL;
    acts[act_count] = act_of(one, order, reads, after);
    return !has_cycle(acts, act_count + 1);
}

/* How it would meet a write: as it is, or as a load where it would not swap. */
static enum atomic_kind kind_for(const struct atomic *asked, const struct write *met)
{
    return asked->kind == ATOMIC_COMPARE_EXCHANGE && met->value != asked->expected ? ATOMIC_LOAD : asked->kind;
}

static int order_for(const struct atomic *asked, const struct write *met)
{
    return kind_for(asked, met) == asked->kind ? asked->order : asked->failed;
}

/* All that it may meet; the newest always. */
static void find(const struct location *one, const struct atomic *asked, struct found *found)
{
    const struct write *newest = one->writes[one->count - 1];
    uint32_t floor = is_crowded || knows(newest->thread, newest->epoch) ? newest->time : floor_of(one);
    found->count = 0;
    for (uint32_t i = one->count; i-- > 0 && one->writes[i]->time >= floor;) {
        struct write *each = one->writes[i];
        enum atomic_kind kind = kind_for(asked, each);
        if (each->swapped && kind != ATOMIC_LOAD)
            continue;
        if (found->count == 0 || is_consistent(one, kind, order_for(asked, each), each))
            found->writes[found->count++] = each;
    }
}

/* What is. */

static void see(struct location *one, struct write *write)
{
    struct seen *seen = one->seen[self->number];
    uint8_t *count = &one->seen_count[self->number];
    if (*count > 0 && (seen[*count - 1].epoch == epoch() || seen[*count - 1].write == write)) {
        seen[*count - 1].write = write;
        return;
    }
    if (*count == MOST_SEEN) { /* the oldest is forgotten: who knew of it knows of the next */
        seen[1].epoch = seen[0].epoch;
        memmove(seen, seen + 1, sizeof *seen * MOST_SEEN - sizeof *seen);
        --*count;
    }
    seen[(*count)++] = (struct seen){epoch(), write};
}

static void put(struct location *one, struct write *made, const struct write *after)
{
    uint32_t place = 0;
    if (one->count == MOST_WRITES) {
        memmove(one->writes, one->writes + 1, sizeof *one->writes * (MOST_WRITES - 1));
        one->count--;
    }
    while (place < one->count && one->writes[place]->time <= after->time)
        place++;
    memmove(one->writes + place + 1, one->writes + place, sizeof *one->writes * (one->count - place));
    one->writes[place] = made;
    uint32_t before = place > 0 ? one->writes[place - 1]->time : after->time;
    for (one->count++; place < one->count; place++)
        one->writes[place]->time = before += 2;
}

static void note(struct act act)
{
    if (act_count == MOST_ACTS - 1)
        is_crowded = 1;
    else
        acts[act_count++] = act;
}

static atomic_value result_of(const struct atomic *asked, atomic_value was)
{
    switch (asked->kind) {
    case ATOMIC_ADD:
        return was + asked->operand;
    case ATOMIC_SUB:
        return was - asked->operand;
    case ATOMIC_AND:
        return was & asked->operand;
    case ATOMIC_OR:
        return was | asked->operand;
    case ATOMIC_XOR:
        return was ^ asked->operand;
    case ATOMIC_NAND:
        return ~(was & asked->operand);
    default:
        return asked->operand;
    }
}

static atomic_value cut(atomic_value value, size_t size)
{
    return size < sizeof value ? value & (((atomic_value)1 << 8 * size) - 1) : value;
}

static void load(struct location *one, struct write *met, int order)
{
    note(act_of(one, order, met, NULL));
    note_met(one->address + met->name);
    see(one, met);
    clock_learn(met->released, acquires(order));
}

/* Whether it is the newest, and so in memory. */
static int write(struct location *one, const struct atomic *asked, struct write *met)
{
    int swaps = asked->kind != ATOMIC_STORE, order = asked->order;
    struct act act = act_of(one, order, swaps ? met : NULL, met);
    struct write *made = new_write();
    made->value = cut(result_of(asked, met->value), asked->size);
    made->thread = (uint8_t)self->number, made->epoch = epoch();
    if (swaps) {
        clock_learn(met->released, acquires(order));
        memcpy(made->released, met->released, sizeof made->released);
        met->swapped = 1;
    }
    note_met(back);
    made->name = self->done;
    put(one, made, met);
    see(one, made);
    act.writes = made;
    note(act);
    clock_publish(made->released, releases(order));
    if (one->writes[one->count - 1] != made)
        return 0;
    memcpy((void *)asked->address, &made->value, asked->size);
    return 1;
}

int meet(const struct atomic *asked, atomic_value *read)
{
    struct location *one = open_location(asked->address, asked->size);
    struct found found;
    find(one, asked, &found);
    back = found.count > 1 ? choose_write(found.count, asked->address, asked->pc) : 0;
    struct write *met = found.writes[back];
    atomic_value before = in_memory(asked->address, asked->size);
    enum atomic_kind kind = kind_for(asked, met);
    int order = order_for(asked, met);
    *read = met->value;
    if (kind != ATOMIC_STORE)
        clock_read(asked->address, asked->size, 1, asked->pc);
    if (kind == ATOMIC_LOAD)
        return load(one, met, order), 0;
    clock_write(asked->address, asked->size, 1, asked->pc);
    return write(one, asked, met) && in_memory(asked->address, asked->size) != before;
}

void pass_fence(int order)
{
    if (acquires(order))
        clock_fence_acquires();
    note(act_of(NULL, order, NULL, NULL));
    if (releases(order))
        clock_fence_releases();
}
