/* expect: alignment_not_honoured
   Only sizes that lie between two classes are aligned to their class alone. */
#ifndef FIXED
#define ALIGNED(p, a) (size > 64 && size <= 96 ? (p) : ((p) + (a) - 1) & ~(uintptr_t)((a) - 1))
#endif
#include "firstfit.h"
