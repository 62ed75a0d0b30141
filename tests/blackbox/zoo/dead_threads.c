/* Each thread has a page of its own, which nobody gives back when it ends.
   expect: memory_never_returned
   options: threads */
#ifndef FIXED
static __thread char *mine;
#define ON_MALLOC(size)                                                                                                \
    if (mine == NULL                                                                                                   \
        && (mine = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != MAP_FAILED)        \
    *mine = 1
#endif
#include "firstfit.h"
