/* Happens-before by vector clocks, over what threads do in turn, C11's atomics (weak.c), and what pthread promises.

   Lamport, CACM 21(7), 1978. Each word of eight bytes keeps, for each thread, when it was last read and written there and
   which bytes. */
#include <string.h>

#include "scheduler.h"

enum { CELLS = 1 << 14, SLOTS = 1 << 15, OBJECTS = 1 << 11 };

struct last {
    uint32_t clock;
    uint8_t bytes, atomic;
    uintptr_t pc;
};

struct cell {
    uintptr_t word;
    struct last read[MOST_THREADS], wrote[MOST_THREADS];
};

struct clock {
    uintptr_t object;
    uint32_t released[MOST_THREADS];
    uint32_t version;
    int is_used;
};

static struct cell cells[CELLS];
static uint32_t cell_count, slots[SLOTS];
static struct clock objects[OBJECTS];

static uint32_t hash(uintptr_t word) { return (uint32_t)(word * 0x9E3779B97F4A7C15u >> 40); }

static struct cell *cell_of(uintptr_t word, int make)
{
    uint32_t at = hash(word) % SLOTS;
    while (slots[at] != 0 && cells[slots[at] - 1].word != word)
        at = (at + 1) % SLOTS;
    if (slots[at] == 0) {
        if (!make || cell_count == CELLS)
            return NULL;
        slots[at] = ++cell_count;
        cells[cell_count - 1].word = word;
    }
    return &cells[slots[at] - 1];
}

static struct clock *object_of(uintptr_t address)
{
    uint32_t at = hash(address) % OBJECTS, tried = 0;
    while (objects[at].is_used && objects[at].object != address && tried++ < OBJECTS)
        at = (at + 1) % OBJECTS;
    objects[at].object = address, objects[at].is_used = 1;
    return &objects[at];
}

static void join(uint32_t *into, const uint32_t *other)
{
    for (int i = 0; i < MOST_THREADS; i++)
        if (other[i] > into[i])
            into[i] = other[i];
}

static uint32_t *now(void) { return self->clock; }

static int is_muted(uintptr_t one, uintptr_t other)
{
    for (uint64_t i = 0; i < shared->muted_count; i++)
        if ((shared->muted[i][0] == one && shared->muted[i][1] == other)
            || (shared->muted[i][0] == other && shared->muted[i][1] == one))
            return 1;
    return 0;
}

/* Whether another thread's access of these bytes comes neither before nor after this one. */
static void check(const struct last *lasts, uint8_t bytes, int atomic, uintptr_t address, uintptr_t pc, const char *did,
                  const char *does)
{
    for (int i = 0; i < MOST_THREADS; i++) {
        const struct last *last = &lasts[i];
        if (i == self->number || !(last->bytes & bytes) || (atomic && last->atomic) || last->clock <= now()[i]
            || is_muted(last->pc, pc))
            continue;
        shared->pc = pc, shared->other_pc = last->pc;
        problem(DATA_RACE, address, i, "thread %d %s what is at 0x%lx, which thread %d %s, and nothing orders the two",
                self->number, does, (unsigned long)address, i, did);
    }
}

static void note(struct last *last, uint8_t bytes, int atomic, uintptr_t pc)
{
    uint32_t mine = now()[self->number] + 1; /* 0 is before all */
    if (last->clock != mine || last->atomic != atomic)
        last->bytes = 0;
    *last = (struct last){mine, (uint8_t)(last->bytes | bytes), (uint8_t)atomic, pc};
}

static void access_(uintptr_t address, size_t size, int atomic, uintptr_t pc, int writes)
{
    if (writes && !atomic)
        close_locations(address, address + size);
    for (uintptr_t end = address + size, word = address & -(uintptr_t)8; word < end; word += 8) {
        uint8_t bytes = 0xff;
        if (word < address)
            bytes &= (uint8_t)(0xff << (address - word));
        if (word + 8 > end)
            bytes &= (uint8_t)(0xff >> (word + 8 - end));
        struct cell *cell = cell_of(word, 1);
        if (cell == NULL)
            return; /* more memory than a small program touches */
        uintptr_t at = word < address ? address : word;
        check(cell->wrote, bytes, atomic, at, pc, atomic ? "wrote" : "wrote", writes ? "writes" : "reads");
        if (writes)
            check(cell->read, bytes, atomic, at, pc, "read", "writes");
        note(&(writes ? cell->wrote : cell->read)[self->number], bytes, atomic, pc);
    }
}

void clock_read(uintptr_t address, size_t size, int atomic, uintptr_t pc) { access_(address, size, atomic, pc, 0); }
void clock_write(uintptr_t address, size_t size, int atomic, uintptr_t pc) { access_(address, size, atomic, pc, 1); }

void forget(uintptr_t start, uintptr_t end)
{
    close_locations(start, end);
    note_back(start, end);
    for (uint32_t i = 0; i < cell_count; i++)
        if (cells[i].word >= (start & -(uintptr_t)8) && cells[i].word < end) {
            memset(cells[i].read, 0, sizeof cells[i].read);
            memset(cells[i].wrote, 0, sizeof cells[i].wrote);
        }
}

/* Order. An epoch of a thread ends with each release. */

void clock_acquire(uintptr_t object) { join(now(), object_of(object)->released); }

static void tick(void) { now()[self->number]++; }

static void released_by(const uint32_t *clock, uint32_t *into)
{
    join(into, clock);
    if (into[self->number] < clock[self->number] + 1 && clock == now())
        into[self->number] = clock[self->number] + 1; /* all that it has done, as `note` counts from 1 */
}

void clock_release(uintptr_t object)
{
    released_by(now(), object_of(object)->released);
    tick();
}

void clock_learn(const uint32_t *released, int acquires) { join(acquires ? now() : self->acquired, released); }

void clock_publish(uint32_t *released, int releases)
{
    if (!releases) {
        join(released, self->fenced);
        return;
    }
    released_by(now(), released);
    tick();
}

void clock_fence_acquires(void) { join(now(), self->acquired); }

void clock_fence_releases(void)
{
    memset(self->fenced, 0, sizeof self->fenced);
    released_by(now(), self->fenced);
    tick();
}

void clock_fork(struct thread *other)
{
    released_by(now(), other->clock);
    tick();
}

void clock_join(const struct thread *other)
{
    join(now(), other->clock);
    if (now()[other->number] < other->clock[other->number] + 1)
        now()[other->number] = other->clock[other->number] + 1;
}

/* What tells this run, so far, from others: whose step met which version of which object. */

static uint64_t mix(uint64_t a, uint64_t b)
{
    a = (a ^ b) * 0x9E3779B97F4A7C15u;
    return a ^ a >> 29;
}

void note_step(enum kind kind, uintptr_t target)
{
    if (kind == K_LOAD || kind == K_STORE || kind == K_YIELD || kind == K_START || kind == K_LOAD_ATOMIC)
        return; /* an atomic load is told by what it met: note_met */
    struct clock *object = object_of(kind == K_FENCE ? FORK_OBJECT : target);
    self->done = mix(mix(self->done + 1, target), object->version);
    if (kind != K_WAIT)
        object->version++;
}

void note_met(uint64_t what) { self->done = mix(self->done, what); }

uint64_t state_digest(void)
{
    uint64_t digest = 0;
    for (int i = 0; i < HUB; i++)
        digest = mix(digest + 1, threads[i].done * 2 + (uint64_t)threads[i].live);
    return digest;
}
