/* Only one alignment is wrong: a page's.
   expect: alignment_not_honoured */
#ifndef FIXED
#define ALIGNED(p, a) (((p) + ((a) == 4096 ? 2048 : (a)) - 1) & ~(uintptr_t)(((a) == 4096 ? 2048 : (a)) - 1))
#endif
#include "firstfit.h"
