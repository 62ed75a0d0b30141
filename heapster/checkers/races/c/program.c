/* The program of a schedule: what each lane calls, and what its callers must see. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scheduler.h"

enum { LATE = 24, WATCHED = 4096, SEEN = 64, PROBES = 24, MODEST = 1 << 30 };

static struct held {
    unsigned char *at;
    uint64_t size;
    int live, lane;
} held[MOST_OPS + PROBES + MOST_THREADS];
static uint8_t given[MOST_OPS]; /* blocks that have been handed over */

static unsigned char tag(int block, uint64_t at) { return (unsigned char)(block * 31 + at * 7 + 1); }

/* Bytes of a block that are written and verified: its front and its back. */
static uint64_t next_watched(const struct held *one, uint64_t at)
{
    return at + 1 == WATCHED && one->size > 2 * WATCHED ? one->size - WATCHED : at + 1;
}

static uint64_t first_damage(int block, uint64_t most)
{
    const struct held *one = &held[block];
    for (uint64_t at = 0; at < most && at < one->size; at = next_watched(one, at))
        if (one->at[at] != tag(block, at))
            return at;
    return most;
}

static void expect_whole(int block)
{
    uint64_t damaged = first_damage(block, held[block].size);
    if (damaged < held[block].size)
        problem(CONTENTS_DAMAGED, (uintptr_t)held[block].at + damaged, -1,
                "byte %lu of block %d is not what its owner wrote", (unsigned long)damaged, block);
}

/* The caller uses its block: whoever had it before, or gets it next, must be ordered with that. */
static void use(int block)
{
    const struct held *one = &held[block];
    if (alone || one->size == 0)
        return;
    close_locations((uintptr_t)one->at, (uintptr_t)one->at + one->size);
    if (shared->recording) {
        self->path = NULL;
        write_row(self, K_STORE, (uintptr_t)one->at, 0, self->number);
    }
    clock_write((uintptr_t)one->at, one->size < SEEN ? one->size : SEEN, 0, 0);
}

static void expect_apart(int block, const char *call)
{
    const struct held *mine = &held[block];
    for (int i = 0; i < MOST_OPS + PROBES + MOST_THREADS; i++)
        if (i != block && held[i].live && held[i].at < mine->at + mine->size && mine->at < held[i].at + held[i].size)
            problem(OVERLAP, (uintptr_t)mine->at, held[i].lane != self->number ? held[i].lane : -1,
                    "%s of thread %d gives block %d at 0x%lx, within block %d, which is live", call,
                    self->number == HUB ? 0 : self->number, block, (unsigned long)(uintptr_t)mine->at, i);
}

static void give(int block, const char *call, void *at, uint64_t size, uint64_t alignment)
{
    if (at == NULL) {
        held[block] = (struct held){0};
        if (!note_refusal() && size < MODEST && size != 0 && self->number != HUB)
            problem(SPURIOUS_NULL, 0, -1, "%s of %lu bytes answers NULL, though the system refused nothing", call,
                    (unsigned long)size);
        return;
    }
    struct held *one = &held[block];
    *one = (struct held){at, size, 1, self->number};
    if ((uintptr_t)at % alignment != 0)
        problem(MISALIGNED, (uintptr_t)at, -1, "%s gives a block at 0x%lx, no multiple of %lu", call,
                (unsigned long)(uintptr_t)at, (unsigned long)alignment);
    expect_apart(block, call);
    note_block(at, size);
    use(block);
    for (uint64_t byte = 0; byte < size; byte = next_watched(one, byte))
        one->at[byte] = tag(block, byte);
}

static void take_back(int block)
{
    if (held[block].at == NULL)
        return;
    expect_whole(block);
    use(block);
    held[block].live = 0;
}

