/* The C library's names, for a library that is preloaded. Compiled with -fno-builtin, or the compiler
   would make of each function a call of itself. */

#include "calls.h"
#include "words.h"

#define ANSWERS(type, name, symbol, parameters, words)                                                                 \
    type symbol parameters                                                                                             \
    {                                                                                                                  \
        heapster_count_operation();                                                                                    \
        return (type)heapster_word_##name words;                                                                       \
    }
#define NOTHING(name, symbol, parameters, words)                                                                       \
    void symbol parameters                                                                                             \
    {                                                                                                                  \
        heapster_count_operation();                                                                                    \
        heapster_word_##name words;                                                                                    \
    }

#ifdef HEAPSTER_VERIFY
void heapster_count_operation(void); /* verify.c */

DIRECT_CALLS(ANSWERS, NOTHING)
#else /* malloc and free are other names of the allocator's own */
static inline void heapster_count_operation(void) {}
#endif

OTHER_CALLS(ANSWERS, NOTHING)
