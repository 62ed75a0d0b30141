/* What Heapster and its judge share: one mapping of a header, operations and results.

   Every field is of fixed width, so that a 32-bit judge serves a 64-bit Python. All addresses and sizes
   are those of the child that runs the target; a handle is an index into the child's table of blocks. */
#ifndef HEAPSTER_JUDGE_H
#define HEAPSTER_JUDGE_H

#include <stddef.h>
#include <stdint.h>

#include "account.h"
#include "operation.h"

enum verb { INIT = OPERATIONS, CHECK, VERBS }; /* what else a target may have */
/* Of operations that are no calls there are two: from OP_FAIL on the system gives no more memory; at OP_FOREIGN_SBRK
   a stranger takes or gives some back. */
_Static_assert((int)VERBS <= 64, "a word has a bit for each");
enum { UNHARMED, STRANGER_CHANGED, STRANGER_GONE, STRANGER_LOST };

enum mode { LOADED, PRECISE, FAST, GENERATE, THREADS, VOLUME, GENERATIONS };
enum phase { STARTING, CALLING, FILLING, CHECKING, OWN_CHECK, ENDING, FORKED };
enum status { UNREACHED, BEGUN, DONE, SKIPPED };
enum { UNBOUNDED, BOUNDED, GUARDED };
enum { GAVE, REFUSED, RESIZED, OUTCOMES }; /* a block; none; a block in place of another */
enum outcome { RETURNED, SIGNALLED, EXITED, TIMED_OUT, TOO_BIG, LOST, TIRED };
/* LOST: what it told is not what we read; TIRED: slow, and nothing is said */
enum suspicion {
    NOTHING,
    SUSPECT_MISALIGNED,
    SUSPECT_OVERLAP,
    SUSPECT_CONTENTS,
    SUSPECT_PREFIX,
    SUSPECT_DIRTY,
    SUSPECT_ERRNO,
    SUSPECT_USABLE,
    SUSPECT_NULL,
    SUSPECT_OWN_CHECK,
    SUSPECT_HUGE,
    SUSPECT_OUTSIDE,
    SUSPECT_STRAY,
    SUSPECT_HARM,
    SUSPECT_FORK,
    SUSPECT_BREACH
};

/* How an access of a target that is observed breaks the map of whose each byte is; the severest first. */
enum breach {
    UNBROKEN,
    WRITES_LIVE,
    WRITES_OUTSIDE,
    GIVES_OUTSIDE,
    READS_OUTSIDE,
    COPIES_LIVE,
    UNDEFINED,
    MISALIGNED,
    READS_UNWRITTEN,
    READS_LIVE
};
/* Held to the map; all that it does written down; and told of loads that may decide something. */
enum { OBSERVED = 1, OBSERVED_IN_FULL = 2, OBSERVED_LOADS = 4 };

/* Our own mappings lie far from where a target's stray writes may go. */
#define FAR_AWAY(n) ((void *)(uintptr_t)(sizeof(void *) == 8 ? 0x600000000000u + ((uint64_t)(n) << 40) : 0))

#define GUARD ((size_t)1 << 16)
#define HARNESS_FAULT 70 /* exit status of a driver that went wrong itself */
#define NONE UINT64_MAX  /* of an offset or a usable size: not observed */
#define MOST_OPS (1u << 20)
#define SAMPLES 64
#define NAME_BYTES 96
#define OUTPUT_BYTES 4096
#define QUIET 64               /* places of the target whose breaches are known */
#define MOST_EVENTS (1u << 18) /* that are kept, the last ones */

