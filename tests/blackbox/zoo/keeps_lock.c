/* The lock is still held after a failure.
   expect: hang */
#ifndef FIXED
#define UNLOCK_ON_FAILURE() (void)0
#endif
#include "firstfit.h"
