/* The usable size leaves a word out.
   expect: usable_too_small */
#ifndef FIXED
#define USABLE(b) ((b)->size - 8)
#endif
#include "firstfit.h"
