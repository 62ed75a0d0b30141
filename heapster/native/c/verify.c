/* Walks the whole heap every HEAPSTER_VERIFY operations and when the program exits; the allocator aborts
   with the violated invariant's name. Linked into the library that `heapster run --verify` preloads. */

#include <stdatomic.h>
#include <stdlib.h>

#include "layout.h"
#include "words.h"

enum { USUAL_INTERVAL = 1000 };

static atomic_ulong operations;
static atomic_ulong interval = USUAL_INTERVAL;

__attribute__((constructor)) static void read_interval(void)
{
    const char *value = getenv("HEAPSTER_VERIFY");
    long wanted = value ? atol(value) : 0;
    if (wanted > 0)
        atomic_store(&interval, (unsigned long)wanted);
}

__attribute__((visibility("hidden"))) void heapster_count_operation(void)
{
    if (atomic_fetch_add(&operations, 1) % atomic_load(&interval) == 0)
        heapster_word_verify();
}

__attribute__((destructor)) static void verify_at_exit(void) { heapster_word_verify(); }
