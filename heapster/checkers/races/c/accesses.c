/* What the hooks tell: each access is a switch point, and has a place in the order of all. */
#include <string.h>

#include "weak.h"

enum {
    SPINS = 8,
    PLAIN_SPINS = 64,
    ALONE_LIMIT = 1 << 22
}; /* times that the same is read, and nothing done, until it is a spin */

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

static void on_access(uintptr_t address, size_t size, unsigned flags, uintptr_t pc)
{
    if (self == NULL) {
        shared->unmanaged = 1;
        return;
    }
    if (alone) {
        if (++alone > ALONE_LIMIT)
            problem(FAULT_HANG, 0, -1, "no end after %d accesses of one thread", ALONE_LIMIT);
        return;
    }
    enum kind kind = flags & WRITES ? K_STORE : K_LOAD;
    if (steps == stop) {
        arrive(kind, address, pc);
    } else {
        if (shared->recording) {
            self->path = call_path;
            write_row(self, kind, address, pc, self->number);
        }
        take_step();
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

static enum kind kind_of(enum atomic_kind kind)
{
    return kind == ATOMIC_LOAD    ? K_LOAD_ATOMIC
           : kind == ATOMIC_STORE ? K_STORE_ATOMIC
           : kind == ATOMIC_FENCE ? K_FENCE
                                  : K_UPDATE;
}

static int on_atomic(const struct atomic *asked, atomic_value *read)
{
    if (self == NULL || alone) {
        on_access(asked->address, asked->size, 0, asked->pc);
        return 0;
    }
    arrive(kind_of(asked->kind), asked->address, asked->pc);
    back = 0;
    if (asked->kind == ATOMIC_FENCE) {
        pass_fence(asked->order);
        tell_atomic(asked->order);
        return 1;
    }
    int changed = meet(asked, read);
    tell_atomic(asked->order);
    if (changed)
        changed_something(asked->address, asked->size);
    else if (back == 0) /* who met an old write need only look again */
        looked_at(asked->address, asked->pc, SPINS);
    return 1;
}

void store_byte(uint8_t *at, uint8_t value, uintptr_t pc)
{
    atomic_value read;
    const struct atomic asked = {.address = (uintptr_t)at,
                                 .pc = pc,
                                 .size = 1,
                                 .kind = ATOMIC_STORE,
                                 .order = __ATOMIC_RELEASE,
                                 .operand = value};
    if (!on_atomic(&asked, &read))
        *at = value;
}

const struct observer scheduling = {.on_access = on_access, .perform = on_atomic};
