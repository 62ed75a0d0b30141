/* The judge's parts. What it shares with Python, `protocol.h`, is made of blackbox/protocol.py; a handle is an index
   into the child's table of blocks. */
#ifndef HEAPSTER_JUDGE_H
#define HEAPSTER_JUDGE_H

#include <stddef.h>
#include <stdint.h>

#include "account.h"
#include "operation.h"
#include "protocol.h"

/* Of operations that are no calls there are two: from OP_FAIL on the system gives no more memory; at OP_FOREIGN_SBRK
   a stranger takes or gives some back. */
_Static_assert((int)VERBS <= 64, "a word has a bit for each");
enum { UNHARMED, STRANGER_CHANGED, STRANGER_GONE, STRANGER_LOST };

/* Our own mappings lie far from where a target's stray writes may go. */
#define FAR_AWAY(n) ((void *)(uintptr_t)(sizeof(void *) == 8 ? 0x600000000000u + ((uint64_t)(n) << 40) : 0))

#define GUARD ((size_t)1 << 16)

struct event_log {
    uint64_t count; /* in all: of more than MOST_EVENTS the second half are the last ones, as a ring */
    struct event_record at[MOST_EVENTS];
};

_Static_assert(sizeof(struct header) <= HEADER_BYTES, "the header fits its place");

/* The memory that a target is confined to: [low, high). What lies from `first` to `low` and from `high` to
   `last` is nobody's, and holds a pattern; what is further away, for GUARD bytes, cannot be touched. */
struct fence {
    unsigned char *first, *low, *high, *last;
};

/* The target, as function pointers; NULL where it has no such function. */
struct target {
    CALL_FIELDS
    int (*init)(void *, void *); /* of labs whose mm_init takes lists that it may keep: it is given none */
    int (*check)(int);
    void (*bounds)(struct fence *); /* of an adapter: the memory that it may use */
};

extern struct target target;
extern struct header *shared; /* in a case, its own: see channel.h */

/* Whether the target has a function; and which serves a call: its own, or what does the same. */
static inline int target_has(uint32_t verb) { return (shared->has >> verb & 1) != 0; }
static inline uint32_t served_by(uint32_t verb) { return target_has(verb) ? verb : operation_rows[verb].instead; }

extern struct op *ops;
extern struct result *results;
extern struct event_log *event_log; /* on the board: also of a case that does not come back */

/* channel.c, or the driver: what a case leaves for the judge to find */
void enter(enum phase phase);
void show(void);                               /* all of the header, before an end that it cannot tell of */
void seal_op(const struct op *op);             /* it is about to be run, */
void seal_result(const struct result *result); /* and this came of it: what the board must still have at the end */

int load_target(const char *path); /* 0, or -1 with shared->message */
int start_target(void);            /* memory and init, in the child; 0 if all went well */
void run_given(void);              /* PRECISE and FAST: the operations in `ops`, `repeat` times */
void run_generated(void);          /* GENERATE: operations of its own, journalled in `ops` */
void run_volume(void);             /* VOLUME: the operations over and over, the footprint measured */
void run_threads(void);
void exhaust_prepares(void); /* before the target is started */
void run_exhaustively(void); /* EXHAUST: every call after each of many programs */
void run_generations(void);  /* GENERATIONS: threads that come, work and end, `repeat` times; measured */
void sample_footprint(uint64_t round);
uint64_t footprint(void);

/* layout.c */
int lay_out(char **argv, unsigned layout); /* nonzero: the system does not let us */

/* executor.c */
struct block {
    uint64_t request; /* bytes asked for */
    uint64_t filled;  /* bytes of pattern: the usable size where it is known */
    uint64_t seed;
    uint64_t place;     /* in `alive` */
    uint64_t alignment; /* asked for; 0: none */
};

/* Of a program of so few calls that its handles lie below MOST_CALLS. */
struct executor_state {
    uint64_t count, serial, largest, live_bytes;
    uint32_t alive[MOST_CALLS];
    void *at[MOST_CALLS];
    struct block blocks[MOST_CALLS];
};

void executor_start(void);
void executor_seeds_by_place(void); /* so that a state is the same by whatever way it came */
void executor_save(struct executor_state *to);
void executor_restore(const struct executor_state *from);
uint64_t executor_largest(void); /* bytes of the largest block that was given */
const struct block *live_block(int32_t handle);
uintptr_t live_place(int32_t handle);
int execute(const struct op *op, struct result *result, int precise); /* a suspicion */
void free_everything(void);
void *call_target(const struct op *op, void *operand, struct result *result);
int is_live_handle(int32_t handle);
uint64_t live_blocks(void);
int32_t live_handle(uint64_t nth);
uint64_t live_size(int32_t handle);
uint64_t live_alignment(int32_t handle); /* that was asked for; 0: none */

/* pattern.c */
uint64_t mix(uint64_t x);
void pattern_sparse(void); /* from here on write less of each block */
void pattern_write(void *block, uint64_t seed, uint64_t size);
uint64_t pattern_differs(const void *block, uint64_t seed, uint64_t size, uint64_t below);
uint64_t first_nonzero(const void *block, uint64_t size);

/* shadow.c: which bytes belong to live blocks, in granules that no two of them share */
void shadow_start(uint64_t granule);
int shadow_take(uintptr_t start, uint64_t size); /* nonzero: something of it was taken already */
void shadow_release(uintptr_t start, uint64_t size);

/* strangers.c */
void stranger_moves(int64_t delta); /* takes so many bytes, or gives back what he took last */
int strangers_harmed(void);
int strangers_have(uintptr_t start, uint64_t size); /* a block lies in their memory */

/* fence.c */
extern struct fence fence; /* all NULL: the target is not confined */
void fence_write(unsigned char *from, unsigned char *to);
int64_t fence_broken(void); /* how far from the edge a byte outside was changed, or 0; it is repaired */
int fence_excludes(uintptr_t start, uint64_t size);
void fence_start(void); /* an adapter's bounds are known: guard them */
void fence_watch(void); /* tell where a fatal access went */

/* edges.c: what lies behind the results in the shared mapping */
struct edges {
    uint64_t count;
    struct edge taken[MOST_EDGES];
};
extern struct edges *edges;
void edges_load(const void *function); /* one of the target's */
void edges_begin(void);                /* a call of the target */

/* counters.c */
void counters_load(void *handle); /* of the target that was loaded */
void counters_watch(void);        /* in the child: signals that end it */
int counts_lines(void);
void tell_counters(void);  /* the case is about to end */
void counters_fault(void); /* of a signal, perhaps of one that came of telling */

#endif
