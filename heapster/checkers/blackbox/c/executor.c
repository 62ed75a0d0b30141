/* One operation at a time: the call itself, and what can be seen of it.

   Nothing here allocates: the table of blocks is mapped before the target is started. An operation on
   a handle that holds no live block is skipped, so that any subset of a trace may be run. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "judge.h"
#include "observing.h"
#include "snapshot.h"

#define MOST_HANDLES MOST_OPS
#define CHECKED_A_STEP (1u << 18)     /* bytes of live payload looked at after a precise step */
#define LONG_TRACE 3000u              /* operations; in longer ones less is looked at after each */
#define TOUCHABLE ((uint64_t)1 << 36) /* larger blocks are only known, never written */
#define SENTINEL ((void *)(uintptr_t)0x5afe5afe)
#define NO_ERRNO 0x7e57 /* no error has this number */

static struct account account = {.handles = MOST_HANDLES};
static struct block *blocks; /* by handle, of live ones */
static uint32_t *alive;      /* handles of live blocks */
static uint64_t alive_count, serial, checked_next, largest_given;
static int seeds_by_place; /* what callers write says where their block lies, and how large it is: nothing else */

void harness_misuse(int32_t handle)
{
    shared->misused = (uint64_t)(uint32_t)handle + 1;
    show();
    _exit(HARNESS_FAULT);
}

void executor_start(void)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    blocks = mmap(FAR_AWAY(1), MOST_HANDLES * sizeof *blocks, PROT_READ | PROT_WRITE, flags, -1, 0);
    alive = mmap(FAR_AWAY(2), MOST_HANDLES * sizeof *alive, PROT_READ | PROT_WRITE, flags, -1, 0);
    account.at = mmap(FAR_AWAY(3), MOST_HANDLES * sizeof *account.at, PROT_READ | PROT_WRITE, flags, -1, 0);
}

void executor_seeds_by_place(void) { seeds_by_place = 1; }

void executor_save(struct executor_state *to)
{
    to->count = alive_count, to->serial = serial, to->largest = largest_given, to->live_bytes = shared->live_bytes;
    memcpy(to->alive, alive, sizeof to->alive);
    memcpy(to->at, account.at, sizeof to->at);
    memcpy(to->blocks, blocks, sizeof to->blocks);
}

void executor_restore(const struct executor_state *from)
{
    alive_count = from->count, serial = from->serial, largest_given = from->largest;
    shared->live_bytes = from->live_bytes;
    memcpy(alive, from->alive, sizeof from->alive);
    memcpy(account.at, from->at, sizeof from->at);
    memcpy(blocks, from->blocks, sizeof from->blocks);
}

uint64_t executor_largest(void) { return largest_given; }
const struct block *live_block(int32_t handle) { return &blocks[handle]; }
uintptr_t live_place(int32_t handle) { return (uintptr_t)account_pointer(&account, handle); }

uint64_t live_blocks(void) { return alive_count; }
int32_t live_handle(uint64_t nth) { return (int32_t)alive[nth]; }
uint64_t live_size(int32_t handle) { return blocks[handle].request; }
uint64_t live_alignment(int32_t handle) { return blocks[handle].alignment; }

int is_live_handle(int32_t handle) { return account_is_live(&account, handle); }

static unsigned char *at(int32_t handle) { return account_pointer(&account, handle); }

static void forget(int32_t handle)
{
    struct block *block = &blocks[handle];
    if (is_live_handle(handle)) {
        shared->live_bytes -= block->request;
        alive[block->place] = alive[--alive_count];
        blocks[alive[block->place]].place = block->place;
    }
    account_forget(&account, handle);
}

static uint64_t seed_of(const void *place, uint64_t request)
{
    return seeds_by_place ? mix((uintptr_t)place ^ mix(request)) : mix(++serial ^ observing_salt() << 32);
}

static void define(const struct op *op, void *pointer, uint64_t request, uint64_t filled)
{
    int32_t handle = op->result;
    forget(handle);
    account_define(&account, handle, pointer);
    blocks[handle] = (struct block){request, filled, seed_of(pointer, request), alive_count, alignment_asked(op)};
    if (pointer == NULL)
        return;
    alive[alive_count++] = (uint32_t)handle;
    shared->live_bytes += request;
}

