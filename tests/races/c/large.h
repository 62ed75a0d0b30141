/* Blocks beyond the designs' size, which never come back. */
#include <stdatomic.h>
#include <stddef.h>

static _Alignas(16) char large[1 << 22];
static atomic_size_t large_used;

static void *large_block(size_t size)
{
    size_t at = atomic_fetch_add_explicit(&large_used, (size + 15) & ~(size_t)15, memory_order_relaxed);
    return at + size <= sizeof large ? large + at : NULL;
}

static int is_large(const void *block)
{
    return (const char *)block >= large && (const char *)block < large + sizeof large;
}
