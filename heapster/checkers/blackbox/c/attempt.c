/* One call that may die or hang: what came of it, in few words that say all that the specification asks about it. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "driver.h"
#include "exhaust.h"
#include "snapshot.h"

#define TICK_US 20000
#define HANG_MS 160u                    /* of work in one call */
#define IDLE_TICKS 8u                   /* in which it went to sleep */
#define MOST_LIKELY ((uint64_t)1 << 40) /* bytes: that there are none for a larger block says nothing */
#define BYTES_A_MS (1u << 18)

uint64_t history;

static sigjmp_buf escape;
static volatile sig_atomic_t is_under_way;
static volatile uint64_t attempts;

static void leave(int how)
{
    if (is_under_way) {
        is_under_way = 0;
        siglongjmp(escape, how);
    }
}

static void on_fatal(int number)
{
    leave(number);
    signal(number, SIG_DFL);
    raise(number);
}

static void on_exit_of_target(void) { leave(IT_EXITED); }

static uint64_t worked_ms(void) { return nanoseconds(CLOCK_PROCESS_CPUTIME_ID) / 1000000; }

static long slept(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nvcsw;
}

static void on_tick(int number)
{
    static uint64_t seen, came_with, idle;
    static long had_slept;
    long now_slept = slept();
    (void)number;
    if (!is_under_way || attempts != seen) {
        seen = attempts, came_with = worked_ms(), idle = 0;
    } else {
        idle += now_slept != had_slept;
        uint64_t most = HANG_MS + shared->call_bytes / BYTES_A_MS;
        if (worked_ms() - came_with >= most || idle >= IDLE_TICKS)
            leave(IT_HUNG);
    }
    had_slept = now_slept;
}

void attempts_start(void)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
    static unsigned char stack[1 << 16] __attribute__((aligned(16)));
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    for (unsigned i = 0; i < sizeof fatal / sizeof *fatal; i++)
        sigaction(fatal[i], &(struct sigaction){.sa_handler = on_fatal, .sa_flags = SA_ONSTACK | SA_NODEFER}, NULL);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_tick, .sa_flags = SA_ONSTACK | SA_NODEFER | SA_RESTART},
              NULL);
    target_exits = on_exit_of_target;
    attempts_watch();
}

void attempts_watch(void) { setitimer(ITIMER_REAL, &(struct itimerval){{0, TICK_US}, {0, TICK_US}}, NULL); }

static uint64_t end_of(int32_t handle)
{
    const struct block *block = live_block(handle);
    uint64_t size = block->filled > block->request ? block->filled : block->request;
    return live_place(handle) + (size != 0 ? size : 1);
}

static int overlaps(int32_t handle)
{
    for (uint64_t n = 0; n < live_blocks(); n++) {
        int32_t other = live_handle(n);
        if (other != handle && live_place(other) < end_of(handle) && live_place(handle) < end_of(other))
            return 1;
    }
    return 0;
}

static int spoils(const struct came *came)
{
    const struct result *result = &came->result;
    return came->suspicion == SUSPECT_OVERLAP || came->suspicion == SUSPECT_PREFIX || came->suspicion == SUSPECT_HUGE
           || came->suspicion == SUSPECT_OUTSIDE || result->damaged != NO_HANDLE || result->stray != 0
           || result->harmed != UNHARMED;
}

/* What of the state before a call the specification's answer depends on. */
static uint64_t key_before(const struct op *op, uint32_t move)
{
    uint64_t key = mix(move & ((1u << OPERAND_AT) - 1)) + (uint64_t)(system_refuses || is_refusing(move));
    if (op->operand == NO_HANDLE)
        return mix(key);
    const struct block *block = live_block(op->operand);
    return mix(key ^ mix(block->request ^ mix(block->alignment ^ mix(block->filled))));
}

static uint64_t live_requests(void)
{
    uint64_t sum = 0;
    for (uint64_t n = 0; n < live_blocks(); n++)
        sum += mix(live_size(live_handle(n)));
    return sum;
}

/* Of an answer, without the addresses: whether a NULL is right depends on more than a block does. */
static uint64_t key_after(const struct op *op, const struct came *came)
{
    const struct result *result = &came->result;
    uint64_t words[] = {(uint64_t)came->suspicion,
                        (uint64_t)came->died,
                        came->phase,
                        result->pointer != 0,
                        (uint64_t)result->error,
                        (uint64_t)result->returned,
                        result->usable,
                        result->prefix_lost,
                        result->dirty,
                        result->damaged_at,
                        result->out_changed,
                        result->own_check_failed,
                        (uint64_t)result->stray,
                        result->harmed,
                        (uint64_t)result->status};
    uint64_t key = 0;
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        key = mix(key ^ words[i]);
    int is_open = requested(op) != 0 && requested(op) < MOST_LIKELY && !is_aligning(op->verb) && !system_refuses;
    if (is_allocating(op->verb) && result->pointer == 0 && is_open)
        key = mix(key ^ live_requests() ^ mix(executor_largest()));
    return key;
}

static void note_history(const struct op *op, const struct came *came)
{
    if (!is_allocating(op->verb))
        return;
    uint64_t place = came->result.pointer;
    history += mix(place ^ mix(requested(op) ^ mix(alignment_asked(op) ^ mix(came->result.usable))));
}

/* From here on there is no more memory: for who cannot be told by us, the system says it. */
static void refuse(void)
{
    struct result none;
    system_refuses = 1;
    if (shared->closed == 0)
        execute(&(struct op){.verb = OP_FAIL, .result = NO_HANDLE, .operand = NO_HANDLE}, &none, 0);
}

static void call_it(const struct op *op, uint32_t move, struct came *came)
{
    if (is_refusing(move))
        refuse();
    came->suspicion = execute(op, &came->result, 1);
    is_under_way = 0;
    if (is_allocating(op->verb) && is_live_handle(op->result) && came->suspicion != SUSPECT_OUTSIDE
        && overlaps(op->result))
        came->suspicion = SUSPECT_OVERLAP;
    if (came->result.damaged != NO_HANDLE && came->suspicion == NOTHING)
        came->suspicion = SUSPECT_CONTENTS;
}

void attempt(uint32_t move, int32_t handle, struct came *came)
{
    static struct op op; /* as are those below: they outlive a jump */
    static uint64_t before;
    op = op_of(move, handle);
    before = key_before(&op, move);
    *came = (struct came){.result = {.damaged = NO_HANDLE}};
    attempts++;
    int how = sigsetjmp(escape, 0);
    if (how == 0) {
        is_under_way = 1;
        call_it(&op, move, came);
    } else {
        came->died = how;
    }
    came->phase = came->died != 0 ? shared->phase : 0;
    came->went = came->died != 0 ? DIED : spoils(came) ? SPOILT : ON;
    came->key = mix(before ^ key_after(&op, came));
    if (came->went == ON)
        note_history(&op, came);
}
