/* Blocks on pages of their own, with a guard before and behind, and what is known of each.

   A slot: a page that nobody may touch, the pages of one block, the next slot. The block ends where its last page does,
   but for its alignment; a freed block's pages are given back and stay closed. */

#ifndef GUARD_H
#define GUARD_H

#include <stddef.h>
#include <stdint.h>

#define HIDDEN __attribute__((visibility("hidden")))

enum { PAGE = 4096, ALIGN = 16, FRAMES = 14, FILLER = 0xd7 };

struct trace {
    int thread; /* as the system numbers it; 0: there is none */
    int count;
    uintptr_t frames[FRAMES];
};

enum state { NO_BLOCK, LIVE, FREED };

struct record {
    enum state state;
    uintptr_t start; /* of the payload */
    size_t size;     /* as it was asked for */
    uintptr_t pages; /* the first of them */
    size_t length;   /* bytes of pages, guards not counted */
    struct trace allocated, freed;
};

/* slots.c. A block of `size` bytes at a multiple of `alignment`; NULL if there is no slot for it. */
HIDDEN void *guard_take(size_t size, size_t alignment);
HIDDEN int guard_owns(const void *p);
/* Whether we closed the page that `p` points to: it is ours, and not one of a live block's. */
HIDDEN int guard_closed(const void *p);
/* The record of the slot that the address lies in or beside, or NULL. */
HIDDEN struct record *guard_find(uintptr_t address);
/* Frees a guarded block, or tells why that is none and ends the program. */
HIDDEN void guard_give(void *p);
/* The record of a live guarded block; tells and ends the program if `p` is none. */
HIDDEN struct record *guard_expect(void *p, const char *call);
/* What was not guarded, and why. */
HIDDEN void guard_passed(void);
HIDDEN void guard_sum_up(void);

/* traces.c */
HIDDEN void guard_trace(struct trace *trace);
HIDDEN void guard_trace_from(struct trace *trace, uintptr_t frame);
HIDDEN void guard_show_trace(const char *what, const struct trace *trace);

/* faults.c */
HIDDEN void guard_watch_faults(void);
HIDDEN void guard_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Tells what is wrong with the use of `address`, and all that is known of its block; ends the program. */
_Noreturn HIDDEN void guard_tell(const char *what, uintptr_t address, const struct record *record,
                                 const struct trace *now);

/* calls.c: memory for whoever needs some while the next allocator is not known yet, or while we are at work. */
HIDDEN extern __thread int guard_busy __attribute__((tls_model("initial-exec")));

#endif
