/* A target that calls the hooks, watched: what it may touch, what it did, and the first access that broke the map. */
#ifndef HEAPSTER_OBSERVING_H
#define HEAPSTER_OBSERVING_H

#include "judge.h"

void observing_loads(const char *path); /* the target is about to be loaded */
void observing_start(void *handle);     /* the target was loaded; its memory starts out as its own */
void observing_chooses(void);           /* of a target that is compiled with variants: the one that is asked for */
void observing_bounds(void);            /* the fence is known: what lies around the region is nobody's */
void observing_begins(const struct op *op, const unsigned char *operand, uint64_t size); /* a call; op NULL: init */
void observing_ends(const struct op *op, uintptr_t answer, struct result *result);
/* A payload becomes the caller's, who writes it; the result is told if it is not all the allocator's. */
void observing_gives(uintptr_t start, uint64_t size, struct result *result);
void observing_takes(uintptr_t start, uint64_t size);    /* and the allocator's again */
void observing_reserved(uintptr_t start, uint64_t size); /* memory that it may get: until then nobody's */
void observing_grew(uintptr_t start, uint64_t size);     /* memory of the lab's, whose contents nobody promises */
uint64_t observing_salt(void);                           /* what callers write depends on it */

/* system_calls.c tells these. */
void observing_system_calls(void *handle);
void observed_gain(uintptr_t start, uint64_t size, uintptr_t pc);
void observed_loss(uintptr_t start, uint64_t size, uintptr_t pc);
void observed_discard(uintptr_t start, uint64_t size, uintptr_t pc); /* still its own, but all zeroes */
void observed_enter(uintptr_t caller);                               /* a function of the target's, and its end */
void observed_exit(void);
void observed_undefined(unsigned what, uintptr_t pc);
void observed_misaligned(uintptr_t address, uint64_t alignment, uintptr_t pc);

/* taken.c: around the loading of a target; what is new is told */
void taken_before(void);
void taken_since(void (*done)(uintptr_t start, uint64_t size));

/* stepping.c: a target that calls no hooks; where it is loaded, and the end of the stack that it works on. Nothing is
   told of it on a machine that cannot. */
void stepping_begins(uintptr_t base, uintptr_t stack_high); /* a call of the target is next */
void stepping_ends(void);

#endif
