/* Threads of an instrumented target take turns: one runs, and the scheduler says at each switch point who goes on.

   A switch point stands before each load, store, atomic, call of pthread and call of the system; `steps` counts them
   over all threads. The strategy is asked at those that synchronise, and at plain accesses where `steps` has come to
   `stop`. Each schedule runs in a child of its own; what it was is written to `shared`. */
#ifndef HEAPSTER_SCHEDULER_H
#define HEAPSTER_SCHEDULER_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "hooks.h"

enum {
    MOST_LANES = 8,
    MOST_THREADS = 16,      /* those of the program; with those that the target starts */
    HUB = MOST_THREADS - 1, /* starts the target and the lanes, and looks at what is left */
    MOST_OPS = 64,
    MOST_SEGMENTS = 2048,
    MOST_ROWS = 1 << 14,
    MOST_STACK = 8,
    MOST_MUTED = 64,
    MOST_OLD = 256,
    STEP_LIMIT = 1 << 21, /* accesses: calls that copy or clear large blocks byte by byte stay far below */
    IDLE_LIMIT = 1 << 12  /* switch points at which nobody changes anything: nobody goes on */
};

/* What was wrong; the names are in Python's order. */
enum code {
    NOTHING,
    DATA_RACE,
    DEADLOCK,
    LOST_UNLOCK,
    LOCK_ORDER,
    OVERLAP,
    MISALIGNED,
    CONTENTS_DAMAGED,
    PREFIX_LOST,
    NOT_ZEROED,
    SPURIOUS_NULL,
    HANG,
    CRASH,
    RELOCK,
    STRANGER_UNLOCK,
    EXIT,
    FORK_UNSAFE,
    LOST_BLOCK,
    GROWTH,
    BAD_TARGET
};

enum kind {
    K_START,
    K_LOAD,
    K_STORE,
    K_LOAD_ATOMIC,
    K_STORE_ATOMIC,
    K_RMW,
    K_FENCE,
    K_LOCK,
    K_TRYLOCK,
    K_UNLOCK,
    K_READ_LOCK,
    K_WAIT,
    K_COND_WAIT,
    K_SIGNAL,
    K_ONCE,
    K_JOIN,
    K_CREATE,
    K_YIELD,
    K_SBRK,
    K_MMAP,
    K_MUNMAP,
    K_BARRIER,
    K_FORK,
    K_MEET, /* an atomic that could meet more than the newest write */
    K_END
};

enum strategy { FOLLOW, BY_CHANCE, BY_PRIORITY };

struct op {
    uint32_t code; /* a letter of programs.py */
    int32_t block;
    uint64_t numbers[2];
    uint32_t waits, gives; /* for its block before; its block after */
};

struct segment {
    uint32_t thread, points; /* 0: until it ended or had to wait */
};

struct old {
    uint32_t question, back; /* which of the atomics that could meet an old write; how far back from the newest */
};

struct row {
    uint64_t target, pc, state;              /* state: a digest of who has done what in which order */
    uint32_t step, begun, segments, enabled; /* enabled: of K_MEET, how many writes could be met, and chosen: which */
    uint8_t thread, kind, chosen, order;     /* order: of an atomic, __ATOMIC_RELAXED and so on */
    uint16_t depth, old;                     /* old: it met an older write than the newest */
    uint64_t stack[MOST_STACK];              /* return addresses, innermost first; while `recording` */
};

struct event { /* a call, as its caller saw it */
    uint32_t lane, code, start, end;
    uint64_t numbers[2], pointer, result;
    int64_t lost, dirty;
};

struct shared {
    /* Asked. */
    uint64_t strategy, seed, gap, depth, length, count, recording, lanes, alignment, segments_in, muted_count, old_in,
        drain, expects_all, rounds; /* drain: blocks that are asked for in the end; expects_all: all must be back */
    uint64_t lane_start[MOST_LANES + 2]; /* the prologue first, and then the lanes, in `ops` */
    uint64_t muted[MOST_MUTED][2];       /* pairs of places whose race is known */
    struct op ops[MOST_OPS];
    struct segment asked[MOST_SEGMENTS];
    struct old asked_old[MOST_OLD];
    char path[4096];
    char names[8][128]; /* of malloc, calloc, aligned_alloc, realloc, free, usable_size, init */
    /* Answered. */
    uint64_t code, address, pc, other_pc, thread, other, steps, calls, segments_out, rows_out, events_out, ran;
    uint64_t total_steps, total_calls, preempted, waited, failed_seed, cpu_us, unmanaged, base, waits_out, finished,
        was_preempted, questions, old_out, weak, unended, drained, rounds_open;
    uint64_t last[MOST_LANES];
    char message[512];
    struct segment segments[MOST_SEGMENTS];
    struct old old[MOST_OLD];
    struct event events[MOST_OPS * 2];
    struct row rows[MOST_ROWS];
};

struct thread {
    int number, live, is_lane, shy; /* shy: has nothing to do until another has done something */
    int baton;
    enum kind kind; /* what it is about to do */
    uintptr_t target, pc;
    int (*ready)(struct thread *); /* NULL: it can go on */
    pthread_t self;
    uint32_t clock[MOST_THREADS], acquired[MOST_THREADS], fenced[MOST_THREADS]; /* by relaxed loads; at a fence */
    uint64_t done;                                                              /* digest of its conflicting steps */
    uint32_t wakes, entered, taken;                                             /* taken: its steps */
    struct {
        uintptr_t pc, address;
        uint32_t times;
    } spins[8];
    uintptr_t spinning; /* on what */
    void *(*start)(void *);
    void *argument, *answer;
    int held; /* locks */
    int late; /* at its end a destructor of the program's own allocates */
    struct call_path *path;
};

