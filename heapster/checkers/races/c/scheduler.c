/* Who goes on: the turns of threads. See scheduler.h. */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "weak.h"

#define STACKS ((char *)0x300000000000)
#define STACK_BYTES ((size_t)1 << 19)

struct shared *shared;
struct thread threads[MOST_THREADS];
_Thread_local struct thread *self;
uint32_t steps, stop;
int alone, in_child;

static uint32_t begun, last_change;

/* What was wrong ends the schedule. */

_Noreturn void finish(void)
{
    shared->steps = steps;
    shared->finished = 1;
    _exit(0);
}

_Noreturn void problem(enum code code, uintptr_t address, int other, const char *form, ...)
{
    va_list arguments;
    va_start(arguments, form);
    vsnprintf(shared->message, sizeof shared->message, form, arguments);
    va_end(arguments);
    shared->code = in_child ? FORK_UNSAFE : code;
    shared->address = address;
    shared->thread = self != NULL ? (uint64_t)self->number : HUB;
    shared->other = (uint64_t)other;
    if (self != NULL && self->is_lane && (!alone || in_child))
        shared->segments[shared->segments_out++ % MOST_SEGMENTS] = (struct segment){(uint32_t)self->number, 0};
    finish();
}

/* Turns. */

static void pass_baton(struct thread *to)
{
    __atomic_store_n(&to->baton, 1, __ATOMIC_RELEASE);
    syscall(SYS_futex, &to->baton, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void await_baton(struct thread *me)
{
    while (__atomic_load_n(&me->baton, __ATOMIC_ACQUIRE) == 0)
        syscall(SYS_futex, &me->baton, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    me->baton = 0;
}

static int may_go(struct thread *one) { return one->live && !one->shy && (one->ready == NULL || one->ready(one)); }

static uint32_t who_may_go(void)
{
    uint32_t enabled = 0;
    for (int i = 0; i < MOST_THREADS; i++)
        enabled |= (uint32_t)may_go(&threads[i]) << i;
    return enabled;
}

static void let_shy_on(void)
{
    for (int i = 0; i < MOST_THREADS; i++)
        threads[i].shy = 0, threads[i].spinning = 0;
}

static const char *const WAITS[] = {
    [K_LOCK] = "the lock",
    [K_READ_LOCK] = "the lock",
    [K_COND_WAIT] = "a signal of the condition",
    [K_ONCE] = "the end of the routine that is done once,",
    [K_JOIN] = "the end of the thread",
    [K_WAIT] = "block",
    [K_BARRIER] = "the barrier",
};

static _Noreturn void stuck(void)
{
    char said[400] = "";
    uintptr_t first = 0;
    for (int i = 0; i < HUB; i++) {
        const struct thread *one = &threads[i];
        if (!one->live)
            continue;
        if (shared->recording && one->is_lane)
            write_row(one, one->kind, one->target, one->pc, 0);
        if (first == 0)
            first = one->spinning != 0 ? one->spinning : one->target;
        const char *what = one->spinning != 0         ? "the word"
                           : WAITS[one->kind] != NULL ? WAITS[one->kind]
                                                      : "what never comes";
        snprintf(said + strlen(said), sizeof said - strlen(said), "%sthread %d %s %s at 0x%lx",
                 said[0] != 0 ? "; " : "", i, one->spinning != 0 ? "spins on" : "waits for", what,
                 (unsigned long)(one->spinning != 0 ? one->spinning : one->target));
    }
    problem(DEADLOCK, first, -1, "%s", said);
}

static int only_spinners(uint32_t enabled)
{
    for (int i = 0; i < HUB; i++)
        if (enabled >> i & 1 && threads[i].spins[0].times == 0)
            return 0;
    return 1;
}

/* At least one thread, or the schedule ends here. */
static uint32_t enabled_now(void)
{
    uint32_t enabled = who_may_go();
    if (enabled == 0) {
        let_shy_on();
        enabled = who_may_go();
    }
    if (enabled == 0 || (steps - last_change > IDLE_LIMIT && only_spinners(enabled)))
        stuck();
    return enabled;
}

static void write_decision(enum kind kind, uintptr_t target, uintptr_t pc, uint32_t enabled, int chosen);

unsigned choose_write(unsigned number, uintptr_t target, uintptr_t pc)
{
    shared->questions++;
    unsigned chosen = prefer_write(number);
    if (shared->old_out == MOST_OLD)
        chosen = 0;
    write_decision(K_MEET, target, pc, number, (int)chosen);
    if (chosen != 0)
        shared->old[shared->old_out++] = (struct old){(uint32_t)shared->questions, chosen};
    return chosen;
}

void tell_atomic(int order)
{
    if (!shared->recording || shared->rows_out == 0)
        return;
    struct row *row = &shared->rows[shared->rows_out - 1];
    row->order = (uint8_t)order, row->old = back != 0;
}

static void close_segment(uint32_t thread, uint32_t points)
{
    if (alone || thread >= HUB || shared->segments_out >= MOST_SEGMENTS)
        return;
    shared->segments[shared->segments_out++] = (struct segment){thread, points};
    if (points != 0)
        shared->was_preempted = 1;
    else
        shared->waits_out++;
}

void write_row(const struct thread *of, enum kind kind, uintptr_t target, uintptr_t pc, int chosen)
{
    if (shared->rows_out >= MOST_ROWS || alone || of->number == HUB)
        return;
    struct row *row = &shared->rows[shared->rows_out++];
    *row = (struct row){.target = target,
                        .pc = pc,
                        .step = steps,
                        .begun = begun,
                        .kind = (uint8_t)kind,
                        .segments = (uint32_t)shared->segments_out,
                        .thread = (uint8_t)of->number,
                        .chosen = (uint8_t)chosen};
    if (!shared->recording || of->path == NULL)
        return;
    uint32_t depth = of->path->depth < MOST_FRAMES ? of->path->depth : MOST_FRAMES;
    for (; row->depth < MOST_STACK && row->depth < depth; row->depth++)
        row->stack[row->depth] = of->path->caller[depth - 1 - row->depth];
}

/* What was to be decided, by whom, and what came of it: where depth first can turn off. */
static void write_decision(enum kind kind, uintptr_t target, uintptr_t pc, uint32_t enabled, int chosen)
{
    uint64_t before = shared->rows_out;
    if (shared->recording)
        return;
    write_row(self, kind, target, pc, chosen);
    if (before < shared->rows_out)
        shared->rows[before].enabled = enabled, shared->rows[before].state = state_digest();
}

/* The others have their turns, and the running one comes back as it is chosen again. */
static void let_go_on(struct thread *me, int chosen)
{
    int at_entry = steps == me->entered, forced = me->shy || (me->ready != NULL && !me->ready(me));
    if (forced || steps != begun) /* who is passed over before it has done anything has had no turn */
        close_segment((uint32_t)me->number, forced ? 0 : steps - begun);
    begun = steps;
    pass_baton(&threads[chosen]);
    await_baton(me);
    if (at_entry)
        me->entered = steps;
}

void take_step(void) { steps++, self->taken++; }

static _Noreturn void no_end(void)
{
    for (int i = 0; i < HUB; i++)
        if (threads[i].live && !threads[i].is_lane && threads[i].taken > STEP_LIMIT / 4)
            problem(UNUSABLE, 0, -1, "a thread that it starts goes on and on while calls of the program wait");
    problem(FAULT_HANG, 0, -1, "no end after %u accesses of all threads", steps);
}

void arrive(enum kind kind, uintptr_t target, uintptr_t pc)
{
    struct thread *me = self;
    if (steps >= STEP_LIMIT)
        no_end();
    me->kind = kind, me->target = target, me->pc = pc, me->path = call_path;
    uint32_t enabled = enabled_now();
    int chosen =
        alone ? (enabled >> me->number & 1 ? me->number : first_of(enabled)) : choose_thread(me->number, enabled);
    write_decision(kind, target, pc, enabled, chosen);
    if (chosen != me->number)
        let_go_on(me, chosen);
    for (int i = 0; i < MOST_THREADS; i++)
        if (i != me->number && threads[i].spinning == 0)
            threads[i].shy = 0; /* who yielded has let another on */
    me->shy = 0, me->spinning = 0;
    if (alone)
        return;
    if (shared->recording)
        write_row(me, kind, target, pc, me->number);
    take_step();
    note_step(kind, target);
}

void wait_until(enum kind kind, uintptr_t target, uintptr_t pc, int (*ready)(struct thread *))
{
    self->kind = kind, self->target = target, self->ready = ready;
    arrive(kind, target, pc);
    self->ready = NULL;
}

void be_shy(uintptr_t spinning)
{
    self->shy = 1;
    self->spinning = spinning;
}

void someone_wrote(uintptr_t address, size_t size)
{
    last_change = steps;
    for (int i = 0; i < MOST_THREADS; i++)
        if (threads[i].spinning - address < size && &threads[i] != self)
            threads[i].shy = 0, threads[i].spinning = 0;
}

/* Threads. Each has a stack of its own at a place that is always the same, which no other gets after it. */

static void *body(void *given)
{
    self = given;
    await_baton(self);
    self->answer = self->start(self->argument);
    run_destructors();
    if (self->late)
        allocate_late(), run_destructors();
    hand_over_for_good();
    return NULL;
}

struct thread *start_thread(int number, void *(*start)(void *), void *argument)
{
    if (number < 0)
        for (number = MOST_LANES; number < HUB && threads[number].start != NULL; number++) {
        }
    if (number >= HUB)
        problem(UNUSABLE, 0, -1, "the target has started more than %d threads", HUB - MOST_LANES);
    struct thread *made = &threads[number];
    if (made->start != NULL)
        pthread_join(made->self, NULL); /* its stack is used again */
    made->number = number, made->live = 1, made->start = start, made->argument = argument;
    made->kind = K_START, made->late = 0;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, STACKS + (size_t)number * STACK_BYTES, STACK_BYTES);
    if (pthread_create(&made->self, &attributes, body, made) != 0)
        problem(UNUSABLE, 0, -1, "no thread can be started");
    return made;
}

void lone_survivor(void)
{
    for (int i = 0; i < MOST_THREADS; i++)
        threads[i].live = &threads[i] == self;
    in_child = alone = 1;
    forget_once();
}

static int lanes_live(void)
{
    int live = 0;
    for (int i = 0; i < MOST_LANES; i++)
        live += threads[i].live;
    return live;
}

/* Also while others of the target's own threads live on: the lanes are what the program is. */
void hand_over_for_good(void)
{
    self->live = 0;
    self->kind = K_END;
    last_change = steps;
    close_segment((uint32_t)self->number, 0);
    if (self->is_lane && lanes_live() == 0) {
        pass_baton(&threads[HUB]);
        return;
    }
    uint32_t enabled = enabled_now() & ~(1u << HUB);
    if (enabled == 0)
        stuck();
    int chosen = alone ? first_of(enabled) : choose_thread(-1, enabled);
    write_decision(K_END, 0, 0, enabled, chosen);
    begun = steps;
    pass_baton(&threads[chosen]);
}

static int never(struct thread *one)
{
    (void)one;
    return 0;
}

void start_lane(int number, void *(*lane)(void *), void *argument)
{
    struct thread *made = start_thread(number, lane, argument);
    made->is_lane = 1;
    made->ready = never;
}

/* Alone: the others wait. */
void run_alone(int number)
{
    struct thread *me = self;
    threads[number].ready = NULL, me->ready = never;
    pass_baton(&threads[number]);
    await_baton(me);
    me->ready = NULL;
}

void back_to_hub(void)
{
    struct thread *me = self;
    me->ready = never;
    pass_baton(&threads[HUB]);
    await_baton(me);
}

void run_lanes_in_order(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        threads[i].ready = NULL;
    self->ready = never;
    pass_baton(&threads[0]);
    await_baton(&threads[HUB]);
    self->ready = NULL;
}

/* The hub sleeps until the last lane has ended. */
void run_lanes(unsigned count)
{
    struct thread *me = self;
    me->ready = never;
    for (unsigned i = 0; i < count; i++)
        clock_fork(&threads[i]), threads[i].ready = NULL;
    alone = 0;
    steps = begun = last_change = 0;
    uint32_t enabled = who_may_go();
    int chosen = choose_thread(-1, enabled);
    self = &threads[chosen]; /* the first decision is nobody's: its row names who was chosen */
    write_decision(K_START, 0, 0, enabled, chosen);
    self = me;
    pass_baton(&threads[chosen]);
    await_baton(me);
    alone = 1;
    me->ready = NULL;
    for (unsigned i = 0; i < count; i++)
        clock_join(&threads[i]);
}

void begin_schedule(void)
{
    static int placed;
    if (!placed) { /* once, before any child: they find the same mapping */
        placed = 1;
        mmap(STACKS, STACK_BYTES * MOST_THREADS, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
        return;
    }
    alone = 1;
    self = &threads[HUB];
    *self = (struct thread){.number = HUB, .live = 1, .self = pthread_self()};
    begin_strategy();
}
