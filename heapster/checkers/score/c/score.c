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
#include <unistd.h>

#include "driver.h"
#include "judge.h"
#include "figures.h"
#include "malloclab/memlib.h"

enum { PAGE = 4096 };

struct header *shared;
struct op *ops;
struct result *results;
void enter(enum phase phase) { shared->phase = phase; }
void show(void) {}
void seal_op(const struct op *op) { (void)op; }
void seal_result(const struct result *result) { (void)result; }

static struct figures *figures;
static struct point *points;
static struct account account; /* of the passes that do not check; else the executor's counts */
static uint64_t *sizes, live;  /* bytes requested of live blocks, by handle and in sum */

/* Without stdio, which would allocate in the midst of what is measured. */
static uint64_t status(const char *key)
{
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

static void note_live(uint64_t bytes)
{
    if (bytes > figures->peak_live)
        figures->peak_live = bytes;
}

/* Makes the call that the step asks for, if the target has it and its operand is known; else nothing is
   called. What is called and what passed over is the same in each pass, and what `execute` does. */
static int take(const struct op *op, void **operand, void **answer)
{
    struct result unused;
    if (!target_has(served_by(op->verb)) || !account_knows(&account, op->operand)) {
        account_skip(&account, op->result, op->operand);
        return 0;
    }
    *operand = account_pointer(&account, op->operand);
    *answer = call_target(op, *operand, &unused);
    account_call(&account, op, *answer, shared->zero_keeps != 0);
    return 1;
}

/* ---- Checked ---- */

static int check(const struct op *op)
{
    struct result result;
    int suspicion = execute(op, &result, 0);
    if (result.status == SKIPPED)
        figures->skipped++;
    note_live(shared->live_bytes);
    if (result.status == DONE && is_allocating(op->verb) && result.pointer == 0 && requested(op) != 0
        && !figures->refused)
        figures->refused = figures->done + 1;
    if (suspicion == NOTHING || (shared->masked >> suspicion & 1))
        return 0;
    shared->suspicion = (uint64_t)suspicion;
    return 1;
}

static void run_checked(void)
{
    executor_start();
    shadow_start(shared->granule);
    if (start_target() != 0)
        return;
    for (uint64_t i = 0; i < figures->count; i++) {
        figures->done = i;
        if (is_call(ops[i].verb) && check(&ops[i]))
            return;
    }
    figures->done = figures->count;
    while (live_blocks() > 0)
        if (check(&(struct op){.verb = OP_FREE, .result = NO_HANDLE, .operand = live_handle(live_blocks() - 1)}))
            return;
    shared->finished = 1;
}

/* ---- Measured and timed ---- */

static void touch(char *block, uint64_t size)
{
    if (!block || size > (uint64_t)1 << 36)
        return;
    for (uint64_t at = 0; at < size; at += PAGE)
        block[at] = 1;
    if (size)
        block[size - 1] = 1;
}

static void weigh(int32_t handle, uint64_t size)
{
    if (handle == NO_HANDLE)
        return;
    live += size - sizes[handle];
    sizes[handle] = size;
    note_live(live);
}

static void measure(const struct op *op)
{
    void *operand, *answer;
    uint64_t size = requested(op), old = op->operand == NO_HANDLE ? 0 : sizes[op->operand];
    if (!take(op, &operand, &answer))
        return;
    if (is_resizing(op->verb) && operand && answer && answer != operand) {
        figures->moves++;
        figures->pages_moved += ((old < size ? old : size) + PAGE - 1) / PAGE;
    }
    if (!account_is_live(&account, op->operand))
        weigh(op->operand, 0);
    if (op->result == NO_HANDLE)
        return;
    weigh(op->result, answer ? size : 0);
    touch(answer, size);
}

/* Bytes of address space before the target takes any. */
static uint64_t space_before(void)
{
    uint64_t before = status("VmSize"), most = status("VmPeak");
    if (most > before) /* or what was there before hides what the target takes */
        mmap(NULL, most - before, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return status("VmSize");
}

static uint64_t space_since(uint64_t before) { return mem_heapsize() ? mem_heapsize() : status("VmSize") - before; }

static void run_measured(void)
{
    if (start_target() != 0)
        return;
    int reset = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (reset >= 0 && write(reset, "5", 1) == 1)
        close(reset);
    uint64_t before = space_before(), resident = status("VmRSS"), every = (figures->count + POINTS - 1) / POINTS;
    for (uint64_t i = 0; i < figures->count; i++) {
        figures->done = i;
        if (is_call(ops[i].verb))
            measure(&ops[i]);
        if (i % every)
            continue;
        uint64_t now_resident = status("VmRSS");
        points[figures->points++] =
            (struct point){i, live, space_since(before), now_resident > resident ? now_resident - resident : 0};
    }
    uint64_t most = status("VmHWM");
    figures->resident = most > resident ? most - resident : 0;
    figures->address_space = status("VmPeak") - before;
    figures->final_space = space_since(before);
    figures->lab_heap = mem_heapsize();
    shared->finished = 1;
}

static void run_timed(void)
{
    if (start_target() != 0)
        return;
    uint64_t before = space_before(), began = nanoseconds(CLOCK_MONOTONIC);
    for (uint64_t i = 0; i < figures->count; i++) {
        void *operand, *answer;
        figures->done = i;
        if (is_call(ops[i].verb))
            take(&ops[i], &operand, &answer);
    }
    figures->nanoseconds = nanoseconds(CLOCK_MONOTONIC) - began;
    figures->address_space = status("VmPeak") - before;
    figures->lab_heap = mem_heapsize();
    shared->finished = 1;
}

static void *table(int place, size_t unit)
{
    size_t bytes = (figures->handles + 1) * unit;
    void *made = mmap(FAR_AWAY(place), bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED)
        exit(2);
    return memset(made, 0, bytes);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    char *mapping = mmap(FAR_AWAY(0), HEADER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(argv[1]), 0);
    if (mapping == MAP_FAILED)
        return 2;
    uint64_t count = ((struct figures *)(mapping + HEADER_BYTES - sizeof *figures))->count;
    munmap(mapping, HEADER_BYTES);
    uint64_t bytes = HEADER_BYTES + count * sizeof *ops + POINTS * sizeof *points;
    mapping = mmap(FAR_AWAY(0), bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, atoi(argv[1]), 0);
    if (mapping == MAP_FAILED)
        return 2;
    shared = (struct header *)mapping;
    figures = (struct figures *)(mapping + HEADER_BYTES) - 1;
    ops = (struct op *)(mapping + HEADER_BYTES);
    points = (struct point *)(ops + count);
    account = (struct account){table(5, sizeof *account.at), figures->handles};
    sizes = table(6, sizeof *sizes);
    if (load_target(argv[2]) != 0)
        return 4;
    switch ((enum pass)atoi(argv[3])) {
    case CHECKED:
        run_checked();
        break;
    case MEASURED:
        run_measured();
        break;
    case TIMED:
        run_timed();
        break;
    }
    _exit(0);
}
_Static_assert(sizeof(struct header) + sizeof(struct figures) <= HEADER_BYTES, "both fit");