extern struct shared *shared;
extern struct thread threads[MOST_THREADS];
extern _Thread_local struct thread *self;
extern uint32_t steps, stop;
extern int alone; /* nobody is asked: before the lanes start, and after their end; counts */

/* scheduler.c */
void begin_schedule(void);
void arrive(enum kind kind, uintptr_t target, uintptr_t pc); /* the running thread is about to do something */
void wait_until(enum kind kind, uintptr_t target, uintptr_t pc, int (*ready)(struct thread *));
void take_step(void);            /* the running thread does what it is about to do */
void be_shy(uintptr_t spinning); /* the running thread has nothing to do for now */
void someone_wrote(uintptr_t address, size_t size);
struct thread *start_thread(int number, void *(*start)(void *), void *argument);
void hand_over_for_good(void); /* the running thread has ended */
void run_lanes(unsigned count);
void run_lanes_in_order(unsigned count); /* one after the other, as nothing is looked at any more */
_Noreturn void problem(enum code code, uintptr_t address, int other, const char *form, ...)
    __attribute__((format(printf, 4, 5)));
_Noreturn void finish(void);
void write_row(const struct thread *of, enum kind kind, uintptr_t target, uintptr_t pc, int chosen);
void start_lane(int number, void *(*lane)(void *), void *argument);
void run_alone(int number); /* the hub lets a lane play what stands before the others, and waits */
void back_to_hub(void);     /* the lane has played it */
unsigned choose_write(unsigned number, uintptr_t target, uintptr_t pc); /* which it meets, back from the newest */
void tell_atomic(int order);                                            /* of the access that was written last */
uint64_t draw(void);

/* accesses.c: what the hooks tell. */
extern const struct observer scheduling;
void store_byte(uint8_t *at, uint8_t value, uintptr_t pc); /* releases */

/* clocks.c: happens-before. */
struct clock;
void clock_read(uintptr_t address, size_t size, int atomic, uintptr_t pc);
void clock_write(uintptr_t address, size_t size, int atomic, uintptr_t pc);
void clock_acquire(uintptr_t object);
void clock_release(uintptr_t object);
void clock_learn(const uint32_t *released, int acquires);
void clock_publish(uint32_t *released, int releases);
void clock_fence_acquires(void);
void clock_fence_releases(void);
void clock_fork(struct thread *other); /* what `other` does from its start comes after all that was done */
void clock_join(const struct thread *other);
void forget(uintptr_t start, uintptr_t end);      /* as new: nobody has used it */
void note_step(enum kind kind, uintptr_t target); /* for the digest of the state */
void note_met(uint64_t what);                     /* the running thread's atomic met that; for the digest, too */
uint64_t state_digest(void);

/* weak.c */
void close_locations(uintptr_t start, uintptr_t end); /* written plainly, or as new: all know what is there */

/* sync.c, cplusplus.c, keys.c, system.c: what a target calls, answered by us. */
int interpose_sync(void *handle);
int condition_wait(void *condition, void *mutex, int timed, uintptr_t pc);
int condition_signal(void *condition, int all, uintptr_t pc);
int create_thread(pthread_t *made, void *(*start)(void *), void *argument, uintptr_t pc);
int join_thread(pthread_t which, void **answer, uintptr_t pc);
int interpose_cplusplus(void *handle);
int interpose_keys(void *handle);
int interpose_system(void *handle);
void run_destructors(void); /* of the running thread */
void run_exit_handlers(void);
int locks_left(uintptr_t *mutex);  /* how many locks the running thread holds, and one of them */
void forget_once(void);            /* what is under way once is begun anew: in a child of a fork */
void run_fork_handlers(int phase); /* 0 before, 1 in the parent, 2 in the child */
int has_fork_handlers(void);
void lone_survivor(void); /* in the child of a fork: the other threads are gone */
extern int in_child;

/* aftermath.c */
void note_block(const void *at, uint64_t size); /* the program has it */
void note_back(uintptr_t start, uintptr_t end); /* these bytes are somebody's again, or the system's */
int note_refusal(void);                         /* a call answers NULL; whether that is well, late as it is */
void note_growth(void);                         /* the system gives memory */
void expect_all_back(void);
void expect_no_growth(void (*by_one)(void), void (*by_threads)(void)); /* each plays a round of the program */

/* target.c */
struct functions {
    void *(*malloc)(size_t), *(*calloc)(size_t, size_t), *(*aligned_alloc)(size_t, size_t), *(*realloc)(void *, size_t);
    void (*free)(void *);
    size_t (*usable_size)(void *);
    int (*init)(void);
};
extern struct functions target;
int load_target(const char *path); /* 0, or -1 and a message */

/* program.c */
_Noreturn void play_schedule(void);
void allocate_late(void); /* in a destructor that runs after those of the target */

enum { BREAK_OBJECT = 1, MAPPINGS_OBJECT = 2, FORK_OBJECT = 3, WAIT_OBJECT = 16 };

#endif
