/* From what the recorder wrote to the columns of a trace: records in their order, addresses as handles.

       namer PREFIX (FILE STOP)...

   Each FILE goes on where the one before it stopped: a process and what was forked off it. STOP is a place in
   the order of its records, 0 for all of them. The columns go to PREFIX.0 and on: verbs, results, operands,
   firsts, seconds, and the numbers of the stacks, 0 where none is known. What is told of stacks goes to PREFIX.stacks
   as it was recorded, kind first. It prints how many steps there are, and how many frees were of blocks that nobody was seen
   to allocate. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder.h"

enum { COLUMNS = 6, THREADS = 1 << 16, NO_HANDLE = -1 };

static FILE *columns[COLUMNS], *stacks;
static uint64_t steps, strangers, stack_of[THREADS];
static unsigned running;

static void *checked(void *memory)
{
    if (!memory)
        exit(3);
    return memory;
}

static void step(unsigned verb, int32_t result, int32_t operand, uint64_t first, uint64_t second)
{
    putc_unlocked((int)verb, columns[0]);
    fwrite_unlocked(&result, sizeof result, 1, columns[1]);
    fwrite_unlocked(&operand, sizeof operand, 1, columns[2]);
    fwrite_unlocked(&first, sizeof first, 1, columns[3]);
    fwrite_unlocked(&second, sizeof second, 1, columns[4]);
    uint64_t stack = result == NO_HANDLE ? 0 : stack_of[running];
    fwrite_unlocked(&stack, sizeof stack, 1, columns[5]);
    steps++;
}

/* ---- Live addresses and their handles: open addressing; what is taken out is closed up ---- */

struct slot {
    uint64_t pointer;
    int32_t handle;
};
static struct slot *slots;
static uint64_t slot_mask, live;

static uint64_t home(uint64_t pointer) { return (pointer >> 4) * 0x9e3779b97f4a7c15u >> 20 & slot_mask; }

static struct slot *find(uint64_t pointer)
{
    uint64_t at = home(pointer);
    while (slots[at].pointer && slots[at].pointer != pointer)
        at = (at + 1) & slot_mask;
    return &slots[at];
}

static void grow(void)
{
    struct slot *old = slots;
    uint64_t count = old ? slot_mask + 1 : 0;
    slot_mask = count ? 2 * count - 1 : 0xffff;
    slots = checked(calloc(slot_mask + 1, sizeof *slots));
    for (uint64_t i = 0; i < count; i++)
        if (old[i].pointer)
            *find(old[i].pointer) = old[i];
    free(old);
}

static void put(uint64_t pointer, int32_t handle)
{
    if (!slots || 2 * live > slot_mask)
        grow();
    struct slot *slot = find(pointer);
    live += !slot->pointer;
    *slot = (struct slot){pointer, handle};
}

static int32_t take(uint64_t pointer)
{
    if (!slots || !pointer)
        return NO_HANDLE;
    struct slot *slot = find(pointer);
    if (!slot->pointer)
        return NO_HANDLE;
    int32_t handle = slot->handle;
    uint64_t hole = (uint64_t)(slot - slots);
    for (uint64_t at = (hole + 1) & slot_mask; slots[at].pointer; at = (at + 1) & slot_mask)
        if (((at - home(slots[at].pointer)) & slot_mask) >= ((at - hole) & slot_mask)) {
            slots[hole] = slots[at];
            hole = at;
        }
    slots[hole].pointer = 0;
    live--;
    return handle;
}

static int32_t *unused, fresh;
static uint64_t unused_count, unused_room;

static void give_back(int32_t handle)
{
    if (unused_count == unused_room) {
        unused_room = unused_room ? 2 * unused_room : 1024;
        unused = checked(realloc(unused, unused_room * sizeof *unused));
    }
    unused[unused_count++] = handle;
}

static int32_t name(uint64_t pointer)
{
    int32_t handle = unused_count ? unused[--unused_count] : fresh++;
    put(pointer, handle);
    return handle;
}

/* ---- Records ---- */

static struct {
    uint64_t pointer;
    int32_t handle;
} resizing[THREADS];

static void resized(unsigned verb, unsigned thread, const struct record *r)
{
    uint64_t old = resizing[thread].pointer;
    uint64_t second = operation_rows[verb].numbers > 1 ? r->second : 0;
    int asked_nothing = r->first == 0 || (operation_rows[verb].numbers > 1 && second == 0);
    int32_t handle = resizing[thread].handle;
    resizing[thread].pointer = 0, resizing[thread].handle = NO_HANDLE;
    if (r->pointer) {
        step(verb, name(r->pointer), handle, r->first, second);
        if (handle != NO_HANDLE)
            give_back(handle);
    } else if (handle != NO_HANDLE && asked_nothing) {
        give_back(handle);
        step(OP_FREE, NO_HANDLE, handle, 0, 0);
    } else if (handle != NO_HANDLE) { /* it failed */
        put(old, handle);
    }
}

static void freed(unsigned verb, const struct record *r)
{
    int32_t handle = take(r->pointer);
    if (handle == NO_HANDLE) {
        strangers++;
        return;
    }
    give_back(handle);
    step(verb, NO_HANDLE, handle, r->first, r->second);
}

