/* One bit for each granule of the address space: set while a live block covers it.

   The bits are reserved, not committed: a page of them serves half a megabyte of heap or more. */
#include <string.h>
#include <sys/mman.h>

#include "judge.h"

#define ADDRESS_BITS (sizeof(void *) == 8 ? 47 : 32)

static unsigned char *bits;
static unsigned shift; /* log2 of the granule */

void shadow_start(uint64_t granule)
{
    if (granule < 4) /* neighbours may share a granule: patterns must do */
        return;
    shift = granule >= 16 ? 4 : granule >= 8 ? 3 : 2;
    uint64_t size = (uint64_t)1 << (ADDRESS_BITS - shift - 3);
    void *mapped =
        mmap(FAR_AWAY(4), (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED)
        shared->unshadowed = 1;
    else
        bits = mapped;
}

static int within(uintptr_t start, uint64_t size)
{
    return bits != NULL && (uint64_t)start + size < (uint64_t)1 << ADDRESS_BITS;
}

static uint64_t last_granule(uintptr_t start, uint64_t size)
{
    return ((uint64_t)start + (size != 0 ? size - 1 : 0)) >> shift;
}

/* The whole bytes among the bits of [granule, last]: how many follow the byte of `granule`. */
static uint64_t whole_bytes(uint64_t granule, uint64_t last) { return granule % 8 == 0 ? (last + 1 - granule) / 8 : 0; }

static int any_set(const unsigned char *from, uint64_t n)
{
    uint64_t word, seen = 0;
    for (; n >= sizeof word; n -= sizeof word, from += sizeof word) {
        memcpy(&word, from, sizeof word);
        seen |= word;
    }
    while (n-- > 0)
        seen |= *from++;
    return seen != 0;
}

int shadow_take(uintptr_t start, uint64_t size)
{
    if (!within(start, size))
        return 0;
    int taken = 0;
    uint64_t granule = start >> shift, last = last_granule(start, size);
    while (granule <= last) {
        uint64_t n = whole_bytes(granule, last);
        if (n != 0) {
            taken |= any_set(bits + granule / 8, n);
            memset(bits + granule / 8, 0xff, n);
            granule += 8 * n;
        } else {
            taken |= bits[granule / 8] >> granule % 8 & 1;
            bits[granule / 8] |= (unsigned char)(1u << granule % 8);
            granule++;
        }
    }
    return taken;
}

void shadow_release(uintptr_t start, uint64_t size)
{
    if (!within(start, size))
        return;
    uint64_t granule = start >> shift, last = last_granule(start, size);
    while (granule <= last) {
        uint64_t n = whole_bytes(granule, last);
        if (n != 0) {
            memset(bits + granule / 8, 0, n);
            granule += 8 * n;
        } else {
            bits[granule / 8] &= (unsigned char)~(1u << granule % 8);
            granule++;
        }
    }
}
