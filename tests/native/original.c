/* The face of the original C library: each of its declarations, made once more beside ours, and a program that uses all.
   One of another type does not compile. */

#include <heapster.h>

#ifdef __cplusplus
extern "C" {
#endif

void *heapster_malloc(size_t size);
void heapster_free(void *ptr);
void *heapster_realloc(void *ptr, size_t new_size);
void *heapster_calloc(size_t nmemb, size_t size);
void heapster_set_policy(heapster_policy_t policy);
heapster_policy_t heapster_get_policy(void);
void heapster_set_mmap_threshold(size_t bytes);
size_t heapster_get_mmap_threshold(void);
int heapster_init(size_t arena_size, heapster_policy_t policy);
int heapster_finalize(void);
void heapster_status(void);

#ifdef __cplusplus
}
#endif

/* An array of a negative length does not compile. */
typedef char first_is_0[HEAPSTER_FIRST_FIT == 0 ? 1 : -1];
typedef char next_is_1[HEAPSTER_NEXT_FIT == 1 ? 1 : -1];
typedef char best_is_2[HEAPSTER_BEST_FIT == 2 ? 1 : -1];
typedef char worst_is_3[HEAPSTER_WORST_FIT == 3 ? 1 : -1];

int main(void)
{
    heapster_policy_t policy = HEAPSTER_NEXT_FIT;
    char *p, *q;
    if (heapster_init(1 << 16, policy) != 0)
        return 1;
    heapster_set_policy(HEAPSTER_BEST_FIT);
    policy = heapster_get_policy();
    heapster_set_mmap_threshold(1 << 16);
    p = (char *)heapster_calloc(10, 4);
    q = (char *)heapster_realloc(heapster_malloc(40), 70000);
    if (policy != HEAPSTER_BEST_FIT || heapster_get_mmap_threshold() != 1 << 16 || !p || !q || p[39])
        return 2;
    heapster_status();
    heapster_free(q);
    heapster_free(p);
    return heapster_finalize();
}
