/* What a target compiled with -fsanitize=thread calls before each load, store and atomic: ours to answer.

   `-fsanitize=thread` without the sanitizer's library leaves these calls undefined; hooks.c defines them in the program
   that loads the target (link it with -rdynamic). It keeps the way that calls have taken, and hands everything else to
   one `struct observer`, which a client fills: a map of whose each byte is, a scheduler, a count of edges. Without a
   client the target runs as it does without the instrumentation. */
#ifndef HEAPSTER_HOOKS_H
#define HEAPSTER_HOOKS_H

#include <stddef.h>
#include <stdint.h>

enum access_flags {
    READS = 1,
    WRITES = 2,
    UNALIGNED = 4, /* the source says that it need not be aligned */
    VOLATILE = 8,
    RANGE = 16, /* a whole: a struct that is copied, or libc's memcpy and its kin */
    VTABLE = 32
};

enum atomic_kind {
    ATOMIC_LOAD,
    ATOMIC_STORE,
    ATOMIC_EXCHANGE,
    ATOMIC_COMPARE_EXCHANGE,
    ATOMIC_ADD,
    ATOMIC_SUB,
    ATOMIC_AND,
    ATOMIC_OR,
    ATOMIC_XOR,
    ATOMIC_NAND,
    ATOMIC_FENCE
};

#ifdef __SIZEOF_INT128__
typedef unsigned __int128 atomic_value;
#else
typedef uint64_t atomic_value;
#endif

/* An atomic that is about to be done. `failed` is the order of a compare-exchange that does not swap; `operand` is what
   is stored, added and so on. */
struct atomic {
    uintptr_t address, pc;
    size_t size;
    enum atomic_kind kind;
    int order, failed;
    atomic_value operand, expected;
};

/* Each may be NULL. All are called before what they tell of is done; `pc` is a return address: the instruction before
   it is the one. `order` is one of __ATOMIC_RELAXED to __ATOMIC_SEQ_CST; a fence has no address. */
struct observer {
    void (*on_access)(uintptr_t address, size_t size, unsigned flags, uintptr_t pc);
    void (*on_atomic)(uintptr_t address, size_t size, enum atomic_kind kind, int order, uintptr_t pc);
    void (*on_enter)(uintptr_t caller); /* a function, called from there */
    void (*on_exit)(void);
    /* Asked instead of on_atomic: does it, says what it read, and answers 1; or answers 0, and it is done as it stands.
       A compare-exchange that reads what is expected has swapped. */
    int (*perform)(const struct atomic *asked, atomic_value *read);
};

void observe(const struct observer *client); /* NULL: nobody looks */

/* The return addresses of the calls that are under way, outermost first; deeper ones are counted, but not kept. Of
   each thread; a scheduler that switches stacks keeps one for each of its own. */
#define MOST_FRAMES 256

struct call_path {
    uint32_t depth;
    uintptr_t caller[MOST_FRAMES];
};

extern _Thread_local struct call_path *call_path;

/* interpose.c: what an object that was loaded calls by name, answered by us from then on. Only that object's own calls;
   the original stays where it is for all others. */
struct replacement {
    const char *name;
    void *by;
};

/* How many were replaced, or -1 where the object cannot be changed. `handle` is dlopen's. */
int interpose(void *handle, const struct replacement *replacements, size_t count);

/* memory_functions.c: memcpy, memmove, memset, strlen and their kin, told to the observer as RANGE. */
int interpose_memory_functions(void *handle);

void observed_range(const void *at, size_t size, unsigned flags, uintptr_t pc); /* hooks.c: tells it */

#endif
