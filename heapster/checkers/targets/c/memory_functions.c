/* libc's memory functions, as a target calls them: told to the observer, then done. */
#define _GNU_SOURCE
#include <string.h>
#include <strings.h>

#include "hooks.h"

#define PC ((uintptr_t)__builtin_return_address(0))

static void read_by(const void *at, size_t size, uintptr_t pc) { observed_range(at, size, READS | RANGE, pc); }
static void written_by(const void *at, size_t size, uintptr_t pc) { observed_range(at, size, WRITES | RANGE, pc); }

static void *our_memcpy(void *to, const void *from, size_t size)
{
    read_by(from, size, PC), written_by(to, size, PC);
    return memcpy(to, from, size);
}

static void *our_mempcpy(void *to, const void *from, size_t size)
{
    read_by(from, size, PC), written_by(to, size, PC);
    return mempcpy(to, from, size);
}

static void *our_memmove(void *to, const void *from, size_t size)
{
    read_by(from, size, PC), written_by(to, size, PC);
    return memmove(to, from, size);
}

static void *our_memset(void *to, int byte, size_t size)
{
    written_by(to, size, PC);
    return memset(to, byte, size);
}

static void our_bzero(void *to, size_t size)
{
    written_by(to, size, PC);
    memset(to, 0, size);
}

static int our_memcmp(const void *one, const void *other, size_t size)
{
    read_by(one, size, PC), read_by(other, size, PC);
    return memcmp(one, other, size);
}

static void *our_memchr(const void *at, int byte, size_t size)
{
    const char *found = memchr(at, byte, size);
    read_by(at, found != NULL ? (size_t)(found - (const char *)at) + 1 : size, PC);
    return (void *)found;
}

static size_t our_strlen(const char *text)
{
    size_t length = strlen(text);
    read_by(text, length + 1, PC);
    return length;
}

static char *our_strcpy(char *to, const char *from)
{
    size_t size = strlen(from) + 1;
    read_by(from, size, PC), written_by(to, size, PC);
    return memcpy(to, from, size);
}

static char *our_strncpy(char *to, const char *from, size_t size)
{
    size_t length = strnlen(from, size);
    read_by(from, length < size ? length + 1 : size, PC), written_by(to, size, PC);
    return strncpy(to, from, size);
}

static void *our_memcpy_chk(void *to, const void *from, size_t size, size_t room)
{
    (void)room;
    read_by(from, size, PC), written_by(to, size, PC);
    return memcpy(to, from, size);
}

static void *our_memmove_chk(void *to, const void *from, size_t size, size_t room)
{
    (void)room;
    read_by(from, size, PC), written_by(to, size, PC);
    return memmove(to, from, size);
}

static void *our_memset_chk(void *to, int byte, size_t size, size_t room)
{
    (void)room;
    written_by(to, size, PC);
    return memset(to, byte, size);
}

int interpose_memory_functions(void *handle)
{
    static const struct replacement ours[] = {
        {"memcpy", our_memcpy},
        {"mempcpy", our_mempcpy},
        {"memmove", our_memmove},
        {"memset", our_memset},
        {"bzero", our_bzero},
        {"memcmp", our_memcmp},
        {"bcmp", our_memcmp},
        {"memchr", our_memchr},
        {"strlen", our_strlen},
        {"strcpy", our_strcpy},
        {"strncpy", our_strncpy},
        {"__memcpy_chk", our_memcpy_chk},
        {"__memmove_chk", our_memmove_chk},
        {"__memset_chk", our_memset_chk},
    };
    return interpose(handle, ours, sizeof ours / sizeof *ours);
}
