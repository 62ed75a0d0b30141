/* Misuse of an allocator, and what shows that it became an attack. */

#ifndef MISUSE_H
#define MISUSE_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long word;

enum {
    WORD = sizeof(word),
    PAGE = 4096,
    SMALL = 56, /* with a header of a word, a block of 64 bytes; the larger ones likewise leave no slack */
    MIDDLE = 1016,
    HEADED = 2040, /* more than has no header where small blocks have none, and threads cache it */
    GREAT = 20472,
    LARGE = 102392,  /* more than threads cache, less than has a mapping of its own */
    MAPPED = 1 << 20 /* has one */
};

/* What an allocator may do at best, and what ours promises at least. Each is allowed what those before it are. */
enum promise {
    TOLD,   /* it ends the program, and says why */
    HALTED, /* or the system does, where the program itself touches what is gone */
    QUIET,  /* or nothing happens that anyone could use */
    NOTHING /* or anything at all */
};

struct misuse {
    const char *kind, *name;
    enum promise promise;
    void (*run)(size_t size);
    size_t size;
    const char *text; /* what is done, and, where it may stay silent, why */
};

extern const struct misuse double_frees[], invalid_pointers[], overflows[], after_frees[], leaks[];

/* Ends the program: it was shown that the misuse can be turned against it. */
_Noreturn void attack(const char *how);

/* The pointer, of which the compiler no longer knows where it is from. */
void *hidden(void *p);

/* A block that must not overlap any other, nor what is forbidden; its contents must stay from now on. */
void *take(size_t size);
void *adopt(void *p, size_t size);

/* Frees a block that was taken; `forget` only stops watching it. */
void give(void *p);
void forget(void *p);

/* Frees what is no live block. */
void misfree(void *p);

/* The program's own stray store or loads: a fault there is not the allocator's. */
void stray(void *at, word value);
void stray_bytes(void *at, int byte, size_t count);
void stray_read(const void *at);

/* No block may be given there, and what lies there now must stay. */
void forbid(const void *start, size_t size);

/* Takes blocks of the size and of sizes near it, and looks at all that is watched. */
void examine(size_t size);

/* An attack if the fresh block shows where something lies. */
void expect_no_address(const word *p, size_t size);

/* Runs a function in a thread of its own, to its end. */
void in_thread(void (*run)(void *), void *p);

/* Memory of the system that is no allocator's; memory that was such and is gone. */
void *foreign(size_t size);
void *nowhere(size_t size);

#endif