struct result {
    uint64_t pointer;
    uint64_t usable;
    int32_t error; /* what it set errno to; 0: it left it alone */
    int32_t returned;
    int32_t damaged; /* handle of a live block whose contents changed */
    int32_t status;
    uint64_t damaged_at;
    uint64_t prefix_lost;
    uint64_t dirty;
    uint32_t out_changed;
    uint32_t own_check_failed;
    uint64_t low, high;                         /* what the target is confined to, after the call; 0 and 0: it is not */
    int64_t stray;                              /* bytes outside of that were changed: how far from its edge, or 0 */
    uint64_t harmed;                            /* what became of a stranger's memory */
    uint64_t found;                             /* the word that is where it is damaged or dirty */
    uint64_t breach_at, breach_size, breach_pc; /* the first access of the severest kind; its place in the object */
    uint64_t breach;
};

/* Something that an observed target did. */
struct event_record {
    uint64_t address, pc, value, size;
    uint32_t step; /* UINT32_MAX: in its init */
    uint16_t event, flags;
};

struct event_log {
    uint64_t count; /* in all: of more than MOST_EVENTS the first are overwritten */
    struct event_record at[MOST_EVENTS];
};

struct header {
    /* asked */
    uint64_t mode, ops, seed, repeat, limit_ms, alignment, small_blocks, wants_errno, zero_keeps;
    uint64_t granule; /* bytes that all blocks were seen to be aligned to */
    uint64_t masked;  /* bit per suspicion that is known already */
    uint64_t verbs;   /* bit per verb that may be generated */
    uint64_t most_live, most_size, live_budget, heap_limit, threads, memory_limit, check_means, init_answers;
    uint64_t guarded;        /* BOUNDED: what a target is confined to is known; GUARDED: and held to */
    uint64_t spend_ms;       /* of processor time, after which what is generated ends; 0: no matter */
    uint64_t least_size;     /* bytes of a request that is generated, at least */
    uint64_t forks;          /* that the first thread makes while the others work */
    uint64_t choice;         /* of a target that is compiled with variants: which */
    uint64_t observed, salt; /* of a target that calls the hooks; what unwritten memory holds */
    /* answered */
    uint64_t current, phase, finished, suspicion, live_bytes, samples, done_ops;
    uint64_t call_bytes; /* that the call which is under way may have to touch */
    uint64_t init_failed, outcome, code;
    uint64_t has, tasks, output_length, unshadowed, child;
    int64_t stray;                        /* it died of touching memory outside of its own: how far from the edge */
    uint64_t calls[OPERATIONS][OUTCOMES]; /* that were made and judged, by their outcome */
    uint64_t misused;                     /* 1 + the handle that we used though it held nothing: our own fault */
    uint64_t spent_us;                    /* all that the judge and its children worked, or slept by themselves */
    uint64_t addresses_vary;              /* the system does not let us choose where things lie */
    uint64_t footprint[SAMPLES];
    char names[VERBS][NAME_BYTES]; /* symbols of the target; empty: it has none */
    uint64_t quiet[QUIET];         /* places that break the map as is known, the first 0 ends them */
    char message[512];
    char output[OUTPUT_BYTES];
};

#define HEADER_BYTES 16384
_Static_assert(sizeof(struct header) <= HEADER_BYTES, "the header fits its place");
_Static_assert(sizeof(struct op) == 32 && sizeof(struct result) == 136, "Python knows these sizes");

/* The memory that a target is confined to: [low, high). What lies from `first` to `low` and from `high` to
   `last` is nobody's, and holds a pattern; what is further away, for GUARD bytes, cannot be touched. */
struct fence {
    unsigned char *first, *low, *high, *last;
};

/* The target, as function pointers; NULL where it has no such function. */
struct target {
    CALL_FIELDS
    int (*init)(void);
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
void run_generations(void); /* GENERATIONS: threads that come, work and end, `repeat` times; measured */
void sample_footprint(uint64_t round);
uint64_t footprint(void);

/* layout.c */
int lay_out(char **argv, unsigned layout); /* nonzero: the system does not let us */

/* executor.c */
void executor_start(void);
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
#define MOST_EDGES (1u << 16)
struct edge {
    uint32_t number, op;
}; /* the operation that took it first */
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
