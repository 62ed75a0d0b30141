/* What is no block, given to free and its sisters. Headers are forged as ours and glibc's are: the size and a flag,
   in the word before the payload. */

#define _GNU_SOURCE
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "misuse.h"

enum { FORGED = 64, IN_USE = 1, LEFT_IN_USE = 2, OWN_MAPPING = 4, OWNER_SHIFT = 48, ROOM = 64 };

static _Alignas(4096) word globals[1024];
static const word constants[ROOM] = {0, FORGED | IN_USE | LEFT_IN_USE, 0};

static void number(size_t address)
{
    misfree((void *)address);
    examine(SMALL);
}

static void outside(size_t offset)
{
    char *p = take(MIDDLE);
    misfree(p + (ptrdiff_t)offset);
    examine(MIDDLE);
}

/* Frees `p` with the header before it, which is forged unless it is 0. */
static void forge(word *p, word header)
{
    if (header)
        p[-1] = header;
    forbid(p - 1, ROOM);
    misfree(p);
    examine(FORGED - WORD);
}

static void of_stack(size_t header)
{
    _Alignas(16) word here[ROOM] = {0};
    forge(hidden(here + 2), header);
}

static void of_global(size_t header) { forge(globals + 2, header); }

static void of_mapping(size_t header)
{
    word *p = foreign(4 * PAGE);
    forge(p + 2, header);
}

static void of_start(size_t size)
{
    word *p = foreign(size);
    forbid(p, ROOM);
    misfree(p);
    examine(SMALL);
}

static void in_block(size_t header)
{
    word *p = take(MIDDLE);
    stray(p + 7, header);
    misfree(p + 8);
    examine(FORGED - WORD);
}

static void in_mapped(size_t header)
{
    word *p = take(MAPPED);
    stray(p + 511, header);
    misfree(p + 512);
    examine(FORGED - WORD);
}

static void of_code(size_t size)
{
    misfree((void *)((uintptr_t)printf & -16));
    examine(size);
}

static void of_own_code(size_t size)
{
    misfree((void *)((uintptr_t)of_code & -16));
    examine(size);
}

static void of_constant(size_t size)
{
    misfree((void *)(uintptr_t)(constants + 2));
    examine(size);
}

static void of_environment(size_t size)
{
    misfree((void *)((uintptr_t)*environ & -16));
    examine(size);
}

static void of_nowhere(size_t size)
{
    misfree((char *)nowhere(size) + 16);
    examine(SMALL);
}

/* A mapped block's header and node, forged so that the node's neighbours agree: it is its own. */
static void forged_mapping(size_t length)
{
    word *start = foreign(4 * PAGE), *header = start + 5, *node = header - 4;
    node[1] = node[2] = (word)node;
    header[-1] = 5 * WORD;
    header[0] = length | OWN_MAPPING | LEFT_IN_USE | IN_USE;
    forbid(start, 4 * PAGE);
    misfree(header + 1);
    examine(4 * PAGE - 6 * WORD);
    examine(MAPPED);
}

static void realloc_stack(size_t header)
{
    _Alignas(16) word here[ROOM] = {0};
    here[1] = header;
    forbid(here + 1, ROOM);
    adopt(realloc(hidden(here + 2), MIDDLE), MIDDLE);
    examine(FORGED);
}

static void realloc_number(size_t address)
{
    adopt(realloc((void *)address, MIDDLE), MIDDLE);
    examine(SMALL);
}

static void size_of_stack(size_t size)
{
    _Alignas(16) word here[ROOM] = {0};
    here[1] = FORGED | IN_USE | LEFT_IN_USE;
    malloc_usable_size(hidden(here + 2));
    examine(size);
}

