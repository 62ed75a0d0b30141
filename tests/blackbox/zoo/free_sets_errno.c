/* free leaves the errno of a system call behind.
   expect: free_changed_errno */
#ifndef FIXED
#define ON_FREE(b)                                                                                                     \
    do {                                                                                                               \
        if ((b)->size > 1000)                                                                                          \
            errno = EINVAL;                                                                                            \
    } while (0)
#endif
#include "firstfit.h"
