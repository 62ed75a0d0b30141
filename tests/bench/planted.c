/* Allocators with one fault each, around libc's. */

#include <stddef.h>

void *__libc_malloc(size_t size);
void __libc_free(void *p);

enum { CALLS = 200, SPINS = 3000, POOL = 1 << 22, HEADER = 8 };
static int calls;

#if defined SLOW
void *malloc(size_t size)
{
    for (volatile int i = 0; i < SPINS; i++)
        continue;
    return __libc_malloc(size);
}
#elif defined CRASHES
void *malloc(size_t size)
{
    if (size == 64 && ++calls > CALLS)
        __builtin_trap();
    return __libc_malloc(size);
}
#elif defined GIVES_UP
void *malloc(size_t size) { return size == 64 && ++calls > CALLS ? NULL : __libc_malloc(size); }
#elif defined HANGS
void *malloc(size_t size)
{
    while (size == 64 && ++calls > CALLS)
        calls = CALLS;
    return __libc_malloc(size);
}
#elif defined OVERLAPS /* from the second call on, blocks of 64 bytes overlap by a word */
static _Alignas(16) char pool[POOL];
static size_t used;
void *malloc(size_t size)
{
    if (size > 512 || used + size > POOL)
        return __libc_malloc(size);
    void *p = pool + used;
    used += (size + 7) / 8 * 8 - HEADER;
    return p;
}
void free(void *p)
{
    if ((char *)p < pool || (char *)p >= pool + POOL)
        __libc_free(p);
}
#endif
