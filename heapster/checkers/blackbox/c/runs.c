/* Runs of many operations: those given, those generated from a seed, and one cycle over and over. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"
#include "judge.h"

#define PHASE_OPS 2048 /* operations between changes of the generator's mood */
#define LOOK_OPS 64    /* between looks at the clock */

static int is_news(int suspicion)
{
    if (suspicion == NOTHING || (shared->masked >> suspicion & 1) != 0)
        return 0;
    shared->suspicion = (uint64_t)suspicion;
    return 1;
}

/* Executes an operation; whether that is the end of the run. */
static int ends_run(const struct op *op, struct result *result, int precise)
{
    seal_op(op);
    int suspicion = execute(op, result, precise);
    if (precise)
        seal_result(result);
    return is_news(suspicion);
}

void run_given(void)
{
    int precise = shared->mode == PRECISE;
    struct result scratch;
    for (uint64_t i = 0; i < shared->ops; i++) {
        shared->current = i;
        if (ends_run(&ops[i], precise ? &results[i] : &scratch, precise))
            break;
    }
    if (!precise)
        results[0] = scratch;
    shared->done_ops = shared->current + 1;
}

/* Pages of this process: its whole address space, or what is resident of it. */
static uint64_t pages(int resident)
{
    char text[128], *at = text;
    int fd = open("/proc/self/statm", O_RDONLY);
    long n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return 0;
    text[n] = 0;
    if (resident)
        at = strchr(at, ' ') + 1;
    uint64_t count = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        count = count * 10 + (uint64_t)(*at - '0');
    return count;
}

uint64_t footprint(void) { return pages(0) * 4096; }

/* Whether what the case may spend is spent: looked at now and then, as asking takes longer than an operation. */
static int is_spent(uint64_t done)
{
    if (shared->spend_ms == 0 || done % LOOK_OPS != 0)
        return 0;
    return nanoseconds(CLOCK_PROCESS_CPUTIME_ID) / 1000000 >= shared->spend_ms;
}

/* After a round of `repeat`: what is resident, at SAMPLES of them. */
void sample_footprint(uint64_t round)
{
    uint64_t every = shared->repeat / SAMPLES + 1;
    shared->done_ops = round + 1;
    if (round % every == every - 1 && shared->samples < SAMPLES)
        shared->footprint[shared->samples++] = pages(1) * 4096;
}

void run_volume(void)
{
    struct result scratch;
    int fails_anyway = 0;
    uint64_t before = footprint();
    for (uint64_t round = 0; round < shared->repeat; round++) {
        for (uint64_t i = 0; i < shared->ops; i++) {
            shared->current = i;
            execute(&ops[i], &scratch, 0);
            int failed = is_allocating(ops[i].verb) && scratch.status == DONE && scratch.pointer == 0;
            fails_anyway |= failed && round == 0;
            if (failed && !fails_anyway) {
                shared->suspicion = SUSPECT_NULL;
                shared->code = round;
                return;
            }
        }
        if (round < SAMPLES && footprint() > before + shared->mapped)
            shared->mapped = footprint() - before;
        free_everything();
        sample_footprint(round);
    }
}

/* The generator. Its choices depend on the seed and on which blocks live, never on addresses. */

struct mood {
    uint64_t slots;       /* handles in use */
    uint64_t least, most; /* bytes */
    unsigned free_bias;   /* how often a live slot is freed, */
    unsigned resize_bias; /* against how often it is resized */
    unsigned shape;       /* of sizes */
    unsigned order;       /* of slots: any, one after the other, or there and back */
    uint64_t turn;        /* how often a slot was chosen */
};

enum { ANY_ORDER = 2, THERE_AND_BACK }; /* orders; below them it is any as well */

static uint64_t state;

static uint64_t rnd(void)
{
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state * 0x2545f4914f6cdd1du;
}

static uint64_t below(uint64_t n) { return n != 0 ? (rnd() >> 11) % n : 0; }

static struct mood new_mood(void)
{
    static const uint64_t mosts[] = {24, 64, 64, 128, 128, 256, 512, 1024, 4096, 16384, 65536, 300000};
    struct mood mood = {
        .shape = (unsigned)below(5), .free_bias = 64 + (unsigned)below(160), .order = (unsigned)below(4)};
    mood.most = mosts[below(sizeof mosts / sizeof *mosts)];
    if (mood.most > shared->most_size)
        mood.most = shared->most_size;
    mood.least = below(4) == 0 ? mood.most / 2 : 1;
    if (below(8) == 0) /* many of one size */
        mood.least = mood.most = 1 + below(mood.most);
    mood.resize_bias = below(3) == 0 ? 64 : 8;
    uint64_t slots = (uint64_t)8 << below(10);
    mood.slots = slots < shared->most_live ? slots : shared->most_live;
    return mood;
}

