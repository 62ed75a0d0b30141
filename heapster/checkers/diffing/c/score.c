/* A trace on a stranger's allocator, once: checked, or measured, or timed.

       score FD LIBRARY PASS

   FD holds `struct header` of judge.h, `struct figures` and the operations. The judge's executor serves the
   checked pass: overlaps, smashed neighbours, contents when a block is freed or resized, dirty calloc,
   alignment. At the end all that still lives is freed, and checked in that. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "judge.h"
#include "malloclab/memlib.h"

enum pass { CHECKED, MEASURED, TIMED };
enum { PAGE = 4096, FIRST_SETTING = 11 };       /* verbs of traces from there on are no calls of an allocator */

struct figures {
    uint64_t count, handles;                    /* asked */
    uint64_t done, skipped, refused;            /* answered; `refused`: 1 + the step that was given NULL */
    uint64_t peak_live, nanoseconds, address_space, resident, lab_heap, verb;
    uint64_t unused[5];
};

struct header *shared;
struct op *ops;
struct result *results;
static struct figures *figures;
static void **pointers;
static uint64_t *sizes;

static uint64_t status(const char *key) {
    char line[256];
    unsigned long kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, key, strlen(key)))
            sscanf(line + strlen(key), ": %lu", &kilobytes);
    if (file)
        fclose(file);
    return (uint64_t)kilobytes * 1024;
}

uint64_t footprint(void) { return status("VmSize"); }

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t size_of(const struct op *op) {
    switch (op->verb) {
    case CALLOC: case REALLOCARRAY: return op->numbers[0] * op->numbers[1];
    case ALIGNED_ALLOC: case POSIX_MEMALIGN: case MEMALIGN: return op->numbers[1];
    default: return op->numbers[0];
    }
}

static int can(const struct op *op) { return op->verb < FIRST_SETTING && (shared->has >> op->verb & 1); }

/* ---- Checked ---- */

static int check(const struct op *op) {
    struct result result;
    int suspicion = execute(op, &result, 0);
    if (result.status == SKIPPED)
        figures->skipped++;
    if (result.status == DONE && op->verb < FREE && result.pointer == 0 && size_of(op) != 0 && !figures->refused)
        figures->refused = figures->done + 1;
    if (suspicion == NOTHING || (shared->masked >> suspicion & 1))
        return 0;
    shared->suspicion = (uint64_t)suspicion;
    return 1;
}

static void run_checked(void) {
    executor_start();
    shadow_start(shared->alignment);
    if (start_target() != 0)
        return;
    for (uint64_t i = 0; i < figures->count; i++) {
        figures->done = i, figures->verb = ops[i].verb;
        if (ops[i].verb < FIRST_SETTING && check(&ops[i]))
            return;
    }
    figures->done = figures->count, figures->verb = FREE;
    while (live_blocks() > 0)
        if (check(&(struct op){.verb = FREE, .result = NO_HANDLE, .operand = live_handle(live_blocks() - 1)}))
            return;
    shared->finished = 1;
}

/* ---- Measured and timed ---- */

static void *call(const struct op *op, void *operand) {
    size_t first = (size_t)op->numbers[0], second = (size_t)op->numbers[1];
    void *out = NULL;
    switch (op->verb) {
    case MALLOC: return target.malloc(first);
    case CALLOC: return target.calloc(first, second);
    case REALLOC: return target.realloc(operand, first);
    case REALLOCARRAY: return target.reallocarray(operand, first, second);
    case ALIGNED_ALLOC: return target.aligned_alloc(first, second);
    case MEMALIGN: return target.memalign(first, second);
    case VALLOC: return target.valloc(first);
    case PVALLOC: return target.pvalloc(first);
    case FREE: target.free(operand); return NULL;
    case USABLE_SIZE: target.usable_size(operand); return NULL;
    case POSIX_MEMALIGN: return target.posix_memalign(&out, first, second) ? NULL : out;
    default: return NULL;
    }
}

