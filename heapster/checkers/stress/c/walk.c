/* Lets harnesses walk the heap of our own library; it aborts with what does not hold. */

#include "words.h"

__attribute__((visibility("default"))) void heapster_stress_walk(void);
void heapster_stress_walk(void) { heapster_word_verify(); }

/* As a malloc lab's checker: not 0 if all is well. */
__attribute__((visibility("default"))) int heapster_stress_check(int verbose);
int heapster_stress_check(int verbose)
{
    (void)verbose;
    heapster_word_verify();
    return 1;
}
