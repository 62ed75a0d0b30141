/* There is no lock.
   expect: race_damage race_crash race_hang
   options: threads */
#ifndef FIXED
#define LOCK() (void)0
#define UNLOCK() (void)0
#endif
#include "firstfit.h"
