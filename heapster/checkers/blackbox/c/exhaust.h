/* Every call after each of many programs: the moves that there are, and what came of one.

   A move is a word: a call of the alphabet, the handle that it is given, and whether the system refuses memory from it
   on. The handle that a call defines is its place in the program. */
#ifndef HEAPSTER_EXHAUST_H
#define HEAPSTER_EXHAUST_H

#include "judge.h"

/* What came of a move. */
struct came {
    struct result result;
    int suspicion;
    int died;       /* by a signal, or else how: */
    uint64_t phase; /* where */
    uint64_t key, digest;
    enum went went;
};

enum { IT_EXITED = 1000, IT_HUNG };

/* moves.c */
#define MOST_MOVES (2u * MOST_ALPHABET * (MOST_CALLS + 1))
uint32_t all_moves(uint32_t *to); /* of the state at hand; how many */
struct op op_of(uint32_t move, int32_t handle);
int is_refusing(uint32_t move);

/* attempt.c */
void attempts_start(void); /* from here on a call that dies or hangs comes back, */
void attempts_watch(void); /* in each process */
void attempt(uint32_t move, int32_t handle, struct came *came);

extern uint64_t history; /* of what was given and refused so far, in whatever order */

#endif
