/* The observer of a target that calls the hooks: holds each access to the map, and writes all of them down if asked. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "byte_map.h"
#include "hooks.h"
#include "observing.h"

#define GIVEN_STEP 64u                 /* bytes between those of a payload that are looked at, and its last */
#define MOST_GIVEN ((uint64_t)1 << 24) /* bytes of one that is looked at */

static _Thread_local int inside; /* a call of the target is under way, and it is watched: of this thread */
static struct breach_seen {
    uint64_t kind, at, size, pc;
} of_call, of_init; /* the first of the severest kind */
static void *loaded;
static uintptr_t base; /* where the target lies: what is told is relative to it */
static uintptr_t stack_low, stack_high;
static uint64_t step;
static struct event_record *unfinished; /* a store, whose value is only there when something else happens */

uint64_t observing_salt(void) { return shared->observed != 0 ? shared->salt : 0; }

static uint64_t value_at(uintptr_t address, size_t size)
{
    uint64_t value = 0;
    memcpy(&value, (const void *)address, size < sizeof value ? size : sizeof value);
    return value;
}

static struct event_record *record(enum event event, uintptr_t address, uint64_t size, unsigned flags, uintptr_t pc)
{
    if ((shared->observed & OBSERVED_IN_FULL) == 0)
        return NULL;
    if (unfinished != NULL)
        unfinished->value = value_at((uintptr_t)unfinished->address, (size_t)unfinished->size);
    unfinished = NULL;
    uint64_t count = event_log->count, half = MOST_EVENTS / 2;
    struct event_record *at = &event_log->at[count < half ? count : half + count % half];
    *at = (struct event_record){address,        pc - (pc != 0 ? base : 0), 0, size, (uint32_t)step, (uint16_t)event,
                                (uint16_t)flags};
    event_log->count++;
    return at;
}

/* Severest first: what a call is told of is the first of its severest kind. */
static void breach(enum breach kind, uintptr_t address, uint64_t size, uintptr_t pc)
{
    uintptr_t place = pc - base;
    if (kind >= READS_UNWRITTEN && (shared->observed & OBSERVED_LOADS) == 0)
        return;
    for (unsigned i = 0; i < QUIET && shared->quiet[i] != 0; i++)
        if (shared->quiet[i] == place)
            return;
    record(EVENT_BREACH, address, size, kind, pc);
    if (of_call.kind == UNBROKEN || of_call.kind > kind)
        of_call = (struct breach_seen){kind, address, size, place};
}

static int in_loaded_object(struct dl_phdr_info *info, size_t size, void *data)
{
    uintptr_t address = *(uintptr_t *)data;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && address - start < part->p_memsz)
            return 1;
        if (part->p_type == PT_TLS && info->dlpi_tls_data != NULL
            && address - (uintptr_t)info->dlpi_tls_data < part->p_memsz)
            return 1;
    }
    return 0;
}

/* What is known to be nobody's, or lies beside what is known without being anything that others have lent it. */
static int is_outside(uintptr_t address, unsigned char state)
{
    uintptr_t own = (uintptr_t)&errno;
    if ((state & OWNER) == GIVEN_BACK || (state & OWNER) == NOBODYS)
        return 1;
    if ((state & OWNER) != UNKNOWN || (address >= stack_low && address < stack_high))
        return 0;
    if (address - own + 4096 < 8192 || !byte_map_near(address))
        return 0;
    return !dl_iterate_phdr(in_loaded_object, &address);
}

static void check_byte(uintptr_t address, uint64_t size, unsigned flags, uintptr_t pc, unsigned char state,
                       uintptr_t at)
{
    (void)address;
    if ((state & OWNER) == CALLERS)
        breach(flags & WRITES ? WRITES_LIVE : flags & RANGE ? COPIES_LIVE : READS_LIVE, at, size, pc);
    else if (is_outside(at, state))
        breach(flags & WRITES ? WRITES_OUTSIDE : READS_OUTSIDE, at, size, pc);
    else if ((state & UNWRITTEN) != 0 && (flags & (READS | RANGE)) == READS)
        breach(READS_UNWRITTEN, at, size, pc);
}

