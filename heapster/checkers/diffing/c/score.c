/* A trace on a stranger's allocator, once: checked, or measured, or timed.

       score FD LIBRARY PASS

   FD holds `struct header` of judge.h, `struct figures` and the operations. The judge's executor serves the
   checked pass: overlaps, smashed neighbours, contents when a block is freed or resized, dirty calloc,
   alignment. At the end all that still lives is freed, and checked in that. */
#define _GNU_SOURCE
#include <fcntl.h>
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
enum { POINTS = 512 };                          /* of the heap over time */

struct figures {
    uint64_t count, handles;                    /* asked */
    uint64_t done, skipped, refused;            /* answered; `refused`: 1 + the step that was given NULL */
    uint64_t peak_live, nanoseconds, address_space, resident, lab_heap, verb;
    uint64_t final_space, moves, pages_moved, points, unused;
};

struct point { uint64_t step, live, space, resident; };

struct header *shared;
struct op *ops;
struct result *results;
static struct figures *figures;
static struct point *points;
static void **pointers;
static uint64_t *sizes, live;

/* Without stdio, which would allocate in the midst of what is measured. */
static uint64_t status(const char *key) {
    char text[4096];
    int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t got = file < 0 ? 0 : read(file, text, sizeof text - 1);
    if (file >= 0)
        close(file);
    text[got > 0 ? got : 0] = 0;
    const char *found = strstr(text, key);
    return found ? strtoull(found + strlen(key) + 1, NULL, 10) * 1024 : 0;
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

/* What it keeps in mind of a live block, so that a realloc to 0 and a failed one are told apart. */
static void account(const struct op *op, void *answer) {
    uint64_t size = size_of(op);
    int resizes = op->verb == REALLOC || op->verb == REALLOCARRAY;
    if (op->operand >= 0 && (op->verb == FREE || (resizes && (answer || size == 0)))) {
        uint64_t old = sizes[op->operand];
        if (resizes && answer && pointers[op->operand] && answer != pointers[op->operand]) {
            figures->moves++;
            figures->pages_moved += ((old < size ? old : size) + PAGE - 1) / PAGE;
        }
        live -= old;
        pointers[op->operand] = NULL, sizes[op->operand] = 0;
    }
    if (op->result < 0)
        return;
    pointers[op->result] = answer;
    sizes[op->result] = answer ? size : 0;
    live += sizes[op->result];
    if (live > figures->peak_live)
        figures->peak_live = live;
}

/* ---- Checked ---- */

static int check(const struct op *op) {
    struct result result;
    int suspicion = execute(op, &result, 0);
    if (result.status == SKIPPED)
        figures->skipped++;
    if (result.status == DONE)
        account(op, (void *)result.pointer);
    if (result.status == DONE && op->verb < FREE && result.pointer == 0 && size_of(op) != 0 && !figures->refused)
        figures->refused = figures->done + 1;
    if (suspicion == NOTHING || (shared->masked >> suspicion & 1))
        return 0;
    shared->suspicion = (uint64_t)suspicion;
    return 1;
}

static void run_checked(void) {
    executor_start();
    shadow_start(shared->granule);
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

static void measure(const struct op *op) {
    if (!can(op) || (op->operand >= 0 && !pointers[op->operand] && op->verb != FREE && op->verb > CALLOC && sizes[op->operand]))
        return;
    void *answer = call(op, op->operand >= 0 ? pointers[op->operand] : NULL);
    account(op, answer);
    if (op->result >= 0)
        touch(answer, size_of(op));
}

/* Bytes of address space before the target takes any. */
static uint64_t space_before(void) {
    uint64_t before = status("VmSize"), most = status("VmPeak");
    if (most > before)                          /* or what was there before hides what the target takes */
        mmap(NULL, most - before, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return status("VmSize");
}

static uint64_t space_since(uint64_t before) { return mem_heapsize() ? mem_heapsize() : status("VmSize") - before; }

static void run_measured(void) {
    if (start_target() != 0)
        return;
    int reset = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (reset >= 0 && write(reset, "5", 1) == 1)
        close(reset);
    uint64_t before = space_before(), resident = status("VmRSS"), every = (figures->count + POINTS - 1) / POINTS;
    for (uint64_t i = 0; i < figures->count; i++) {
        figures->done = i, figures->verb = ops[i].verb;
        measure(&ops[i]);
        if (i % every)
            continue;
        uint64_t now_resident = status("VmRSS");
        points[figures->points++] = (struct point){
            i, live, space_since(before), now_resident > resident ? now_resident - resident : 0};
    }
    uint64_t most = status("VmHWM");
    figures->resident = most > resident ? most - resident : 0;
    figures->address_space = status("VmPeak") - before;
    figures->final_space = space_since(before);
    figures->lab_heap = mem_heapsize();
    shared->finished = 1;
}

static void run_timed(void) {
    if (start_target() != 0)
        return;
    uint64_t before = space_before(), began = now();
    for (uint64_t i = 0; i < figures->count; i++) {
        const struct op *op = &ops[i];
        figures->done = i;
        if (!can(op))
            continue;
        void *answer = call(op, op->operand >= 0 ? pointers[op->operand] : NULL);
        if (op->result >= 0)
            pointers[op->result] = answer;
    }
    figures->nanoseconds = now() - began;
    figures->address_space = status("VmPeak") - before;
    figures->lab_heap = mem_heapsize();
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
    uint64_t bytes = HEADER_BYTES + count * sizeof *ops + POINTS * sizeof *points;
    mapping = mmap(FAR_AWAY(0), bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                   atoi(argv[1]), 0);
    if (mapping == MAP_FAILED)
        return 2;
    shared = (struct header *)mapping;
    figures = (struct figures *)(mapping + HEADER_BYTES) - 1;
    ops = (struct op *)(mapping + HEADER_BYTES);
    points = (struct point *)(ops + count);
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
