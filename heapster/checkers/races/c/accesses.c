/* What the hooks tell: each access is a switch point, and has a place in the order of all. */
#include <string.h>

#include "scheduler.h"

enum {
    SPINS = 8,
    PLAIN_SPINS = 64,
    ALONE_LIMIT = 1 << 22
}; /* times that the same is read, and nothing done, until it is a spin */

/* An atomic that was under way: whether it has changed anything is seen at the next thing that its thread does, as
   nobody else has run meanwhile. */
static struct {
    uintptr_t address, pc;
    size_t size;
    enum atomic_kind kind;
    int order;
    uint64_t before;
} pending;

static uint64_t value_at(uintptr_t address, size_t size)
{
    uint64_t value = 0;
    memcpy(&value, (const void *)address, size < sizeof value ? size : sizeof value);
    return value;
}

static void changed_something(uintptr_t address, size_t size)
{
    memset(self->spins, 0, sizeof self->spins);
    someone_wrote(address, size);
}

/* The running thread looks at the same place over and over, and does nothing else: others go on until it changes. */
static void looked_at(uintptr_t address, uintptr_t pc, uint32_t most)
{
    int free = 0;
    for (int i = 0; i < 8; i++) {
        if (self->spins[i].pc == pc && self->spins[i].address == address) {
            if (++self->spins[i].times >= most)
                be_shy(address);
            return;
        }
        if (self->spins[i].times < self->spins[free].times)
            free = i;
    }
    self->spins[free].pc = pc, self->spins[free].address = address, self->spins[free].times = 1;
}

void settle(void)
{
    if (pending.address == 0)
        return;
    uintptr_t address = pending.address;
    pending.address = 0;
    if (value_at(address, pending.size) == pending.before) {
        looked_at(address, pending.pc, SPINS);
        return;
    }
    if (pending.kind == ATOMIC_COMPARE_EXCHANGE) {
        clock_write(address, pending.size, 1, pending.pc);
        clock_update(address, pending.order);
    }
    changed_something(address, pending.size);
}

static void on_access(uintptr_t address, size_t size, unsigned flags, uintptr_t pc)
{
    if (self == NULL) {
        shared->unmanaged = 1;
        return;
    }
    if (alone) {
        if (++alone > ALONE_LIMIT)
            problem(HANG, 0, -1, "no end after %d accesses of one thread", ALONE_LIMIT);
        return;
    }
    settle();
    enum kind kind = flags & WRITES ? K_STORE : K_LOAD;
    if (steps == stop) {
        arrive(kind, address, pc);
    } else {
        if (shared->recording) {
            self->path = call_path;
            write_row(self, kind, address, pc, self->number);
        }
        steps++;
    }
    if (flags & READS) {
        clock_read(address, size, 0, pc);
        if (!(flags & (WRITES | RANGE)))
            looked_at(address, pc, flags & VOLATILE ? SPINS : PLAIN_SPINS);
        if (self->shy)
            arrive(K_YIELD, address, pc);
    }
    if (flags & WRITES) {
        clock_write(address, size, 0, pc);
        changed_something(address, size);
    }
}

static void on_atomic(uintptr_t address, size_t size, enum atomic_kind kind, int order, uintptr_t pc)
{
    static const enum kind kinds[] = {
        [ATOMIC_LOAD] = K_LOAD_ATOMIC, [ATOMIC_STORE] = K_STORE_ATOMIC, [ATOMIC_FENCE] = K_FENCE};
    if (self == NULL) {
        shared->unmanaged = 1;
        return;
    }
    if (alone) {
        on_access(address, size, 0, pc);
        return;
    }
    settle();
    arrive(kinds[kind] != K_START ? kinds[kind] : K_RMW, address, pc);
    if (kind == ATOMIC_FENCE) {
        clock_fence(order);
        return;
    }
    if (kind != ATOMIC_STORE) {
        clock_read(address, size, 1, pc);
        clock_load(address, order);
    }
    if (kind != ATOMIC_LOAD && kind != ATOMIC_COMPARE_EXCHANGE) {
        clock_write(address, size, 1, pc);
        kind == ATOMIC_STORE ? clock_store(address, order) : clock_update(address, order);
    }
    pending.address = address, pending.size = size, pending.kind = kind, pending.order = order, pending.pc = pc;
    pending.before = value_at(address, size);
}

const struct observer scheduling = {.on_access = on_access, .on_atomic = on_atomic};
