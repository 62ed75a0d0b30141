/* Lets the harness walk the heap of our own library. */

#include "words.h"

__attribute__((visibility("default"))) void heapster_stress_walk(void);
void heapster_stress_walk(void) { heapster_word_verify(); }
