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
#include "schedule.h"

enum {
    STEP_LIMIT = 1 << 21, /* accesses: calls that copy or clear large blocks byte by byte stay far below */
    IDLE_LIMIT = 1 << 12  /* switch points at which nobody changes anything: nobody goes on */
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

/* strategies.c */
static inline int first_of(uint32_t enabled) { return __builtin_ctz(enabled); }
void begin_strategy(void);
int choose_thread(int me, uint32_t enabled); /* me: the running one, if it can go on; else -1 */
unsigned prefer_write(unsigned number);      /* of so many that could be met: back from the newest */
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

/* sync.c, waits.c, threads.c, cplusplus.c, keys.c, system.c: what a target calls, answered by us. */
int interpose_locks(void *handle);
int interpose_waits(void *handle);
int interpose_threads(void *handle);
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
