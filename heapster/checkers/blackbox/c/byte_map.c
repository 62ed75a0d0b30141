/* A byte of state for each byte of memory that a target has had: whose it is, and whether anybody wrote it.

   States lie in chunks, found through a table over the address space. A chunk whose bytes are all alike is shared, and
   becomes one of its own when one of them changes: so a large mapping costs nothing until it is used. Room for chunks
   is reserved at the start, for there may be none once the system is told to refuse. */
#include <string.h>
#include <sys/mman.h>

#include "byte_map.h"
#include "judge.h"

#define CHUNK_BITS 16
#define CHUNK ((uintptr_t)1 << CHUNK_BITS)
#define ADDRESS_BITS (sizeof(void *) == 8 ? 47 : 32)
#define CHUNKS ((uintptr_t)1 << (ADDRESS_BITS - CHUNK_BITS))
#define MOST_OWN 16384u /* chunks that are not all alike: 1 GiB of memory */
#define UNIFORM 8u      /* by owner, written or not */

static unsigned char **table, *uniform, *next_own, *end_of_own;

static void *reserve(unsigned place, size_t size)
{
    void *mapped =
        mmap(FAR_AWAY(place), size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return mapped == MAP_FAILED ? NULL : mapped;
}

static unsigned char *uniform_of(unsigned char state)
{
    unsigned which = (state & OWNER) + (state & UNWRITTEN ? UNIFORM : 0);
    return uniform + which * CHUNK;
}

int byte_map_start(void)
{
    table = reserve(16, CHUNKS * sizeof *table);
    uniform = reserve(17, 2 * UNIFORM * CHUNK);
    next_own = reserve(18, MOST_OWN * CHUNK);
    if (table == NULL || uniform == NULL || next_own == NULL)
        return -1;
    end_of_own = next_own + MOST_OWN * CHUNK;
    for (unsigned char owner = ALLOCATORS; owner <= NOBODYS; owner++) {
        memset(uniform_of(owner), owner, CHUNK);
        memset(uniform_of(owner | UNWRITTEN), owner | UNWRITTEN, CHUNK);
    }
    return 0;
}

static int is_shared(const unsigned char *chunk) { return chunk >= uniform && chunk < uniform + 2 * UNIFORM * CHUNK; }

/* The chunk of an address, of its own, to be changed; NULL where there is no room for more. */
static unsigned char *own_chunk(uintptr_t address)
{
    unsigned char **slot = &table[address >> CHUNK_BITS];
    if (*slot != NULL && !is_shared(*slot))
        return *slot;
    if (next_own == end_of_own)
        return NULL;
    if (*slot != NULL)
        memcpy(next_own, *slot, CHUNK);
    *slot = next_own;
    next_own += CHUNK;
    return *slot;
}

static uint64_t rest_of_chunk(uintptr_t start, uint64_t size)
{
    uint64_t rest = CHUNK - (start & (CHUNK - 1));
    return rest < size ? rest : size;
}

static int within(uintptr_t start, uint64_t size)
{
    return table != NULL && (uint64_t)start + size <= (uint64_t)1 << ADDRESS_BITS;
}

void byte_map_set(uintptr_t start, uint64_t size, unsigned char state)
{
    if (!within(start, size))
        return;
    for (uint64_t n; size > 0; start += n, size -= n) {
        n = rest_of_chunk(start, size);
        unsigned char *chunk = n == CHUNK ? NULL : own_chunk(start);
        if (chunk != NULL)
            memset(chunk + (start & (CHUNK - 1)), state, n);
        else if (n == CHUNK)
            table[start >> CHUNK_BITS] = state == UNKNOWN ? NULL : uniform_of(state);
    }
}

void byte_map_own(uintptr_t start, uint64_t size, enum owner owner)
{
    if (!within(start, size))
        return;
    for (uint64_t n; size > 0; start += n, size -= n) {
        n = rest_of_chunk(start, size);
        unsigned char *chunk = own_chunk(start);
        if (chunk == NULL)
            return;
        for (unsigned char *at = chunk + (start & (CHUNK - 1)), *end = at + n; at < end; at++)
            *at = (unsigned char)((*at & UNWRITTEN) | owner);
    }
}

void byte_map_written(uintptr_t start, uint64_t size)
{
    if (!within(start, size))
        return;
    for (uint64_t n; size > 0; start += n, size -= n) {
        n = rest_of_chunk(start, size);
        unsigned char *chunk = table[start >> CHUNK_BITS] != NULL ? own_chunk(start) : NULL; /* else not its own */
        for (unsigned char *at = chunk + (start & (CHUNK - 1)), *end = at + n; chunk != NULL && at < end; at++)
            *at &= OWNER;
    }
}

unsigned char byte_map_at(uintptr_t address)
{
    if (!within(address, 1))
        return UNKNOWN;
    const unsigned char *chunk = table[address >> CHUNK_BITS];
    return chunk != NULL ? chunk[address & (CHUNK - 1)] : UNKNOWN;
}

int byte_map_near(uintptr_t address)
{
    uintptr_t chunk = address >> CHUNK_BITS;
    return within(address, 1)
           && (table[chunk] != NULL || (chunk > 0 && table[chunk - 1] != NULL)
               || (chunk + 1 < CHUNKS && table[chunk + 1] != NULL));
}

int byte_map_plain(uintptr_t start, uint64_t size)
{
    if (!within(start, size) || rest_of_chunk(start, size) < size)
        return 0;
    const unsigned char *chunk = table[start >> CHUNK_BITS];
    if (chunk == NULL)
        return 0;
    const unsigned char *at = chunk + (start & (CHUNK - 1));
    uint64_t word;
    if (size == sizeof word) {
        memcpy(&word, at, sizeof word);
        return word == ALLOCATORS * 0x0101010101010101u;
    }
    for (uint64_t i = 0; i < size; i++)
        if (at[i] != ALLOCATORS)
            return 0;
    return 1;
}
