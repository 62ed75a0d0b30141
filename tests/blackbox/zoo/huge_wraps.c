/* A size near SIZE_MAX wraps when it is rounded up.
   expect: huge_accepted overflow_accepted */
#ifndef FIXED
#define TOO_LARGE(size) 0
#endif
#include "firstfit.h"