#define CASE(name, promise, run, size, text) {"invalid pointer", name, promise, run, size, text}
const struct misuse invalid_pointers[] = {
    CASE("null-page", TOLD, number, 0x10, "the address 16"),
    CASE("null-page-end", TOLD, number, 0xff0, "the last of the page at 0"),
    CASE("low-address", TOLD, number, 0x10000, "an address below all that programs map"),
    CASE("not-canonical", TOLD, number, 0x0800000000000010, "an address that the processor knows no meaning of"),
    CASE("not-canonical-high", TOLD, number, 0x4141414141414140, "a text taken for an address"),
    CASE("kernel", TOLD, number, 0xffff800000000010, "an address of the kernel"),
    CASE("all-ones", TOLD, number, (size_t)-16, "the last address of all"),
    CASE("misaligned-1", TOLD, outside, 1, "a byte behind a block's start"),
    CASE("misaligned-8", TOLD, outside, 8, "a word behind a block's start"),
    CASE("interior", TOLD, outside, 16, "16 bytes behind a block's start, which say nothing"),
    CASE("interior-middle", TOLD, outside, 512, "the middle of a block"),
    CASE("before", TOLD, outside, (size_t)-16, "16 bytes before a block's start"),
    CASE("interior-forged", NOTHING, in_block, FORGED | 3, "a header was forged in a block"),
    CASE("interior-forged-glibc", NOTHING, in_block, FORGED | 1, "a header of glibc's was forged in a block"),
    CASE("interior-mapped-forged", NOTHING, in_mapped, FORGED | 3,
         "a header was forged in a block with its own mapping"),
    CASE("stack", TOLD, of_stack, 0, "a variable on the stack"),
    CASE("stack-forged", NOTHING, of_stack, FORGED | 3, "a header was forged on the stack"),
    CASE("stack-forged-glibc", NOTHING, of_stack, FORGED | 1, "a header of glibc's was forged on the stack"),
    CASE("stack-forged-mapped", TOLD, of_stack, PAGE | 7, "a mapping's header was forged on the stack"),
    CASE("global", TOLD, of_global, 0, "a global variable"),
    CASE("global-forged", NOTHING, of_global, FORGED | 3, "a header was forged in a global variable"),
    CASE("global-forged-glibc", NOTHING, of_global, FORGED | 1, "a header of glibc's was forged in a global variable"),
    CASE("code", TOLD, of_code, SMALL, "a function of the C library"),
    CASE("own-code", TOLD, of_own_code, SMALL, "a function of the program"),
    CASE("constant", NOTHING, of_constant, SMALL, "a constant with a header before it"),
    CASE("environment", TOLD, of_environment, SMALL, "a text of the environment"),
    CASE("mapping-start", NOTHING, of_start, PAGE, "the start of a mapping of the program's own: before it is nothing"),
    CASE("mapping", TOLD, of_mapping, 0, "the inside of a mapping of the program's own"),
    CASE("mapping-forged", NOTHING, of_mapping, FORGED | 3, "a header was forged in a mapping of the program's own"),
    CASE("mapping-forged-glibc", NOTHING, of_mapping, FORGED | 1, "a header of glibc's was forged there"),
    CASE("mapping-forged-owner", NOTHING, of_mapping, (1ul << OWNER_SHIFT) | FORGED | 3,
         "a header of an arena that there is not was forged there"),
    CASE("mapping-forged-mapped", TOLD, forged_mapping, 4 * PAGE, "a mapped block was forged there, node and all"),
    CASE("mapping-forged-longer", TOLD, forged_mapping, 64 * PAGE, "and is said to be longer: what follows is others'"),
    CASE("unmapped", NOTHING, of_nowhere, PAGE, "a page that was unmapped"),
    CASE("realloc-stack", TOLD, realloc_stack, FORGED | 3, "realloc of the stack, with a header forged"),
    CASE("realloc-low", TOLD, realloc_number, 0x20, "realloc of the address 32"),
    CASE("size-of-stack", QUIET, size_of_stack, SMALL, "malloc_usable_size of the stack, with a header forged"),
    {0},
};