/* What the calls of the table do with what they answer; `result` takes what is no block. */
#define GIVES_BLOCK(name, arguments) return target.name arguments;
#define GIVES_NOTHING(name, arguments)                                                                                 \
    target.name arguments;                                                                                             \
    return NULL;
#define GIVES_SIZE(name, arguments)                                                                                    \
    result->usable = target.name arguments;                                                                            \
    return NULL;
#define GIVES_ERROR(name, arguments)                                                                                   \
    result->returned = target.name arguments;                                                                          \
    return stored(place, result);

/* The block that a call stored where SENTINEL was, if it did. */
static void *stored(void *place, struct result *result)
{
    if (result->returned == 0)
        return place == SENTINEL ? NULL : place;
    result->out_changed = place != SENTINEL && place != NULL;
    return NULL;
}

void *call_target(const struct op *op, void *operand, struct result *result)
{
    size_t first = (size_t)op->numbers[0], second = (size_t)op->numbers[1];
    void *place = SENTINEL, **out = &place;
    switch (served_by(op->verb)) {
        CALL_CASES(GIVES_BLOCK, GIVES_ERROR, GIVES_SIZE, GIVES_NOTHING)
    default:
        return NULL;
    }
}

static void refuse_memory(void)
{
    uint64_t now = footprint();
    system_refuses = 1;
    setrlimit(RLIMIT_AS, &(struct rlimit){(rlim_t)now, RLIM_INFINITY});
}

/* The word at a place of a block, as far as it lies in it. */
static uint64_t word_in(const unsigned char *block, uint64_t at, uint64_t size)
{
    uint64_t word = 0;
    memcpy(&word, block + at, size - at < sizeof word ? size - at : sizeof word);
    return word;
}

/* Looks at live blocks, all if they are few, else some in turn; the first damaged one is repaired. */
static void look_at(struct result *result, uint64_t budget)
{
    for (uint64_t n = 0, bytes = 0; n < alive_count && bytes < budget; n++) {
        checked_next = checked_next + 1 < alive_count ? checked_next + 1 : 0;
        struct block *block = &blocks[alive[checked_next]];
        unsigned char *payload = at((int32_t)alive[checked_next]);
        uint64_t differs = pattern_differs(payload, block->seed, block->filled, NONE);
        bytes += block->filled < 1024 ? block->filled + 16 : 1024;
        if (differs == NONE)
            continue;
        result->damaged = (int32_t)alive[checked_next];
        result->damaged_at = differs;
        result->found = word_in(payload, differs, block->filled);
        pattern_write(payload, block->seed, block->filled);
        return;
    }
}

/* How much of a block is written: what is usable, unless that is past belief; but for what is spared at its end. */
static uint64_t to_fill(int32_t handle, uint64_t request, uint64_t usable)
{
    if (request > TOUCHABLE)
        return 0;
    if (usable < request) /* it says so itself */
        return usable;
    uint64_t all = usable != NONE && usable > request && usable <= 2 * request + 65536 ? usable : request;
    uint64_t spared = shared->spared_of == 0 || shared->spared_of == (uint64_t)handle + 1 ? shared->spared : 0;
    return all > spared ? all - spared : 0;
}

/* What a block must be aligned to: what was asked for, if that is legal; else what all are. */
static uint64_t alignment_due(const struct op *op, uint64_t request)
{
    uint64_t due = shared->alignment, asked = op->numbers[0];
    while (shared->small_blocks && due > 1 && request < due)
        due /= 2;
    return is_aligning(op->verb) && asked > due && (asked & (asked - 1)) == 0 ? asked : due;
}

