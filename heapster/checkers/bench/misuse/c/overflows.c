/* Stores before and behind blocks: into headers, sizes, footers, links, and what lies before mappings. Where the
   allocator has its words elsewhere, they hit neighbours, which the program has damaged itself then. */

#include <malloc.h>

#include "misuse.h"

enum { IN_USE = 1, LEFT_IN_USE = 2, USED = IN_USE | LEFT_IN_USE, OWN_MAPPING = 4, OWNER_SHIFT = 48, BLOCKS = 8 };
#define HEADER_BYTES (sizeof(word))

static char *blocks[BLOCKS];

/* Neighbours, as far as the allocator makes them; each of `size` bytes. */
static void neighbours(size_t size)
{
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = take(size);
}

/* Where the next block begins, or its header. */
static char *behind(char *block) { return block + malloc_usable_size(block); }

static void free_the_next(size_t size, size_t also)
{
    give(blocks[3]);
    examine(size);
    examine(also);
}

/* The word behind block 2, where its right neighbour's header may be, becomes `header`; the neighbour is freed. */
static void next_header(size_t size, word header, size_t also)
{
    neighbours(size);
    stray(behind(blocks[2]), header);
    free_the_next(size, also);
}

static void grown(size_t size) { next_header(size, 2 * (size + WORD) | USED, 2 * size + WORD); }

static void grown_for_glibc(size_t size) { next_header(size, 2 * (size + WORD) | IN_USE, 2 * size + WORD); }

static void grown_far(size_t size) { next_header(size, (1ul << 40) | USED, size); }

static void shrunk(size_t size) { next_header(size, ((size + WORD) / 2 & ~15ul) | USED, size / 2); }

static void cleared(size_t size) { next_header(size, 0, size); }

static void of_letters(size_t size) { next_header(size, 0x4141414141414141, size); }

static void of_another_owner(size_t size) { next_header(size, (1ul << OWNER_SHIFT) | (size + WORD) | USED, size); }

static void of_no_owner(size_t size) { next_header(size, (50ul << OWNER_SHIFT) | (size + WORD) | USED, size); }

static void made_mapped(size_t size) { next_header(size, (16 * PAGE) | USED | OWN_MAPPING, size); }

static void by_one(size_t size, int byte)
{
    neighbours(size);
    stray_bytes(behind(blocks[2]), byte, 1);
    free_the_next(size, 2 * size);
}

static void by_a_nul(size_t size) { by_one(size, 0); }

static void by_a_letter(size_t size) { by_one(size, 'A'); }

static void by_many(size_t size)
{
    neighbours(size);
    stray_bytes(behind(blocks[2]), 'A', 4 * WORD);
    free_the_next(size, 2 * size);
}

static void into_free(size_t size)
{
    neighbours(size);
    give(blocks[3]);
    stray_bytes(behind(blocks[2]), 'A', 4 * WORD);
    give(blocks[4]);
    examine(size);
    examine(2 * size);
}

static void free_grown(size_t size)
{
    neighbours(size);
    give(blocks[3]);
    stray(behind(blocks[2]), 2 * (size + WORD) | LEFT_IN_USE);
    examine(size);
    examine(2 * size);
}

static void own_grown(size_t size)
{
    neighbours(size);
    stray(blocks[3] - WORD, 2 * (size + WORD) | USED);
    forget(blocks[3]);
    adopt(realloc(blocks[3], 2 * size), 2 * size);
    examine(size);
}

/* The last word of block 2, and the header behind it, say that what lies before is a free block in its inside. */
static void forged_left(size_t size)
{
    word forged = (size + WORD) / 2 & ~15ul;
    neighbours(size);
    word *header = (word *)(blocks[3] - WORD), *left = (word *)((char *)header - forged);
    stray(left, forged | LEFT_IN_USE);
    stray(left + 1, (word)left);
    stray(left + 2, (word)left);
    stray(header - 1, forged);
    stray(header, (size + WORD) | IN_USE);
    free_the_next(size, size + forged);
}

static void wilderness(size_t size)
{
    neighbours(size);
    stray(behind(blocks[BLOCKS - 1]), -1ul & ~15ul);
    examine(size);
    examine(16 * size);
}

static void slack(size_t size)
{
    char *p = take(size);
    stray_bytes(p + size, 'A', 1);
    give(p);
    examine(size);
}

/* What lies before a mapping's block. */
static void before_mapped(long place, word add)
{
    word *p = take(MAPPED), *q = take(MAPPED), *r = take(MAPPED);
    stray_read(q + place);
    stray(q + place, q[place] + add);
    give(q);
    examine(MAPPED);
    (void)p, (void)r;
}

static void mapped_longer(size_t size) { before_mapped(-1, size); }

static void mapped_lead(size_t size) { before_mapped(-2, size); }

static void mapped_node(size_t size) { before_mapped(-3, size); }

static void mapped_cleared(size_t size)
{
    char *p = take(MAPPED);
    stray_bytes(p - size, 0, size);
    give(p);
    examine(MAPPED);
}

