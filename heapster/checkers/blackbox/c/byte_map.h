/* Whose each byte is, exactly, for one case: see byte_map.c. */
#ifndef HEAPSTER_BYTE_MAP_H
#define HEAPSTER_BYTE_MAP_H

#include <stdint.h>

/* A byte's owner, and whether nobody ever wrote it. */
enum owner { UNKNOWN, ALLOCATORS, CALLERS, GIVEN_BACK, NOBODYS };
#define OWNER 0x0f
#define UNWRITTEN 0x80

int byte_map_start(void); /* nonzero: there is no room for one */
void byte_map_set(uintptr_t start, uint64_t size, unsigned char state);
void byte_map_own(uintptr_t start, uint64_t size, enum owner owner); /* what was written stays written */
void byte_map_written(uintptr_t start, uint64_t size);
unsigned char byte_map_at(uintptr_t address);
int byte_map_near(uintptr_t address); /* something that is known lies within a chunk of it */

/* Whether all of [start, start + size) is written, and the allocator's: what nearly every access asks. */
int byte_map_plain(uintptr_t start, uint64_t size);

#endif