/* The bytes of an access whose state differs from that of the byte before. */
static void check(uintptr_t address, uint64_t size, unsigned flags, uintptr_t pc)
{
    unsigned char before = ALLOCATORS;
    for (uint64_t i = 0; i < size; i++) {
        unsigned char state = byte_map_at(address + i);
        if (state != before || (i == 0 && state != ALLOCATORS))
            check_byte(address, size, flags, pc, state, address + i);
        before = state;
    }
    if ((flags & WRITES) != 0)
        byte_map_written(address, size);
}

static void on_access(uintptr_t address, size_t size, unsigned flags, uintptr_t pc)
{
    if (!inside)
        return;
    struct event_record *written = record(EVENT_ACCESS, address, size, flags, pc);
    if (!byte_map_plain(address, size))
        check(address, size, flags, pc);
    if ((flags & (UNALIGNED | RANGE)) == 0 && (address & (size - 1)) != 0)
        breach(MISALIGNED, address, size, pc);
    if (written != NULL && (flags & WRITES) != 0)
        unfinished = written;
    else if (written != NULL)
        written->value = value_at(address, size);
}

static void on_atomic(uintptr_t address, size_t size, enum atomic_kind kind, int order, uintptr_t pc)
{
    static const unsigned flags[] = {[ATOMIC_LOAD] = READS, [ATOMIC_STORE] = WRITES, [ATOMIC_FENCE] = 0};
    (void)order;
    if (kind != ATOMIC_FENCE)
        on_access(address, size, kind < ATOMIC_EXCHANGE ? flags[kind] : READS | WRITES, pc);
}

void observed_enter(uintptr_t caller)
{
    if (inside)
        record(EVENT_ENTER, 0, 0, 0, caller);
}

void observed_exit(void)
{
    if (inside)
        record(EVENT_EXIT, 0, 0, 0, 0);
}

static const struct observer client = {on_access, on_atomic, observed_enter, observed_exit};

static int own_objects(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size, (void)data;
    for (int i = 0; info->dlpi_addr == base && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD)
            byte_map_set(base + part->p_vaddr, part->p_memsz, ALLOCATORS);
    }
    return 0;
}

static void find_stack(void)
{
    pthread_attr_t attributes;
    void *low = NULL;
    size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return;
    pthread_attr_getstack(&attributes, &low, &size);
    pthread_attr_destroy(&attributes);
    stack_low = (uintptr_t)low, stack_high = (uintptr_t)low + size;
}

/* C++'s own library is loaded before a target that needs it: what it allocates as it starts is no call of the target. */
static void load_library_of_cplusplus(const char *path)
{
    static const char name[] = "libstdc++.so.6";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    void *file = size > 0 ? mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (file != MAP_FAILED && memmem(file, (size_t)size, name, sizeof name) != NULL)
        dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (file != MAP_FAILED)
        munmap(file, (size_t)size);
    if (fd >= 0)
        close(fd);
}

void observing_loads(const char *path)
{
    load_library_of_cplusplus(path);
    taken_before();
}

static void own_memory(uintptr_t start, uint64_t size) { byte_map_set(start, size, ALLOCATORS); }

void observing_start(void *handle)
{
    struct link_map *map = NULL;
    loaded = handle;
    if (shared->adapted[0] != 0)
        handle = dlopen(shared->adapted, RTLD_NOW | RTLD_NOLOAD);
    if (handle == NULL)
        return;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map != NULL)
        base = map->l_addr;
    if (shared->observed == 0 || byte_map_start() != 0)
        return;
    find_stack();
    taken_since(own_memory);
    dl_iterate_phdr(own_objects, NULL);
    interpose_memory_functions(handle);
    observing_system_calls(handle);
    observe(&client);
}

void observing_chooses(void)
{
    unsigned *choice = dlsym(loaded, "heapster_choice");
    unsigned char **seen = dlsym(loaded, "heapster_seen");
    if (choice == NULL || seen == NULL)
        return;
    *choice = (unsigned)shared->choice;
    *seen = (unsigned char *)edges->taken; /* nothing tells edges here; events are told, and read again */
}

void observing_bounds(void)
{
    if (shared->observed == 0 || fence.low == NULL || fence.high == NULL || target.bounds == NULL)
        return;
    byte_map_set((uintptr_t)fence.first - GUARD, (uint64_t)(fence.low - fence.first) + GUARD, NOBODYS);
    byte_map_set((uintptr_t)fence.high, (uint64_t)(fence.last - fence.high) + GUARD, NOBODYS);
    observing_grew((uintptr_t)fence.low, (uint64_t)(fence.high - fence.low));
}

