/* Real threads on an allocator. The harness's own memory is mapped, never allocated: what it checks
   cannot damage it unnoticed. */

#ifndef HARNESS_H
#define HARNESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "operations.h"

enum {
    MOST_THREADS = 64,
    SLOTS = 128, /* blocks that a thread holds */
    RING = 2048, /* blocks under way from a thread to the next; a power of two */
    SHARED = 64, /* blocks that any thread may take in exchange for its own */
    ALIGNMENT = 16,
    GENERATION = 20000, /* rounds that a thread lives where threads die and are reborn, */
    MAYFLY = 48,        /* and where they do little else; */
    TURN = 16,          /* so many of these lives lie between two rests */
    DIGESTED = 4096,    /* operations of each thread that its digest covers */
    UNSTATED = 1
};

/* The allocator under test; NULL for what it does not have. */
struct target {
    CALL_FIELDS
    void (*set_policy)(int);
    void (*set_threshold)(size_t);
    void (*set_arenas)(int);
    void (*set_cache)(size_t);
    void (*stats)(void *);
    void (*walk)(void); /* aborts with the invariant that does not hold */
    bool strict;        /* every payload is a multiple of ALIGNMENT, however small */
};

/* Words of what `stats` writes. */
enum { HELD_BYTES, USED_BYTES, USED_BLOCKS, CACHED_BYTES, CACHED_BLOCKS, FREE_BYTES, STATS_WORDS = 16 };

/* A live block; its payload holds key + i as word i. */
struct block {
    unsigned char *p;
    size_t size;
    uint64_t key;
    size_t asked, alignment; /* with what it was asked for; alignment 0: with none; UNSTATED: only free takes it */
};

struct ring {
    _Alignas(64) _Atomic size_t head, tail;
    struct block blocks[RING];
};

struct worker {
    _Alignas(64) _Atomic uint64_t ops;
    uint64_t random, sequence, digest, digested;
    int index;
    unsigned rounds;      /* left of this generation */
    _Atomic pid_t thread; /* the kernel's name for it */
    struct block slots[SLOTS];
    struct ring inbox; /* from the thread before */
    uint64_t forking_rounds;
    unsigned lives, passes;         /* threads that were this worker and ended; passes of the last one's destructors */
    FILE *stream;                   /* whose lock it sometimes owns while it allocates */
    unsigned char alternate[16384]; /* a stack for signal handlers */
};

struct shared_slot {
    _Alignas(64) atomic_flag taken;
    struct block block;
};

extern struct target target;
extern struct worker *workers;
extern struct shared_slot *shared;
extern int threads;
extern bool bare;            /* nothing is written or verified: the loop alone */
extern _Atomic bool pausing; /* threads are to come to the barrier */
extern _Atomic bool forking; /* thread 0 is to fork, and the others to own locks of the C library's meanwhile */
extern const struct pattern *pattern;

/* target.c */
int load_target(const char *path, const char *prefix); /* none: it is preloaded */

/* blocks.c */
uint64_t draw(struct worker *w);
void note(struct worker *w, uint64_t operation);
void take(struct worker *w, struct block *b, size_t size);
void take_zeroed(struct worker *w, struct block *b, size_t size);
void take_aligned(struct worker *w, struct block *b, size_t alignment, size_t size, bool posix);
void resize(struct worker *w, struct block *b, size_t size);
void release(struct worker *w, struct block *b);
void clear_away(struct worker *w, struct block *b);
void verify(struct worker *w, const struct block *b);

/* forks.c */
void handle_forks_first(void);
void handle_forks_last(void);
void beside_a_fork(struct worker *w);
extern char plugin[]; /* the path of what it loads: main.c knows */
extern uint64_t forked;

/* endings.c */
void make_key(void); /* of thread-specific values: once before the target is loaded, and once after */
void handle_exit(void);
void begin_life(struct worker *w);
void end_process(struct worker *w) __attribute__((noreturn));

/* patterns.c */
void fill_slot(struct worker *w, struct block *b, uint64_t random);
void churn(struct worker *w);
bool pop(struct ring *ring, struct block *b);
struct pattern {
    const char *name;
    void (*round)(struct worker *w);
    void (*born)(struct worker *w);  /* as a thread's life begins, */
    void (*dying)(struct worker *w); /* and as the last thing that it does */
    unsigned lifetime;               /* rounds; 0: its threads live for ever */
    unsigned turn;                   /* lives until a rest; 0: until it is time */
    bool crowded;                    /* all threads share one arena, where that can be had */
    bool shares;                     /* blocks lie in the shared slots from the start */
    bool reclaims;                   /* the last thread does nothing else */
    bool forks;                      /* all the time */
    bool exits;                      /* forked children end by `exit`, and handlers allocate */
};
extern const struct pattern patterns[];
const struct pattern *find_pattern(const char *name);
size_t usual_size(uint64_t random);

/* main.c */
void *live(void *worker);

/* watch.c */
extern bool in_child;
void install_watch(void);
void enter_watch(struct worker *w);
void finding(const char *code, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
void harness_misuse(void) __attribute__((noreturn));
void show_stacks(void);
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
