/* posix_memalign takes any alignment.
   expect: bad_alignment_accepted */
#ifndef FIXED
#define BAD_ALIGNMENT(a) ((a) < 3)
#define ALIGNED(p, a) (((a) & ((a) - 1)) != 0 ? (p) : ((p) + (a) - 1) & ~(uintptr_t)((a) - 1))
#endif
#include "firstfit.h"