static int given(const struct op *op, struct result *result, void *pointer, int precise)
{
    uint64_t request = requested(op), old_size = 0, old_seed = 0, old_filled = 0;
    int resized = is_resizing(op->verb) && is_live_handle(op->operand);
    if (resized) {
        struct block *old = &blocks[op->operand];
        old_size = old->request, old_seed = old->seed, old_filled = old->filled;
        shadow_release((uintptr_t)at(op->operand), old->filled);
        forget(op->operand);
    }
    if (request > SIZE_MAX / 2) { /* it should have refused; nobody can use this */
        forget(op->result);
        return SUSPECT_HUGE;
    }
    if ((shared->has >> OP_USABLE_SIZE & 1) != 0 && (precise || serial % 8 == 0))
        result->usable = target.usable_size(pointer);
    uint64_t fill = to_fill(op->result, request, precise ? result->usable : NONE);
    if (fence_excludes((uintptr_t)pointer, fill)) { /* nobody writes there */
        define(op, pointer, request, 0);
        return SUSPECT_OUTSIDE;
    }
    if (strangers_have((uintptr_t)pointer, fill)) {
        define(op, pointer, request, 0);
        result->harmed = STRANGER_LOST;
        return SUSPECT_HARM;
    }
    enter(FILLING);
    if (resized)
        result->prefix_lost = pattern_differs(pointer, old_seed, old_filled, old_size < request ? old_size : request);
    if (op->verb == OP_CALLOC && request <= TOUCHABLE)
        result->dirty = first_nonzero(pointer, request);
    if (result->dirty != NONE)
        result->found = word_in(pointer, result->dirty, request);
    define(op, pointer, request, fill);
    observing_gives((uintptr_t)pointer, fill, result);
    int overlapping = !precise && shadow_take((uintptr_t)pointer, fill);
    if (!(overlapping && (shared->masked >> SUSPECT_OVERLAP & 1) == 0))
        pattern_write(pointer, blocks[op->result].seed, fill);
    if (request > largest_given)
        largest_given = request;
    uint64_t least = alignment_due(op, request);
    if (overlapping)
        return SUSPECT_OVERLAP;
    if (result->usable != NONE && result->usable < request)
        return SUSPECT_USABLE;
    if (result->prefix_lost != NONE)
        return SUSPECT_PREFIX;
    if (result->dirty != NONE)
        return SUSPECT_DIRTY;
    return ((uintptr_t)pointer & (least - 1)) != 0 ? SUSPECT_MISALIGNED : NOTHING;
}

static int refused(const struct op *op, struct result *result)
{
    uint64_t request = requested(op);
    int gone = is_resizing(op->verb) && request == 0 && op->operand != NO_HANDLE && !shared->zero_keeps;
    if (gone && is_live_handle(op->operand)) {
        shadow_release((uintptr_t)at(op->operand), blocks[op->operand].filled);
        forget(op->operand);
    } else if (is_resizing(op->verb) && is_live_handle(op->operand)) {
        observing_gives((uintptr_t)at(op->operand), blocks[op->operand].filled, result);
    }
    define(op, NULL, request, 0);
    if (request != 0 && shared->wants_errno && op->verb != OP_POSIX_MEMALIGN && result->error == 0)
        return SUSPECT_ERRNO;
    return request != 0 && alive_count == 0 && request <= largest_given && is_any_alignment(op->verb) ? SUSPECT_NULL
                                                                                                      : NOTHING;
}

/* In fast runs: the block in question, and another in turn. */
static int check_fast(const struct op *op, struct result *result)
{
    enter(CHECKING);
    if (is_live_handle(op->operand) && (is_releasing(op->verb) || is_resizing(op->verb))) {
        struct block *block = &blocks[op->operand];
        result->damaged_at = pattern_differs(at(op->operand), block->seed, block->filled, NONE);
        if (result->damaged_at != NONE) {
            result->damaged = op->operand;
            pattern_write(at(op->operand), block->seed, block->filled);
        }
    } else if ((serial & 3) == 0) {
        look_at(result, 1);
    }
    return result->damaged != NO_HANDLE ? SUSPECT_CONTENTS : NOTHING;
}

static int own_check(struct result *result)
{
    enter(OWN_CHECK);
    int answer = target.check(0);
    result->own_check_failed = shared->check_means && answer == 0;
    return result->own_check_failed ? SUSPECT_OWN_CHECK : NOTHING;
}

/* Whether it says of the block that it frees what is not so: as code under test never does. */
static int is_misstated(const struct op *op)
{
    return is_stating(op->verb) && is_live_handle(op->operand)
           && !states(op, blocks[op->operand].alignment, blocks[op->operand].request);
}

