/* A freed block is written to: its links, its marks, and what others will find there. */

#include "misuse.h"

enum { BLOCKS = 3, ROOM = 64 };

static _Alignas(4096) word globals[512];

/* Frees some blocks; the last that was freed, which comes first again. */
static word *freed(size_t size)
{
    word *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = take(size);
    for (int i = 0; i < BLOCKS; i++)
        give(blocks[i]);
    return blocks[BLOCKS - 1];
}

/* The first word of a freed block leads to `target`. */
static void lead_to(word target, size_t size)
{
    word *p = freed(size);
    stray(p, target);
    examine(size);
}

static void to_stack(size_t size)
{
    _Alignas(16) word here[ROOM] = {0};
    forbid(hidden(here), sizeof here);
    lead_to((word)(here + 2), size);
}

static void to_global(size_t size)
{
    forbid(globals, sizeof globals);
    lead_to((word)(globals + 2), size);
}

static void to_global_with_header(size_t size)
{
    globals[1] = (size + WORD) | 3;
    to_global(size);
}

static void to_mapping(size_t size)
{
    word *p = foreign(16 * PAGE);
    forbid(p, 16 * PAGE);
    lead_to((word)(p + 2), size);
}

static void to_live(size_t size)
{
    char *p = take(4 * size);
    lead_to((word)(p + size + WORD), size);
}

static void to_misaligned(size_t size) { lead_to((word)globals + 3, size); }

static void to_nowhere(size_t size) { lead_to((word)nowhere(PAGE) + 16, size); }

static void to_nothing(size_t size) { lead_to(0, size); }

static void to_letters(size_t size) { lead_to(0x4141414141414141, size); }

static void mangled(size_t size)
{
    word *p = freed(size);
    forbid(globals, sizeof globals);
    stray(p, ((word)p >> 12) ^ (word)(globals + 2));
    examine(size);
}

static void to_itself(size_t size)
{
    word *p = freed(size);
    lead_to((word)p, size);
}

static void by_a_byte(size_t size)
{
    word *p = freed(size);
    stray_read(p);
    stray_bytes(p, (int)(*p & 0xff) ^ 0x40, 1);
    examine(size);
}

static void with_count(size_t size)
{
    forbid(globals, sizeof globals);
    lead_to((2ul << 48) | (word)(globals + 2), size);
}

static void second_word(size_t size)
{
    word *p = freed(size);
    stray(p + 1, 0);
    examine(size);
}

static void both_words(size_t size)
{
    word *p = freed(size);
    forbid(globals, sizeof globals);
    stray(p, (word)(globals + 2));
    stray(p + 1, (word)p);
    examine(size);
}

static void cleared(size_t size)
{
    word *p = freed(size);
    stray_bytes(p, 0, size < 128 ? size : 128);
    examine(size);
}

static void give_it(void *p) { give(p); }

static void freed_elsewhere(size_t size)
{
    word *p = take(size), *q = take(size);
    in_thread(give_it, q);
    in_thread(give_it, p);
    forbid(globals, sizeof globals);
    stray(p, (word)(globals + 2));
    examine(size);
    examine(size);
}

static void links(size_t size)
{
    word *p = take(size), *q = take(size);
    give(p);
    forbid(globals, sizeof globals);
    stray(p, (word)globals);
    stray(p + 1, (word)globals);
    examine(size);
    (void)q;
}

/* Links to what lies in a live block and leads back, as what an attacker has prepared. */
static void links_that_agree(size_t size)
{
    word *own = take(PAGE), *p = take(size), *wall = take(size);
    give(p);
    word b = (word)(p - 1);
    for (int i = 0; i < 16; i++)
        stray(own + i, b);
    stray(p, (word)(own + 4));
    stray(p + 1, (word)(own + 4));
    examine(size);
    (void)wall;
}

static void footer(size_t size)
{
    word *p = take(size), *q = take(size), *r = take(size);
    give(p);
    stray((char *)p + size - WORD, PAGE);
    give(q);
    examine(size);
    (void)r;
}

