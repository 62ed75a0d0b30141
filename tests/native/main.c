/* A user's own program, in C and in C++. */

#include <heapster.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    struct heapster_stats s;
    char *p, *theirs = (char *)malloc(100);
    void *aligned = NULL;
    if (heapster_init(1 << 20, HEAPSTER_BEST_FIT) != 0 || heapster_get_policy() != HEAPSTER_BEST_FIT)
        return 1;
    heapster_set_policy((heapster_policy_t)5);
    if (heapster_get_policy() != HEAPSTER_BEST_FIT || heapster_init(1 << 20, (heapster_policy_t)5) != -1)
        return 2;
    heapster_set_policy(HEAPSTER_WORST_FIT);
    heapster_set_mmap_threshold(100);
    if (heapster_get_mmap_threshold() != 4096)
        return 3;
    p = (char *)heapster_malloc(40);
    strcpy(p, "hello");
    p = (char *)heapster_realloc(p, 400);
    if (strcmp(p, "hello") != 0 || heapster_malloc_usable_size(p) < 400)
        return 4;
    if (heapster_posix_memalign(&aligned, 256, 10) != 0 || ((size_t)aligned & 255) != 0)
        return 5;
    heapster_stats(&s);
    if (s.used_blocks != 2 || s.malloc_calls != 1 || s.realloc_calls != 1 || s.aligned_calls != 1)
        return 6;
    if (s.total_bytes != s.used_bytes + s.cached_bytes + s.free_bytes + s.wasted_bytes
        || heapster_arena_stats(64, &s) != -1)
        return 7;
    heapster_free(aligned);
    heapster_free(p);
    free(theirs);
    if (heapster_finalize() != 0)
        return 8;
    heapster_stats(&s);
    if (s.total_bytes != 0)
        return 9;
    puts("hello, " HEAPSTER_VERSION);
    return 0;
}
