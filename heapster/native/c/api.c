/* The names of heapster.h, over the compiled allocator's words. */

#include "calls.h"
#include "heapster.h"
#include "layout.h"
#include "words.h"

#define ANSWERS(type, name, symbol, parameters, words)                                                                 \
    type heapster_##symbol parameters { return (type)heapster_word_##name words; }
#define NOTHING(name, symbol, parameters, words)                                                                       \
    void heapster_##symbol parameters { heapster_word_##name words; }

DIRECT_CALLS(ANSWERS, NOTHING)
OTHER_CALLS(ANSWERS, NOTHING)

/* A size_t above PTRDIFF_MAX would arrive as a negative word, which the allocator takes for a small one. */
static word clamped(size_t size) { return size > MAX_WORD ? MAX_WORD : (word)size; }

int heapster_init(size_t arena_size, heapster_policy_t policy)
{
    return (int)heapster_word_init(arena_size ? clamped(arena_size) : DEFAULT_GROWTH, (word)policy);
}

void heapster_set_policy(heapster_policy_t policy) { heapster_word_set_policy((word)policy); }
heapster_policy_t heapster_get_policy(void) { return (heapster_policy_t)heapster_word_get_policy(); }
void heapster_set_mmap_threshold(size_t bytes) { heapster_word_set_threshold(clamped(bytes)); }
size_t heapster_get_mmap_threshold(void) { return (size_t)heapster_word_get_threshold(); }
void heapster_set_cache(size_t bytes) { heapster_word_set_cache(clamped(bytes)); }
size_t heapster_get_cache(void) { return (size_t)heapster_word_get_cache(); }
void heapster_set_keep(size_t bytes) { heapster_word_set_keep(clamped(bytes)); }
size_t heapster_get_keep(void) { return (size_t)heapster_word_get_keep(); }
void heapster_set_arenas(int count) { heapster_word_set_arenas(count); }
int heapster_finalize(void) { return (int)heapster_word_finalize(); }
void heapster_status(void) { heapster_word_status(); }

static void read_stats(word which, struct heapster_stats *out)
{
    word figures[STATS_BYTES / WORD_BYTES];
    heapster_word_stats(which, (word)figures);
    const size_t *at = (const size_t *)figures, *calls = at + STAT_CALLS / WORD_BYTES;
    out->total_bytes = at[STAT_HELD / WORD_BYTES];
    out->cached_bytes = at[STAT_CACHED_BYTES / WORD_BYTES];
    out->cached_blocks = at[STAT_CACHED_BLOCKS / WORD_BYTES];
    out->used_bytes = at[STAT_USED_BYTES / WORD_BYTES] - out->cached_bytes;
    out->used_blocks = at[STAT_USED_BLOCKS / WORD_BYTES] - out->cached_blocks;
    out->free_bytes = at[STAT_FREE_BYTES / WORD_BYTES];
    out->free_blocks = at[STAT_FREE_BLOCKS / WORD_BYTES];
    out->largest_free = at[STAT_LARGEST_FREE / WORD_BYTES];
    out->wasted_bytes = out->total_bytes - out->used_bytes - out->cached_bytes - out->free_bytes;
    out->fragmentation = out->free_bytes ? 1.0 - (double)out->largest_free / (double)out->free_bytes : 0.0;
    out->malloc_calls = calls[CALL_MALLOC];
    out->calloc_calls = calls[CALL_CALLOC];
    out->realloc_calls = calls[CALL_REALLOC];
    out->aligned_calls = calls[CALL_ALIGNED];
    out->free_calls = calls[CALL_FREE];
}

void heapster_stats(struct heapster_stats *out) { read_stats(ALL_ARENAS, out); }

int heapster_arena_stats(int arena, struct heapster_stats *out)
{
    if (arena != ONLY_MAPPINGS && (arena < 0 || arena >= MAX_ARENAS))
        return -1;
    read_stats(arena, out);
    return 0;
}
