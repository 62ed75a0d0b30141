/* The memory of a target that keeps all of it where it can be seen: taken down, put back, and digested.

   It is closed if what the target writes lies in its own variables, in the lab's memory, above the break and in
   mappings, and if it asks nobody else for memory. Then a call is taken back by putting bytes back, which takes
   thousands of times less than a child for each. */
#ifndef HEAPSTER_SNAPSHOT_H
#define HEAPSTER_SNAPSHOT_H

#include <stdint.h>

struct snapshot;

void snapshot_loaded(void *handle);           /* a target was loaded; what was writable before is known: taken.c */
int snapshot_hooks(void);                     /* in the child, before init; 0: its memory cannot be seen */
struct snapshot *snapshot_room(void);         /* for one snapshot; NULL: there is no memory for it */
int snapshot_take(struct snapshot *snapshot); /* 0: there is more than fits */
int snapshot_restore(const struct snapshot *snapshot);
uint64_t snapshot_digest(void); /* of all that it would take; 0: there is more than fits */

/* refusing.c */
extern int system_refuses;       /* from here on whoever asks for memory gets none */
extern uint64_t system_refusals; /* how often that was answered */
int system_is_refused(void);     /* somebody asks */

/* closing.c */
extern void (*target_exits)(void); /* what is called in place of exit */

/* memlib.c */
void lab_memory(uintptr_t *start, uintptr_t *last, uintptr_t *now); /* all 0: nobody uses it */
void lab_put_back(uintptr_t now);

#endif
