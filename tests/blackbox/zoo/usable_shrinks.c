/* Whoever asks again is told that a word less is usable.
   expect: usable_shrank */
#ifndef FIXED
#define ROUND(size) (((size) + 23) & ~(size_t)15)
#define IN_PLACE(b, bytes) ((b)->size - 8 >= (bytes))
#define USABLE(b) ((b)->size - 8 * ((b)->used++ > 1))
#endif
#include "firstfit.h"
