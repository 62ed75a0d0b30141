/* What the recorder writes: a file a process image, of a header and of chunks that one thread fills each.

   A chunk is a mapping of the file, so that what was recorded stays however the program ends. */
#ifndef HEAPSTER_RECORDER_H
#define HEAPSTER_RECORDER_H

#include <stdint.h>

#define RECORDER_MAGIC 0x3130636552706548u /* "HepRec01" */

enum { CHUNK_BYTES = 1 << 18, HEADER_WORDS = 8 };
enum kind {
    NOTHING,
    MALLOC,
    CALLOC,
    MEMALIGN,
    FREE,
    REALLOC_BEGINS,
    REALLOC_ENDS,
    REALLOC_ARRAY_ENDS,
    FREE_SIZED,
    FREE_ALIGNED_SIZED
};

struct record {
    uint64_t order;         /* 40 bits of sequence, 16 of thread, 8 of kind; from the top */
    uint64_t first, second; /* sizes, an alignment and a size, or count and size */
    uint64_t pointer;       /* what was answered, or what was given back */
};

struct header {
    uint64_t magic, process, parent, forked_at; /* forked_at: the parent's sequence, 0 after exec */
    uint64_t lost;                              /* records for which the disk had no room */
    uint64_t chunk_bytes;
    uint64_t unused[2];
};

#endif
