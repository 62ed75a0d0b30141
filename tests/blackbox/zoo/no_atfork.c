/* Nothing takes the lock around a fork.
   expect: fork_hang
   options: threads */
#ifndef FIXED
#define NO_ATFORK
#endif
#include "firstfit.h"
