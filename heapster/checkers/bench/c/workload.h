/* What the workloads share: arguments, numbers drawn at random, and blocks that are written and checked.

   A block's first word holds its size, its last byte a mark; both are looked at before it is freed. So a
   workload touches its memory as a program does, and an allocator that gives one block twice is noticed. */

#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUT_OF_MEMORY = 10, DAMAGED = 11, WRONG_USE = 12 }; /* exit codes that the runner knows */
enum { LEAST = 16, PAGE = 4096, MARK = 0x5a };

__attribute__((noreturn)) static inline void stop(int code, const char *said)
{
    fprintf(stderr, "%s\n", said);
    _Exit(code);
}

/* The n-th argument, a number from `least` on. */
static inline size_t argument(int argc, char **argv, int n, size_t least)
{
    char *end = NULL;
    unsigned long long value = n < argc ? strtoull(argv[n], &end, 10) : 0;
    if (n >= argc || *end || value < least)
        stop(WRONG_USE, "an argument is missing or too small");
    return value;
}

/* xorshift64* (Marsaglia 2003, Vigna 2016); the state must not be 0. */
static inline uint64_t draw(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dULL >> 16;
}

static inline size_t uniform(uint64_t *state, size_t least, size_t most)
{
    return least + draw(state) % (most - least + 1);
}

/* Small sizes are as frequent as large ones: each doubling has the same share, as in programs. */
static inline size_t by_doubling(uint64_t *state, size_t least, size_t most)
{
    size_t base = least;
    for (size_t steps = draw(state) % (size_t)__builtin_ctzll(most / least); steps; steps--)
        base *= 2;
    return uniform(state, base, 2 * base);
}

static inline void *given(void *p)
{
    if (!p)
        stop(OUT_OF_MEMORY, "NULL was returned");
    return p;
}

/* Write the ends of a block of at least LEAST bytes. */
static inline void *write_ends(void *p, size_t size)
{
    *(volatile size_t *)p = size;
    ((volatile unsigned char *)p)[size - 1] = MARK;
    return p;
}

static inline size_t size_of(const void *p) { return *(const volatile size_t *)p; }

static inline void check_ends(const void *p, size_t size)
{
    if (size_of(p) != size || ((const volatile unsigned char *)p)[size - 1] != MARK)
        stop(DAMAGED, "a live block was changed");
}

static inline void *take(size_t size) { return write_ends(given(malloc(size)), size); }

/* Free a block, whose size is in it. */
static inline void give(void *p)
{
    check_ends(p, size_of(p));
    free(p);
}

/* Write a byte of each page: large blocks are asked for to be used. */
static inline void write_pages(void *p, size_t size)
{
    for (size_t at = PAGE; at < size - 1; at += PAGE)
        ((volatile unsigned char *)p)[at] = 1;
}

/* What `live` and `mixed` are told: N COUNT LEAST MOST uniform|doubling [empty]. */
struct live_set {
    size_t times, count, least, most;
    size_t (*size)(uint64_t *, size_t, size_t);
    int empty; /* each block is a stand-in's, for ever */
};

enum { MOST_LIVE = 10000, LARGEST_LIVE = 1 << 15, STRIDE = 1 << 9, STAND_INS = MOST_LIVE * STRIDE + LARGEST_LIVE };

static inline struct live_set live_set(int argc, char **argv)
{
    struct live_set set = {.times = argument(argc, argv, 1, 1),
                           .count = argument(argc, argv, 2, 1),
                           .least = argument(argc, argv, 3, LEAST),
                           .empty = argc > 6};
    set.most = argument(argc, argv, 4, 2 * set.least);
    if (set.count > MOST_LIVE || set.most > LARGEST_LIVE || argc < 6)
        stop(WRONG_USE, "N COUNT LEAST MOST uniform|doubling [empty]");
    set.size = strcmp(argv[5], "uniform") ? by_doubling : uniform;
    return set;
}

static inline size_t size_for_set(const struct live_set *set, uint64_t *state)
{
    return set->size(state, set->least, set->most);
}

/* The last words of a workload: how often it called the allocator. */
static inline int done(size_t operations)
{
    printf("%zu\n", operations);
    return 0;
}

#endif