static void resize(const struct op *op, struct event *event)
{
    struct held before = held[op->block];
    take_back(op->block);
    unsigned char *now = target.realloc(before.at, op->numbers[0]);
    event->pointer = (uintptr_t)before.at, event->result = (uintptr_t)now;
    uint64_t kept = before.size < op->numbers[0] ? before.size : op->numbers[0];
    for (uint64_t at = 0; now != NULL && before.at != NULL && at < kept && at < WATCHED; at++)
        if (now[at] != tag(op->block, at))
            problem(PREFIX_LOST, (uintptr_t)now + at, -1, "realloc loses byte %lu of block %d", (unsigned long)at,
                    op->block);
    held[op->block].at = NULL;
    give(op->block, "realloc", now, op->numbers[0], shared->alignment);
    if (now == NULL)
        held[op->block] = before;
}

static void call_calloc(const struct op *op, struct event *event)
{
    unsigned char *at = target.calloc(1, op->numbers[0]);
    event->result = (uintptr_t)at;
    for (uint64_t i = 0; at != NULL && i < op->numbers[0] && i < WATCHED; i++)
        if (at[i] != 0)
            problem(NOT_ZEROED, (uintptr_t)at + i, -1, "byte %lu of calloc's block is not zero", (unsigned long)i);
    give(op->block, "calloc", at, op->numbers[0], shared->alignment);
}

/* The child has only this thread, and memory as it was; it must be able to go on using the heap. */
static void use_in_child(void)
{
    run_fork_handlers(2);
    for (int i = 0; i < 4; i++)
        target.free(target.malloc(24 + 40 * (size_t)i));
    _exit(0);
}

static void call_fork(void)
{
    arrive(K_FORK, FORK_OBJECT, 0);
    run_fork_handlers(0);
    pid_t child = fork();
    if (child == 0)
        use_in_child();
    int status = 0;
    waitpid(child, &status, 0);
    if (shared->code != NOTHING)
        finish();
    if (status != 0)
        problem(FORK_UNSAFE, 0, -1, "the forked child dies as it uses the heap");
    run_fork_handlers(1);
}

static void call(const struct op *op, struct event *event)
{
    struct held *mine = op->block >= 0 ? &held[op->block] : NULL;
    switch (op->code) {
    case 'm': {
        void *at = target.malloc(op->numbers[0]);
        event->result = (uintptr_t)at;
        give(op->block, "malloc", at, op->numbers[0], shared->alignment);
        break;
    }
    case 'a': {
        void *at = target.aligned_alloc(op->numbers[0], op->numbers[1]);
        event->result = (uintptr_t)at;
        give(op->block, "aligned_alloc", at, op->numbers[1], op->numbers[0]);
        break;
    }
    case 'c':
        call_calloc(op, event);
        break;
    case 'r':
        resize(op, event);
        break;
    case 'u':
        event->pointer = (uintptr_t)mine->at;
        event->result = target.usable_size(mine->at);
        break;
    case 'f':
        event->pointer = (uintptr_t)mine->at;
        take_back(op->block);
        target.free(mine->at);
        break;
    case 'k':
        call_fork();
        break;
    case 'e':
        self->late = 1;
        break;
    }
}

static int is_given(struct thread *one) { return given[one->target - WAIT_OBJECT]; }

static void play(unsigned lane, const struct op *op)
{
    static struct event nobodys;
    struct event *event = shared->events_out < MOST_OPS * 2 ? &shared->events[shared->events_out++] : &nobodys;
    if (op->waits) {
        wait_until(K_WAIT, WAIT_OBJECT + (uintptr_t)op->block, 0, is_given);
        clock_acquire(WAIT_OBJECT + (uintptr_t)op->block);
    }
    *event = (struct event){.lane = lane, .code = op->code, .numbers = {op->numbers[0], op->numbers[1]}};
    self->entered = steps;
    shared->calls++;
    call(op, event);
    event->start = alone ? 0 : self->entered, event->end = alone ? 0 : steps;
    uintptr_t lock;
    if (locks_left(&lock))
        problem(LOST_UNLOCK, lock, -1, "thread %d comes back from its call and still holds what is at 0x%lx", (int)lane,
                (unsigned long)lock);
    if (op->gives) {
        given[op->block] = 1;
        clock_release(WAIT_OBJECT + (uintptr_t)op->block);
        someone_wrote(WAIT_OBJECT + (uintptr_t)op->block, 1);
    }
}

