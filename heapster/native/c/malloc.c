/* The C library's names, for a library that is preloaded. Compiled with -fno-builtin, or the compiler
   would make of each function a call of itself. */

#include <stddef.h>

#include "words.h"

#define ALLOCATES(call) do { heapster_count_operation(); return (void *)(call); } while (0)

#ifdef HEAPSTER_VERIFY
void heapster_count_operation(void);            /* verify.c */

void *malloc(size_t size) { ALLOCATES(heapster_word_malloc((word)size)); }

void free(void *block) {
    heapster_count_operation();
    heapster_word_free((word)block);
}
#else                                           /* malloc and free are other names of the allocator's own */
static inline void heapster_count_operation(void) {}
#endif

void *calloc(size_t count, size_t size) { ALLOCATES(heapster_word_calloc((word)count, (word)size)); }
void *realloc(void *block, size_t size) { ALLOCATES(heapster_word_realloc((word)block, (word)size)); }
void *memalign(size_t alignment, size_t size) { ALLOCATES(heapster_word_memalign((word)alignment, (word)size)); }
void *valloc(size_t size) { ALLOCATES(heapster_word_valloc((word)size)); }
void *pvalloc(size_t size) { ALLOCATES(heapster_word_pvalloc((word)size)); }
size_t malloc_usable_size(void *block) { return (size_t)heapster_word_usable_size((word)block); }

void *reallocarray(void *block, size_t count, size_t size) {
    ALLOCATES(heapster_word_reallocarray((word)block, (word)count, (word)size));
}

void *aligned_alloc(size_t alignment, size_t size) {
    ALLOCATES(heapster_word_aligned_alloc((word)alignment, (word)size));
}

int posix_memalign(void **out, size_t alignment, size_t size) {
    heapster_count_operation();
    return (int)heapster_word_posix_memalign((word)out, (word)alignment, (word)size);
}
