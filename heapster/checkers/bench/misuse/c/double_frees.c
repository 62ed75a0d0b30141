/* A block freed twice: at once or late, here or by another thread, from each place where a freed block waits. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>

#include "misuse.h"

enum { OTHERS = 12, MANY = 6000 };

static void free_twice(void *p, size_t size)
{
    give(p);
    misfree(p);
    examine(size);
}

static void at_once(size_t size) { free_twice(take(size), size); }

static void aligned(size_t size) { free_twice(adopt(aligned_alloc(PAGE, size), size), size); }

static void zeroed(size_t size) { free_twice(adopt(calloc(1, size), size), size); }

static void behind(size_t size, size_t others)
{
    static void *blocks[MANY];
    void *p = take(size);
    for (size_t i = 0; i < others; i++)
        blocks[i] = take(size);
    give(p);
    for (size_t i = 0; i < others; i++)
        give(blocks[i]);
    misfree(p);
    examine(size);
}

static void after_others(size_t size) { behind(size, OTHERS); }

static void after_many(size_t size) { behind(size, MANY); }

static void written_over(size_t size)
{
    word *p = take(size);
    give(p);
    stray_bytes(p, 0, 2 * WORD);
    misfree(p);
    examine(size);
}

static void first_word_over(size_t size)
{
    word *p = take(size);
    give(p);
    stray(p, 0x4141414141414141);
    misfree(p);
    examine(size);
}

static void second_word_over(size_t size)
{
    word *p = take(size), *q = take(size);
    give(p);
    stray(p + 1, 0x4141414141414141);
    give(q);
    misfree(p);
    examine(size);
}

/* Threads. */

static void give_it(void *p) { give(p); }

static void free_it(void *p) { misfree(p); }

static void other_thread(size_t size)
{
    void *p = take(size);
    give(p);
    in_thread(free_it, p);
    examine(size);
}

static void freed_elsewhere(size_t size)
{
    void *p = take(size);
    in_thread(give_it, p);
    misfree(p);
    examine(size);
}

static void two_threads(size_t size)
{
    void *p = take(size);
    in_thread(give_it, p);
    in_thread(free_it, p);
    examine(size);
}

static void two_threads_over(size_t size)
{
    void *p = take(size);
    in_thread(give_it, p);
    stray_bytes(p, 0, 2 * WORD);
    in_thread(free_it, p);
    examine(size);
}

static size_t thread_size;

static void take_and_give(void *out)
{
    void *p = take(thread_size);
    give(p);
    *(void **)out = p;
}

static void thread_gone(size_t size)
{
    void *p;
    thread_size = size;
    in_thread(take_and_give, &p);
    misfree(p);
    examine(size);
}

/* Other ways to free. */

static void moved(size_t size)
{
    void *p = take(size), *wall = take(size);
    forget(p);
    void *q = realloc(p, size * 9);
    adopt(q, size * 9);
    if (q != hidden(p))
        misfree(p);
    examine(size);
    (void)wall;
}

static void resized_to_nothing(size_t size)
{
    void *p = take(size);
    forget(p);
    void *q = realloc(p, 0);
    if (q)
        free(q);
    misfree(p);
    examine(size);
}

static void reused(size_t size)
{
    void *p = take(size);
    give(p);
    void *q = take(size);
    forget(q);
    misfree(p);
    misfree(q);
    examine(size);
}

static void joined(size_t size, int first)
{
    void *blocks[4];
    for (int i = 0; i < 4; i++)
        blocks[i] = take(size);
    give(blocks[first]);
    give(blocks[3 - first]);
    misfree(blocks[2]);
    examine(size);
}

static void joined_left(size_t size) { joined(size, 1); }

static void joined_right(size_t size) { joined(size, 2); }

static void trimmed(size_t size)
{
    void *p = take(size);
    give(p);
    malloc_trim(0);
    misfree(p);
    examine(size);
}

static void resized(size_t size)
{
    void *p = take(size);
    give(p);
    adopt(realloc(hidden(p), size * 2), size * 2);
    examine(size);
}

static void measured(size_t size)
{
    void *p = take(size);
    give(p);
    malloc_usable_size(hidden(p));
    examine(size);
}