static void touch(char *block, uint64_t size) {
    if (!block || size > (uint64_t)1 << 36)
        return;
    for (uint64_t at = 0; at < size; at += PAGE)
        block[at] = 1;
    if (size)
        block[size - 1] = 1;
}

/* What it keeps in mind of a live block, so that a realloc to 0 and a failed one are told apart. */
static void measure(const struct op *op, uint64_t *live) {
    if (!can(op) || (op->operand >= 0 && !pointers[op->operand] && op->verb != FREE && op->verb > CALLOC && sizes[op->operand]))
        return;
    void *answer = call(op, op->operand >= 0 ? pointers[op->operand] : NULL);
    uint64_t size = size_of(op);
    int takes = op->verb == FREE || ((op->verb == REALLOC || op->verb == REALLOCARRAY) && (answer || size == 0));
    if (op->operand >= 0 && takes) {
        *live -= sizes[op->operand];
        pointers[op->operand] = NULL, sizes[op->operand] = 0;
    }
    if (op->result < 0)
        return;
    pointers[op->result] = answer;
    sizes[op->result] = answer ? size : 0;
    *live += sizes[op->result];
    if (*live > figures->peak_live)
        figures->peak_live = *live;
    touch(answer, size);
}

static void run_measured(void) {
    uint64_t live = 0;
    if (start_target() != 0)
        return;
    uint64_t before = status("VmSize"), most = status("VmPeak");
    if (most > before)                          /* or what was there before hides what the target takes */
        mmap(NULL, most - before, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    FILE *reset = fopen("/proc/self/clear_refs", "w");
    if (reset) {
        fputs("5", reset);
        fclose(reset);
    }
    before = status("VmSize");
    uint64_t resident = status("VmRSS");
    for (uint64_t i = 0; i < figures->count; i++) {
        figures->done = i, figures->verb = ops[i].verb;
        measure(&ops[i], &live);
    }
    figures->address_space = status("VmPeak") - before;
    most = status("VmHWM");
    figures->resident = most > resident ? most - resident : 0;
    figures->lab_heap = mem_heapsize();
    shared->finished = 1;
}

static void run_timed(void) {
    if (start_target() != 0)
        return;
    uint64_t began = now();
    for (uint64_t i = 0; i < figures->count; i++) {
        const struct op *op = &ops[i];
        if (!can(op))
            continue;
        void *answer = call(op, op->operand >= 0 ? pointers[op->operand] : NULL);
        if (op->result >= 0)
            pointers[op->result] = answer;
    }
    figures->nanoseconds = now() - began;
    shared->finished = 1;
}

static void *table(uint64_t unit) {
    size_t bytes = (figures->handles + 1) * unit;
    void *made = mmap(FAR_AWAY(5 + (unit & 1)), bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED)
        exit(2);
    return memset(made, 0, bytes);
}

int main(int argc, char **argv) {
    if (argc != 4)
        return 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    char *mapping = mmap(FAR_AWAY(0), HEADER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(argv[1]), 0);
    if (mapping == MAP_FAILED)
        return 2;
    uint64_t count = ((struct figures *)(mapping + HEADER_BYTES - sizeof *figures))->count;
    munmap(mapping, HEADER_BYTES);
    mapping = mmap(FAR_AWAY(0), HEADER_BYTES + count * sizeof *ops, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                   atoi(argv[1]), 0);
    if (mapping == MAP_FAILED)
        return 2;
    shared = (struct header *)mapping;
    figures = (struct figures *)(mapping + HEADER_BYTES) - 1;
    ops = (struct op *)(mapping + HEADER_BYTES);
    pointers = table(sizeof *pointers);
    sizes = table(sizeof *sizes);
    if (load_target(argv[2]) != 0)
        return 4;
    switch ((enum pass)atoi(argv[3])) {
    case CHECKED: run_checked(); break;
    case MEASURED: run_measured(); break;
    case TIMED: run_timed(); break;
    }
    _exit(0);
}
_Static_assert(sizeof(struct header) + sizeof(struct figures) <= HEADER_BYTES, "both fit");