static void mapped_resized(size_t size)
{
    word *p = take(MAPPED), *q = take(MAPPED);
    stray_read(q - 1);
    stray(q - 1, q[-1] + size);
    forget(q);
    adopt(realloc(q, 2 * MAPPED), 2 * MAPPED);
    examine(MAPPED);
    (void)p;
}

static void behind_mapped(size_t size)
{
    char *p = take(MAPPED);
    stray_bytes(p + MAPPED, 'A', size);
    give(p);
    examine(MAPPED);
}

#define CASE(name, promise, run, size, text) {"overflow", name, promise, run, size, text}
const struct misuse overflows[] = {
    CASE("header-grown", NOTHING, grown, SMALL, "a header says that its block reaches to its right neighbour's end"),
    CASE("header-grown-middle", NOTHING, grown, MIDDLE, "the same with 1 KB"),
    CASE("header-grown-large", NOTHING, grown, LARGE, "the same with a block that is too large for caches"),
    CASE("header-grown-glibc", NOTHING, grown_for_glibc, SMALL, "the same with glibc's flags"),
    CASE("header-grown-far", TOLD, grown_far, HEADED, "a header says that its block reaches beyond all memory"),
    CASE("header-grown-far-small", QUIET, grown_far, SMALL, "the same with a small block, which may have no header"),
    CASE("header-shrunk", QUIET, shrunk, MIDDLE, "a header says that its block is half as large"),
    CASE("header-shrunk-large", TOLD, shrunk, LARGE, "the same with a block that is too large for caches"),
    CASE("header-cleared", TOLD, cleared, HEADED, "a header is cleared"),
    CASE("header-cleared-small", QUIET, cleared, SMALL, "the same with a small block, which may have no header"),
    CASE("header-letters", TOLD, of_letters, HEADED, "a header is letters"),
    CASE("header-letters-small", QUIET, of_letters, SMALL, "the same with a small block, which may have no header"),
    CASE("header-other-owner", QUIET, of_another_owner, SMALL, "a header says that its block is another arena's"),
    CASE("header-other-owner-large", TOLD, of_another_owner, LARGE, "the same with a large block"),
    CASE("header-no-owner", QUIET, of_no_owner, SMALL, "a header says that its block is of an arena that there is not"),
    CASE("header-no-owner-large", TOLD, of_no_owner, LARGE, "the same with a large block"),
    CASE("header-mapped", TOLD, made_mapped, HEADED, "a header says that its block has a mapping of its own"),
    CASE("header-mapped-small", QUIET, made_mapped, SMALL, "the same with a small block, which may have no header"),
    CASE("by-a-nul", TOLD, by_a_nul, HEADED, "one byte behind a block is cleared"),
    CASE("by-a-nul-small", QUIET, by_a_nul, SMALL, "the same with a small block, which may have no header"),
    CASE("by-a-nul-large", TOLD, by_a_nul, LARGE, "the same with a large block"),
    CASE("by-a-letter", QUIET, by_a_letter, SMALL, "one byte behind a block is written"),
    CASE("by-many", TOLD, by_many, HEADED, "32 bytes behind a block are letters"),
    CASE("by-many-small", QUIET, by_many, SMALL, "the same with a small block, which may have no header"),
    CASE("by-many-large", TOLD, by_many, LARGE, "the same with a large block"),
    CASE("into-free", TOLD, into_free, SMALL, "32 bytes of a free block behind a block are letters"),
    CASE("into-free-large", TOLD, into_free, LARGE, "the same with a large block"),
    CASE("free-grown-large", NOTHING, free_grown, LARGE,
         "a free block's header says that it reaches over its neighbour"),
    CASE("realloc-grown", NOTHING, own_grown, SMALL, "realloc of a block whose header was grown"),
    CASE("realloc-grown-large", NOTHING, own_grown, LARGE, "the same with a large block"),
    CASE("left-forged", QUIET, forged_left, MIDDLE, "a free left neighbour is forged inside a block"),
    CASE("left-forged-large", TOLD, forged_left, LARGE, "the same with a large block"),
    CASE("behind-last", TOLD, wilderness, LARGE, "what lies behind the last block is all ones: nobody may read it"),
    CASE("into-slack", QUIET, slack, SMALL - 3,
         "one byte behind what was asked for, where there is room: nobody has it"),
    CASE("mapped-longer", TOLD, mapped_longer, MAPPED, "a mapping's header says that it is twice as long"),
    CASE("mapped-shorter", TOLD, mapped_longer, (size_t)-PAGE, "a mapping's header says that it is shorter"),
    CASE("mapped-lead", TOLD, mapped_lead, PAGE, "what says where the mapping starts is changed"),
    CASE("mapped-node", TOLD, mapped_node, 64, "its place on the list of mappings is changed"),
    CASE("mapped-cleared", TOLD, mapped_cleared, 2 * WORD, "16 bytes before a mapping's block are cleared"),
    CASE("mapped-cleared-all", TOLD, mapped_cleared, 6 * WORD, "48 bytes before a mapping's block are cleared"),
    CASE("mapped-realloc", TOLD, mapped_resized, MAPPED, "realloc of a mapping that is said to be longer"),
    CASE("mapped-behind", QUIET, behind_mapped, 8, "8 bytes behind a mapping's block: the page has room, or a guard"),
    {0},
};