static void sized(size_t size)
{
    void (*free_sized)(void *, size_t) = (void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized");
    void *p = take(size);
    give(p);
    if (free_sized)
        free_sized(hidden(p), size);
    else
        misfree(p);
    examine(size);
}

#define CASE(name, promise, run, size, text) {"double free", name, promise, run, size, text}
const struct misuse double_frees[] = {
    CASE("twice-tiny", TOLD, at_once, 8, "a block of 8 bytes is freed twice in a row"),
    CASE("twice-small", TOLD, at_once, SMALL, "a small block is freed twice in a row"),
    CASE("twice-middle", TOLD, at_once, MIDDLE, "a block of 1 KB is freed twice in a row"),
    CASE("twice-great", TOLD, at_once, GREAT, "a block of 20 KB is freed twice in a row"),
    CASE("twice-large", TOLD, at_once, LARGE, "a block that is too large for caches is freed twice in a row"),
    CASE("twice-mapped", TOLD, at_once, MAPPED, "a block with a mapping of its own is freed twice in a row"),
    CASE("twice-aligned", TOLD, aligned, SMALL, "a block that was asked for at a page's start is freed twice"),
    CASE("twice-zeroed", TOLD, zeroed, MIDDLE, "a block of calloc is freed twice"),
    CASE("twice-behind-others", TOLD, after_others, SMALL, "a dozen others are freed between"),
    CASE("twice-behind-great", TOLD, after_others, GREAT, "a dozen others of 20 KB are freed between"),
    CASE("twice-behind-mapped", TOLD, after_others, MAPPED, "a dozen other mappings are freed between"),
    CASE("twice-after-flush", TOLD, after_many, SMALL, "thousands are freed between, so that caches give some back"),
    CASE("twice-written-over", TOLD, written_over, SMALL, "what the allocator wrote into the block is cleared between"),
    CASE("twice-written-over-middle", TOLD, written_over, MIDDLE, "the same with 1 KB"),
    CASE("twice-first-word-over", TOLD, first_word_over, SMALL, "the first word of the block is changed between"),
    CASE("twice-second-word-over", TOLD, second_word_over, SMALL,
         "the second word is changed, and another block freed, between"),
    CASE("twice-by-another-thread", TOLD, other_thread, SMALL, "the second time by another thread"),
    CASE("twice-first-elsewhere", TOLD, freed_elsewhere, SMALL, "the first time by another thread, which has ended"),
    CASE("twice-two-threads", TOLD, two_threads, SMALL, "by two other threads, one after the other"),
    CASE("twice-two-threads-great", TOLD, two_threads, GREAT, "the same with 20 KB"),
    CASE("twice-two-threads-mapped", TOLD, two_threads, MAPPED, "the same with a mapping"),
    CASE("twice-two-threads-over", TOLD, two_threads_over, SMALL,
         "by two other threads, with what the allocator wrote cleared between"),
    CASE("twice-thread-gone", TOLD, thread_gone, SMALL, "of a thread that has ended since"),
    CASE("twice-after-move", TOLD, moved, SMALL, "realloc has moved it"),
    CASE("twice-after-move-large", TOLD, moved, LARGE, "realloc has moved it out of an arena"),
    CASE("twice-after-realloc-0", TOLD, resized_to_nothing, SMALL, "realloc to nothing has freed it"),
    CASE("twice-reused", TOLD, reused, SMALL,
         "the address was given out again between: the first of the two frees cannot be told, the second can"),
    CASE("twice-joined-left", TOLD, joined_left, LARGE, "it is part of a larger free block, which starts before it"),
    CASE("twice-joined-right", TOLD, joined_right, LARGE, "it is part of a larger free block, which it starts"),
    CASE("twice-after-trim", TOLD, trimmed, SMALL, "malloc_trim was called between"),
    CASE("realloc-freed", TOLD, resized, SMALL, "realloc of a freed block"),
    CASE("realloc-freed-large", TOLD, resized, LARGE, "realloc of a freed large block"),
    CASE("realloc-freed-mapped", TOLD, resized, MAPPED, "realloc of a freed mapping"),
    CASE("size-of-freed", QUIET, measured, SMALL,
         "malloc_usable_size of a freed block: it changes nothing, and the answer harms nobody"),
    CASE("size-of-freed-mapped", TOLD, measured, MAPPED, "malloc_usable_size of a freed mapping"),
    CASE("free-sized-twice", TOLD, sized, SMALL, "the second time by free_sized, where there is one"),
    {0},
};
