/* heapster.h - a memory allocator. C89 and later, C++98 and later. Linux, x86-64 and aarch64.

   Link with -lheapster -lpthread. These functions stand beside the C library's malloc and replace
   nothing; to run a whole program on Heapster, preload libheapster-malloc.so.

   All functions may be called from any thread, and before main. Like the C library's, they may not
   be called from a signal handler that interrupted one of them. After fork, parent and child may
   both go on using the heap, also while other threads run: what these were changing at that moment
   stays good in the child, but its memory is not used again there. Memory from heapster_malloc and
   its kin goes to heapster_free, never to free. A misuse that is noticed (a block freed twice, a
   pointer that is no block, a size that it was not asked for with, a header or list that was written
   over) ends the program with one line on stderr and abort().

   Settings may also come from the environment, read when the library is loaded:
     HEAPSTER_POLICY=@POLICIES@
     HEAPSTER_MMAP_THRESHOLD=BYTES
     HEAPSTER_CACHE=BYTES         see heapster_set_cache
     HEAPSTER_KEEP=BYTES          see heapster_set_keep
     HEAPSTER_ARENAS=1..64
     HEAPSTER_STATS=1             statistics on stderr when the program exits
     HEAPSTER_STATS_FILE=PATH     one line of JSON appended to that file when the program exits
     HEAPSTER_STATS_SIGNAL=NUMBER the same, to both or to stderr, each time that this signal comes (not in
                                  children that are forked and do not exec); a thread of its own waits for it
   A bad value is reported once on stderr and ignored. */

#ifndef HEAPSTER_H
#define HEAPSTER_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEAPSTER_VERSION "@VERSION@"

/* ---- Allocation, as the C library's functions of these names ---- */

/* At least `size` bytes, aligned to 16; NULL with errno ENOMEM if there are none. heapster_malloc(0)
   is a block of its own. */
void *heapster_malloc(size_t size);

/* Frees a block, or does nothing for NULL. errno is kept. */
void heapster_free(void *block);

/* As heapster_free, of a block that was asked for with `size` bytes (C23), or with `size` bytes at a multiple of
   `alignment`. Ends the program with "wrong size" where no request for so many could have got the block. */
void heapster_free_sized(void *block, size_t size);
void heapster_free_aligned_sized(void *block, size_t alignment, size_t size);

/* As heapster_malloc(count * size), zeroed; NULL with errno ENOMEM if the product overflows. */
void *heapster_calloc(size_t count, size_t size);

/* Makes a block larger or smaller, in place or elsewhere; what fits of its contents is kept. NULL with
   errno ENOMEM, and the block as it was, if that fails. heapster_realloc(NULL, size) allocates;
   heapster_realloc(block, 0) frees the block and returns NULL. */
void *heapster_realloc(void *block, size_t size);

/* As heapster_realloc(block, count * size), unless the product overflows. */
void *heapster_reallocarray(void *block, size_t count, size_t size);

/* At least `size` bytes at a multiple of `alignment`, a power of two; NULL with errno EINVAL or ENOMEM. */
void *heapster_aligned_alloc(size_t alignment, size_t size);
void *heapster_memalign(size_t alignment, size_t size);

/* Stores such a block at `out` and returns 0; or returns EINVAL or ENOMEM, with *out and errno as they
   were. The alignment must also be a multiple of sizeof(void *). */
int heapster_posix_memalign(void **out, size_t alignment, size_t size);

/* Aligned to a page; heapster_pvalloc also rounds the size up to whole pages. */
void *heapster_valloc(size_t size);
void *heapster_pvalloc(size_t size);

/* Bytes that may be used at `block`, at least what was asked for; 0 for NULL. */
size_t heapster_malloc_usable_size(void *block);

/* ---- Settings ---- */

/* Which free block serves a request. */
typedef enum {
    /* @ENUMERATORS@ */
} heapster_policy_t;

/* Sets by how many bytes, at least, arenas grow (0: the default of 128 KiB), and the policy. Optional, at
   any time. Returns 0; or -1, with nothing changed, for an unknown policy. */
int heapster_init(size_t arena_size, heapster_policy_t policy);

/* From the next request on; an unknown policy changes nothing. */
void heapster_set_policy(heapster_policy_t policy);
heapster_policy_t heapster_get_policy(void);

/* Requests of at least this many bytes get a mapping of their own. Values below 4096 become 4096; the
   default is 128 KiB. */
void heapster_set_mmap_threshold(size_t bytes);
size_t heapster_get_mmap_threshold(void);

/* How many bytes of blocks of one size, up to 72 KiB, a thread may keep when it frees them, to use them again
   without a lock: 0, for none, to 1 MiB; the default is 256 KiB. */
void heapster_set_cache(size_t bytes);
size_t heapster_get_cache(void);

/* How many bytes of mappings may be kept when their blocks are freed, to use them again without asking the
   system: as a rule much less, for no more is held than was in use not long ago, and a quarter. 0 keeps
   none; the default is 256 MiB. */
void heapster_set_keep(size_t bytes);
size_t heapster_get_keep(void);

/* Spreads threads that come from now on over 1 to 64 arenas (8 by default). */
void heapster_set_arenas(int count);

/* Returns all memory to the system; how many pieces it would not take, which are left. No block may be
   in use by anyone. The heap may be used again afterwards. */
int heapster_finalize(void);

/* ---- Statistics ---- */

/* Bytes include the headers of blocks. */
struct heapster_stats {
    size_t total_bytes; /* got from the system */
    size_t used_bytes;  /* in blocks in use; of one arena, those that threads keep count as used */
    size_t used_blocks;
    size_t cached_bytes; /* in blocks that are freed, and kept by threads or on their way to an arena */
    size_t cached_blocks;
    size_t free_bytes; /* in free blocks and in mappings that are kept */
    size_t free_blocks;
    size_t largest_free;  /* bytes of the largest free block */
    size_t wasted_bytes;  /* in none of these: records of regions, and what alignment leaves */
    double fragmentation; /* 0: all free bytes are one block; near 1: many small ones */
    size_t malloc_calls;  /* successful calls */
    size_t calloc_calls;
    size_t realloc_calls;
    size_t aligned_calls;
    size_t free_calls;
};

/* Of the whole heap, one arena after the other: a sum, not a snapshot, while other threads run. */
void heapster_stats(struct heapster_stats *out);

/* Of one arena (0 to 63), all zero if it is unused; or, for -2, of the blocks with a mapping of their own.
   Returns 0; or -1, with *out as it was, for an arena that cannot exist. */
int heapster_arena_stats(int arena, struct heapster_stats *out);

/* Writes every region, block and run of slots of the heap to stderr, a line each. */
void heapster_status(void);

#ifdef __cplusplus
}
#endif

#endif
