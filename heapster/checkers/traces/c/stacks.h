/* What stacks.c has for the recorder. */
#ifndef HEAPSTER_STACKS_H
#define HEAPSTER_STACKS_H

#include "recorder.h"

enum { OWN_FRAMES = 4, PATH_BYTES = 4096 };

void stacks_begin(void); /* if somebody asks for them */
void stacks_end(void);
void note_stack(void); /* the caller's, for the next record of this thread that answers a block */
void note(unsigned kind, uint64_t first, uint64_t second, const void *pointer);

#endif