static void *lane(void *number)
{
    unsigned mine = (unsigned)(uintptr_t)number;
    if (mine == 0 && shared->lane_start[0] != shared->lane_start[1]) {
        for (uint64_t i = shared->lane_start[0]; i < shared->lane_start[1]; i++)
            play(0, &shared->ops[i]);
        back_to_hub();
    }
    for (uint64_t i = shared->lane_start[mine + 1]; i < shared->lane_start[mine + 2]; i++) {
        shared->last[mine] = i - shared->lane_start[mine + 1];
        play(mine, &shared->ops[i]);
    }
    return NULL;
}

void allocate_late(void)
{
    const int block = MOST_OPS + PROBES + self->number;
    give(block, "malloc, as a thread ends,", target.malloc(LATE), LATE, 1);
    if (held[block].live)
        take_back(block), target.free(held[block].at);
}

static void free_all(void)
{
    for (int i = 0; i < MOST_OPS; i++)
        if (held[i].live)
            take_back(i), target.free(held[i].at);
}

/* Once all threads have ended: what is live is whole, can be freed, and comes back once only. */
static void look_at_what_is_left(void)
{
    free_all();
    const uint64_t count = shared->lane_start[shared->lanes + 1];
    for (int i = 0; i < PROBES && count > 0; i++) {
        const struct op *op = &shared->ops[(uint64_t)i % count];
        uint64_t size = op->code == 'm' || op->code == 'c' ? op->numbers[0] : 24;
        give(MOST_OPS + i, "malloc, after all threads have ended,", target.malloc(size), size, 1);
    }
    for (int i = 0; i < PROBES; i++)
        if (held[MOST_OPS + i].live)
            take_back(MOST_OPS + i), target.free(held[MOST_OPS + i].at);
}

/* A round more of the program, from its first call to its last. */

static unsigned at_op[MOST_LANES + 1];

static int play_next(unsigned part)
{
    const struct op *op = &shared->ops[shared->lane_start[part] + at_op[part]];
    if (op == &shared->ops[shared->lane_start[part + 1]] || (op->waits && !given[op->block]))
        return 0;
    at_op[part]++;
    play(part, op);
    return 1;
}

static void round_by_one(void)
{
    memset(given, 0, sizeof given), memset(at_op, 0, sizeof at_op);
    for (int played = 1; played;) {
        played = 0;
        for (unsigned part = 0; part <= shared->lanes; part++)
            while (play_next(part))
                played = 1;
    }
    self->late = 0;
    free_all();
}

static void round_by_threads(void)
{
    memset(given, 0, sizeof given);
    for (uint64_t i = 0; i < shared->lanes; i++)
        start_lane((int)i, lane, (void *)(uintptr_t)i);
    if (shared->lane_start[0] != shared->lane_start[1])
        run_alone(0);
    run_lanes_in_order((unsigned)shared->lanes);
    free_all();
}

/* Whether the lanes ran one after the other, and by what was asked. */
static int is_in_order(void)
{
    for (uint64_t i = 0; i < shared->segments_out; i++)
        if (shared->segments[i].thread != i)
            return 0;
    return shared->strategy == FOLLOW && shared->segments_out == shared->lanes;
}

/* Whether a thread that the target has started goes on. */
static int is_any_unended(void)
{
    int any = 0;
    for (int i = MOST_LANES; i < HUB; i++)
        any |= threads[i].live;
    return any;
}

_Noreturn void play_schedule(void)
{
    begin_schedule();
    if (target.init != NULL)
        target.init();
    for (uint64_t i = 0; i < shared->lanes; i++)
        start_lane((int)i, lane, (void *)(uintptr_t)i);
    if (shared->lane_start[0] != shared->lane_start[1])
        run_alone(0);
    run_lanes((unsigned)shared->lanes);
    look_at_what_is_left();
    shared->unended |= (uint64_t)is_any_unended();
    if (shared->rounds > 0 && is_in_order())
        expect_no_growth(round_by_one, round_by_threads);
    else
        expect_all_back();
    run_exit_handlers();
    allocate_late();
    finish();
}
