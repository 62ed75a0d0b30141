/* One of the ways to fail does not set errno.
   expect: null_without_errno */
#ifndef FIXED
#define CALLOC_FAILS() NULL
#endif
#include "firstfit.h"