static void record(const struct record *r)
{
    unsigned kind = kind_of(r), thread = thread_of(r);
    if (kind == REALLOC_BEGINS) {
        resizing[thread].pointer = r->pointer, resizing[thread].handle = take(r->pointer);
        return;
    }
    if (kind == STACK_IS) {
        stack_of[thread] = r->first;
        return;
    }
    if (kind == STACK_OBJECT || kind == STACK_FRAMES) {
        uint64_t told[] = {kind, r->first, r->second, r->pointer};
        fwrite_unlocked(told, sizeof told, 1, stacks);
        return;
    }
    if (thread != running)
        step(OP_THREAD, NO_HANDLE, NO_HANDLE, running = thread, 0);
    if (kind >= OPERATIONS)
        return;
    unsigned does = operation_rows[kind].does;
    if (does & DOES_RESIZES)
        resized(kind, thread, r);
    else if (does & DOES_RELEASES)
        freed(kind, r);
    else if (does & DOES_ALLOCATES)
        step(kind, name(r->pointer), NO_HANDLE, r->first, r->second);
}

/* ---- Files: chunks that one thread filled each, merged by the order of their records ---- */

struct lane {
    const struct record *at, *end;
    uint64_t chunk;
}; /* a thread's place */

static const char *data;
static uint64_t size, chunk_bytes, *next_chunk;

static void enter(struct lane *lane, uint64_t chunk)
{
    uint64_t start = FIRST_CHUNK + chunk * chunk_bytes, end = start + chunk_bytes < size ? start + chunk_bytes : size;
    lane->at = (const struct record *)(data + start);
    lane->end = lane->at + (end - start) / sizeof(struct record);
    lane->chunk = chunk;
}

/* Whether the lane has a record still; a chunk's rest that was not filled is zero. */
static int ready(struct lane *lane)
{
    while (lane->at == lane->end || !lane->at->order) {
        if (next_chunk[lane->chunk] == 0)
            return 0;
        enter(lane, next_chunk[lane->chunk]);
    }
    return 1;
}

static struct lane *lanes_of_file(uint64_t *count)
{
    uint64_t chunks = size > FIRST_CHUNK ? (size - FIRST_CHUNK + chunk_bytes - 1) / chunk_bytes : 0;
    uint64_t *last = checked(calloc(THREADS, sizeof *last)); /* 1 + the last chunk of each thread */
    struct lane *lanes = checked(calloc(THREADS, sizeof *lanes));
    next_chunk = checked(calloc(chunks + 1, sizeof *next_chunk));
    *count = 0;
    for (uint64_t chunk = 0; chunk < chunks; chunk++) {
        struct lane lane;
        enter(&lane, chunk);
        if (lane.at == lane.end || !lane.at->order)
            continue;
        unsigned thread = thread_of(lane.at);
        if (last[thread])
            next_chunk[last[thread] - 1] = chunk;
        else
            lanes[(*count)++] = lane;
        last[thread] = chunk + 1;
    }
    free(last);
    return lanes;
}

static void merge(uint64_t stop)
{
    uint64_t count;
    struct lane *lanes = lanes_of_file(&count);
    for (;;) {
        struct lane *first = NULL;
        uint64_t others = UINT64_MAX; /* the least order in the other lanes */
        for (uint64_t i = 0; i < count; i++) {
            if (!ready(&lanes[i]))
                continue;
            if (!first || lanes[i].at->order < first->at->order) {
                others = first ? first->at->order : others;
                first = &lanes[i];
            } else if (lanes[i].at->order < others) {
                others = lanes[i].at->order;
            }
        }
        if (!first)
            break;
        do {
            if (stop && first->at->order >> ORDER_SHIFT >= stop)
                goto stopped;
            record(first->at++);
        } while (ready(first) && first->at->order < others);
    }
stopped:
    free(lanes);
    free(next_chunk);
}

static int read_file(const char *path, uint64_t stop)
{
    struct stat about;
    int file = open(path, O_RDONLY);
    if (file < 0 || fstat(file, &about) != 0 || (uint64_t)about.st_size < sizeof(struct header))
        return 1;
    size = (uint64_t)about.st_size;
    void *mapped = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    if (mapped == MAP_FAILED)
        return 1;
    data = mapped;
    chunk_bytes = ((const struct header *)mapped)->chunk_bytes;
    if (((const struct header *)mapped)->magic != RECORDER_MAGIC || chunk_bytes < sizeof(struct record))
        return 1;
    merge(stop);
    munmap(mapped, size);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 4 || argc % 2)
        return 2;
    char path[4096];
    for (int i = 0; i < COLUMNS; i++) {
        snprintf(path, sizeof path, "%s.%d", argv[1], i);
        if (!(columns[i] = fopen(path, "w")))
            return 1;
    }
    snprintf(path, sizeof path, "%s.stacks", argv[1]);
    if (!(stacks = fopen(path, "w")))
        return 1;
    for (int i = 0; i < THREADS; i++)
        resizing[i].handle = NO_HANDLE;
    for (int i = 2; i < argc; i += 2)
        if (read_file(argv[i], strtoull(argv[i + 1], NULL, 10)))
            return 1;
    for (int i = 0; i < COLUMNS; i++)
        if (ferror(columns[i]) | fclose(columns[i]))
            return 1;
    if (ferror(stacks) | fclose(stacks))
        return 1;
    printf("%llu %llu\n", (unsigned long long)steps, (unsigned long long)strangers);
    return 0;
}
