/* expect: prefix_lost contents_damaged overlap
   A block of a size that is made much smaller is cut in front of its payload. */
#ifndef FIXED
#define IN_PLACE(b, size)                                                                                              \
    (((b)->size == 80 && (size) == 13) ? (memmove((char *)p, (char *)p + 1, 12), 1) : (b)->size >= (size))
#endif
#include "firstfit.h"
