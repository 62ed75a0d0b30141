/* The memory system of the malloc lab (CS:APP), as Heapster supplies it. */
#ifndef MEMLIB_H
#define MEMLIB_H
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

void mem_init(void);
void mem_deinit(void);
void mem_reset_brk(void);
void *mem_sbrk(intptr_t incr);
void *mem_heap_lo(void);
void *mem_heap_hi(void);
size_t mem_heapsize(void);
size_t mem_pagesize(void);
void *mem_memset(void *to, int byte, size_t size);
void *mem_memcpy(void *to, const void *from, size_t size);
#endif