/* What is no call of the target, or cannot be one: whether the operation was that. */
static int is_no_call(const struct op *op, struct result *result)
{
    result->status = DONE;
    if (op->verb == OP_FAIL) {
        refuse_memory();
    } else if (op->verb == OP_FOREIGN_SBRK) {
        stranger_moves((int64_t)op->numbers[0]);
    } else if (!account_knows(&account, op->operand) || !target_has(served_by(op->verb)) || is_misstated(op)) {
        if (op->result != NO_HANDLE && op->result != op->operand)
            forget(op->result);
        result->status = SKIPPED;
    } else {
        result->status = BEGUN;
        return 0;
    }
    return 1;
}

/* Bytes that a call may have to touch: its time is in proportion to them. */
static uint64_t may_touch(const struct op *op)
{
    uint64_t old = is_live_handle(op->operand) ? blocks[op->operand].request : 0;
    uint64_t asked = is_allocating(op->verb) ? requested(op) : 0;
    return old + (asked <= TOUCHABLE ? asked : 0);
}

static void *observed_call(const struct op *op, void *operand, struct result *result)
{
    enter(CALLING);
    observing_begins(op, operand, is_live_handle(op->operand) ? blocks[op->operand].filled : 0);
    edges_begin();
    errno = NO_ERRNO;
    void *pointer = call_target(op, operand, result);
    result->error = errno == NO_ERRNO ? 0 : errno;
    observing_ends(op, (uintptr_t)pointer, result);
    result->pointer = (uintptr_t)pointer;
    result->low = (uintptr_t)fence.low, result->high = (uintptr_t)fence.high;
    result->stray = fence_broken();
    result->harmed = (uint64_t)strangers_harmed();
    return pointer;
}

/* After a precise step: live blocks, and what the target itself thinks of its heap. */
static void look_closely(struct result *result)
{
    enter(CHECKING);
    look_at(result, shared->ops > LONG_TRACE ? CHECKED_A_STEP >> 10 : CHECKED_A_STEP);
    if (target.check != NULL)
        own_check(result);
}

int execute(const struct op *op, struct result *result, int precise)
{
    *result =
        (struct result){.usable = NONE, .damaged = NO_HANDLE, .damaged_at = NONE, .prefix_lost = NONE, .dirty = NONE};
    if (is_no_call(op, result))
        return NOTHING;
    shared->call_bytes = may_touch(op);
    int looks_at_all = precise && shared->ops <= LONG_TRACE; /* afterwards; else what is given up is lost sight of */
    int suspicion = looks_at_all ? NOTHING : check_fast(op, result);
    void *operand = at(op->operand);
    if (is_releasing(op->verb) && is_live_handle(op->operand)) {
        shadow_release((uintptr_t)operand, blocks[op->operand].filled);
        observing_takes((uintptr_t)operand, blocks[op->operand].filled);
        forget(op->operand);
    }
    void *pointer = observed_call(op, operand, result);
    int noticed = NOTHING;
    if (is_allocating(op->verb))
        noticed = pointer != NULL ? given(op, result, pointer, precise) : refused(op, result);
    else if (is_releasing(op->verb) && result->error != 0)
        noticed = SUSPECT_ERRNO;
    if (precise)
        look_closely(result);
    result->status = DONE;
    shared->calls[served_by(op->verb)][pointer == NULL ? REFUSED : operand != NULL ? RESIZED : GAVE]++;
    if (noticed == NOTHING)
        noticed = result->stray != 0           ? SUSPECT_STRAY
                  : result->harmed != UNHARMED ? SUSPECT_HARM
                  : result->breach != UNBROKEN ? SUSPECT_BREACH
                                               : NOTHING;
    return suspicion != NOTHING ? suspicion : noticed;
}

void free_everything(void)
{
    while (alive_count > 0) {
        int32_t handle = (int32_t)alive[alive_count - 1];
        void *pointer = at(handle);
        shadow_release((uintptr_t)pointer, blocks[handle].filled);
        observing_takes((uintptr_t)pointer, blocks[handle].filled);
        forget(handle);
        enter(CALLING);
        target.free(pointer);
    }
}
