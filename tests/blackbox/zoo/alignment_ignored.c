/* The alignment is rounded the wrong way.
   expect: alignment_not_honoured */
#ifndef FIXED
#define ALIGNED(p, a) (((p) + 31) & ~(uintptr_t)31)
#endif
#include "firstfit.h"
