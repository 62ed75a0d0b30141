/* Failures say EAGAIN.
   expect: wrong_errno */
#ifndef FIXED
#define FAILS() (errno = EAGAIN, NULL)
#endif
#include "firstfit.h"