void observing_reserved(uintptr_t start, uint64_t size)
{
    if (shared->observed != 0)
        byte_map_set(start - GUARD, size + 2 * GUARD, NOBODYS);
}

void observing_grew(uintptr_t start, uint64_t size)
{
    if (shared->observed == 0)
        return;
    memset((void *)start, (int)(0xa5 ^ (shared->salt & 0xff)), size);
    byte_map_set(start, size, ALLOCATORS | UNWRITTEN);
    record(EVENT_GAINED, start, size, 0, 0);
}

void observing_begins(const struct op *op, const unsigned char *operand, uint64_t size)
{
    if (shared->observed == 0)
        return;
    step = op != NULL ? shared->current : UINT32_MAX;
    of_call = (struct breach_seen){0};
    if (call_path != NULL)
        call_path->depth = 0;
    if (op != NULL && is_resizing(op->verb) && operand != NULL)
        byte_map_own((uintptr_t)operand, size, ALLOCATORS);
    record(EVENT_CALL, (uintptr_t)operand, size, op != NULL ? op->verb : INIT, 0);
    inside = 1;
    if ((shared->observed & OBSERVED_STEPPED) != 0)
        stepping_begins(base, stack_high);
}

void observing_ends(const struct op *op, uintptr_t answer, struct result *result)
{
    if (shared->observed == 0)
        return;
    if ((shared->observed & OBSERVED_STEPPED) != 0)
        stepping_ends();
    inside = 0;
    record(EVENT_RETURN, answer, 0, op != NULL ? op->verb : INIT, 0);
    if (result == NULL) { /* init's is told with the first call */
        of_init = of_call;
        return;
    }
    if (of_call.kind == UNBROKEN)
        of_call = of_init;
    of_init.kind = UNBROKEN;
    result->breach = of_call.kind, result->breach_at = of_call.at;
    result->breach_size = of_call.size, result->breach_pc = of_call.pc;
}

/* The first byte that is not the allocator's to give, of some that are looked at; 0 if none. */
static uintptr_t not_its_own(uintptr_t start, uint64_t size)
{
    for (uint64_t i = 0; i < size; i += i + GIVEN_STEP < size || i + 1 == size ? GIVEN_STEP : size - 1 - i)
        if (is_outside(start + i, byte_map_at(start + i)))
            return start + i;
    return 0;
}

void observing_gives(uintptr_t start, uint64_t size, struct result *result)
{
    if (shared->observed == 0)
        return;
    uintptr_t wrong = result->breach == UNBROKEN && size < MOST_GIVEN ? not_its_own(start, size) : 0;
    if (wrong != 0) {
        record(EVENT_BREACH, wrong, size, GIVES_OUTSIDE, 0);
        result->breach = GIVES_OUTSIDE, result->breach_at = wrong, result->breach_size = size, result->breach_pc = 0;
    }
    byte_map_set(start, size, CALLERS);
}

void observing_takes(uintptr_t start, uint64_t size)
{
    if (shared->observed != 0)
        byte_map_own(start, size, ALLOCATORS);
}

void observed_gain(uintptr_t start, uint64_t size, uintptr_t pc)
{
    byte_map_set(start, size, ALLOCATORS);
    record(EVENT_GAINED, start, size, 0, pc);
}

static void lost(uintptr_t start, uint64_t size, uintptr_t pc)
{
    record(EVENT_LOST, start, size, 0, pc);
    for (uintptr_t at = start; at < start + size; at++)
        if ((byte_map_at(at) & OWNER) == CALLERS) {
            breach(WRITES_LIVE, at, start + size - at, pc);
            return;
        }
}

void observed_loss(uintptr_t start, uint64_t size, uintptr_t pc)
{
    lost(start, size, pc);
    byte_map_set(start, size, GIVEN_BACK);
}

void observed_discard(uintptr_t start, uint64_t size, uintptr_t pc) { lost(start, size, pc); }

void observed_undefined(unsigned what, uintptr_t pc)
{
    if (!inside)
        return;
    record(EVENT_UNDEFINED, 0, what, 0, pc);
    breach(UNDEFINED, 0, what, pc);
}

void observed_misaligned(uintptr_t address, uint64_t alignment, uintptr_t pc)
{
    if (inside)
        breach(MISALIGNED, address, alignment, pc);
}