static uint64_t size_in(const struct mood *mood)
{
    uint64_t size = mood->least + below(mood->most - mood->least + 1);
    if (mood->shape == 1) /* many small, few large */
        size = mood->least + below(below(mood->most - mood->least + 1) + 1);
    else if (mood->shape == 2) /* about powers of two */
        size = ((uint64_t)16 << below(9)) + below(17) - 8;
    else if (mood->shape == 3 && below(2) == 0) /* multiples of eight */
        size &= ~(uint64_t)7;
    else if (mood->shape == 4) /* about where a header more takes the next size */
        size = (size | 15) - 8 + below(10);
    if (size < shared->least_size)
        size = shared->least_size + size % 64;
    return size < shared->most_size ? size : shared->most_size;
}

static int has(unsigned verb) { return (shared->verbs >> verb & 1) != 0; }

/* One of the calls that give a block, those that the target has, each as often as the others. */
static unsigned any_allocating(void)
{
    uint64_t few = 0;
    for (unsigned verb = 0; verb < OPERATIONS; verb++)
        few += is_allocating(verb) && has(verb);
    uint64_t nth = below(few);
    for (unsigned verb = 0; verb < OPERATIONS; verb++)
        if (is_allocating(verb) && has(verb) && nth-- == 0)
            return verb;
    return OP_MALLOC;
}

static void allocation(struct op *op, const struct mood *mood)
{
    uint64_t size = size_in(mood);
    op->verb = below(8) == 0 ? any_allocating() : OP_MALLOC;
    op->numbers[0] = size, op->numbers[1] = 0;
    if (operation_rows[op->verb].requests == REQUESTS_PRODUCT) {
        op->numbers[0] = 1 + below(4);
        op->numbers[1] = size / op->numbers[0];
    } else if (is_aligning(op->verb)) {
        op->numbers[0] = (uint64_t)16 << below(9);
        op->numbers[1] = size;
    }
}

/* Of a target that can be told what a block was asked for with, half of the calls tell it: but who aligned a block
   that is aligned, only steps of a trace say. */
static void release(struct op *op)
{
    int says = has(OP_FREE_SIZED) && live_alignment(op->operand) == 0 && below(2);
    op->verb = says ? OP_FREE_SIZED : OP_FREE;
    op->numbers[0] = says ? live_size(op->operand) : 0;
}

/* Slots in order are filled one after the other, then emptied: neighbours come and go together. */
static int32_t next_slot(struct mood *mood)
{
    uint64_t turn = mood->turn++, at = turn % mood->slots;
    if (mood->order < ANY_ORDER)
        return (int32_t)below(mood->slots);
    if (mood->order == THERE_AND_BACK && turn / mood->slots % 2 == 1)
        at = mood->slots - 1 - at;
    return (int32_t)at;
}

static int next_op(struct op *op, struct mood *mood)
{
    int32_t slot = next_slot(mood);
    *op = (struct op){.result = NO_HANDLE, .operand = NO_HANDLE};
    if (shared->live_bytes > shared->live_budget && live_blocks() > 0 && !is_live_handle(slot))
        slot = live_handle(below(live_blocks())); /* it may be one that this mood has no slot for */
    if (!is_live_handle(slot)) {
        op->result = slot;
        allocation(op, mood);
        return 1;
    }
    uint64_t choice = below(mood->free_bias + mood->resize_bias);
    op->operand = slot;
    if (choice < mood->free_bias) {
        release(op);
    } else if (has(OP_REALLOC) && shared->live_bytes <= shared->live_budget) {
        op->verb = OP_REALLOC;
        op->result = slot;
        uint64_t old = live_size(slot), grown = old + 1 + below(old + 64);
        op->numbers[0] = below(2) ? size_in(mood) : grown < shared->most_size ? grown : size_in(mood);
        if (op->numbers[0] == 0)
            op->numbers[0] = 1;
    } else {
        return 0;
    }
    return 1;
}

void run_generated(void)
{
    struct mood mood = {0};
    state = mix(shared->seed) | 1;
    uint64_t done = 0;
    while (done < shared->ops && !is_spent(done)) {
        if (done % PHASE_OPS == 0)
            mood = new_mood();
        struct op *op = &ops[done];
        if (!next_op(op, &mood))
            continue;
        shared->current = done++;
        shared->done_ops = done;
        if (ends_run(op, &results[0], 0))
            return;
    }
}