static void content(size_t size)
{
    char *p = take(size);
    give(p);
    stray_bytes(p + 2 * WORD, 'A', 4 * WORD);
    char *q = calloc(1, size);
    for (size_t i = 0; i < size; i++)
        if (q[i])
            attack("a fresh block of calloc is not zero");
    adopt(q, size);
    examine(size);
}

static void only_read(size_t size)
{
    word *p = take(size);
    give(p);
    stray_read(p);
    examine(size);
}

static void after_move(size_t size)
{
    word *p = take(size), *wall = take(size);
    forget(p);
    adopt(realloc(p, 9 * size), 9 * size);
    forbid(globals, sizeof globals);
    stray(p, (word)(globals + 2));
    examine(size);
    (void)wall;
}

static void to_new_owner(size_t size)
{
    word *p = take(size);
    give(p);
    word *q = take(size);
    stray_bytes(p, 'A', 2 * WORD);
    give(q);
    examine(size);
}

#define CASE(name, promise, run, size, text) {"use after free", name, promise, run, size, text}
const struct misuse after_frees[] = {
    CASE("link-to-stack", TOLD, to_stack, SMALL, "its first word leads to the stack"),
    CASE("link-to-global", TOLD, to_global, SMALL, "its first word leads to a global variable"),
    CASE("link-to-global-header", TOLD, to_global_with_header, SMALL, "which has a header"),
    CASE("link-to-global-middle", TOLD, to_global_with_header, MIDDLE, "the same with 1 KB"),
    CASE("link-to-mapping", TOLD, to_mapping, SMALL, "its first word leads to a mapping of the program's own"),
    CASE("link-to-mapping-great", TOLD, to_mapping, GREAT, "the same with 20 KB"),
    CASE("link-to-live", TOLD, to_live, SMALL, "its first word leads into a live block"),
    CASE("link-misaligned", TOLD, to_misaligned, SMALL, "its first word is no address of a block"),
    CASE("link-unmapped", TOLD, to_nowhere, SMALL, "its first word leads to a page that was unmapped"),
    CASE("link-to-nothing", TOLD, to_nothing, SMALL, "its first word is cleared"),
    CASE("link-letters", TOLD, to_letters, SMALL, "its first word is letters"),
    CASE("link-mangled", TOLD, mangled, SMALL, "its first word leads to a global variable, as glibc writes links"),
    CASE("link-to-itself", TOLD, to_itself, SMALL, "its first word leads to itself"),
    CASE("link-by-a-byte", TOLD, by_a_byte, SMALL, "the first byte is changed"),
    CASE("link-with-count", TOLD, with_count, SMALL, "its first word leads to a global variable, with a count"),
    CASE("mark-cleared", TOLD, second_word, SMALL, "its second word is cleared"),
    CASE("link-and-mark", TOLD, both_words, SMALL, "its first two words are chosen"),
    CASE("cleared", TOLD, cleared, SMALL, "all of it is cleared"),
    CASE("cleared-great", TOLD, cleared, GREAT, "the first 128 of its 20 KB are cleared"),
    CASE("link-elsewhere", TOLD, freed_elsewhere, SMALL, "another thread freed it; its first word leads elsewhere"),
    CASE("link-after-move", TOLD, after_move, SMALL, "realloc has moved it; its first word leads elsewhere"),
    CASE("list-large", TOLD, links, LARGE, "a large block's links lead to a global variable"),
    CASE("list-large-agrees", TOLD, links_that_agree, LARGE, "a large block's links lead to what leads back"),
    CASE("footer-large", TOLD, footer, LARGE, "its last word, where its size may stand, is changed"),
    CASE("list-mapped", QUIET, links, MAPPED, "a mapping's first words: nobody has them, unless its pages are gone"),
    CASE("contents", QUIET, content, MIDDLE, "what lies behind its first words: nobody reads it again"),
    CASE("contents-mapped", QUIET, content, MAPPED, "the same of a mapping"),
    CASE("read", QUIET, only_read, SMALL, "it is only read: that leaves no trace"),
    CASE("new-owner", QUIET, to_new_owner, SMALL, "it was given out again: its new owner has what was written"),
    {0},
};
