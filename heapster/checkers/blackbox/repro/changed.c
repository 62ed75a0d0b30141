#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What hinders it from being loaded: it forbids that, or AddressSanitizer's functions stand in for its own. */
static void change(unsigned char *object)
{
    Elf64_Phdr *part = (Elf64_Phdr *)(object + ((Elf64_Ehdr *)object)->e_phoff);
    while (part->p_type != PT_DYNAMIC)
        part++;
    Elf64_Dyn *entry = (Elf64_Dyn *)(object + part->p_offset);
    for (; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_FLAGS_1)
            entry->d_un.d_val &= ~(Elf64_Xword)DF_1_NOOPEN;
        if (SANITIZED && entry->d_tag == DT_RELACOUNT)
            entry->d_tag = DT_SYMBOLIC;
    }
    if (SANITIZED && (unsigned char *)(entry + 2) <= object + part->p_offset + part->p_filesz)
        entry->d_tag = DT_SYMBOLIC;
}

static void *no_copy(const char *path)
{
    perror(path);
    exit(2);
}

/* The object as it stands cannot be loaded: a copy of it is, the same but for a few bits. */
static void *load(const char *path)
{
    char copy[] = "/tmp/allocator-XXXXXX";
    struct stat about;
    int from = open(path, O_RDONLY), to = mkstemp(copy);
    if (from < 0 || to < 0 || fstat(from, &about) != 0)
        return no_copy(from < 0 ? path : copy);
    size_t size = (size_t)about.st_size;
    unsigned char *object = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, from, 0);
    if (object == MAP_FAILED)
        return no_copy(path);
    change(object);
    if (write(to, object, size) != (ssize_t)size)
        return no_copy(copy);
    void *library = dlopen(copy, RTLD_NOW | BINDING);
    unlink(copy);
    return library;
}
