/* Calls of a loaded object, turned to functions of ours in its own table of addresses (its GOT). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hooks.h"

#if UINTPTR_MAX == UINT64_MAX
#define SYMBOL_OF(info) ELF64_R_SYM(info)
#define KIND_OF(info) ELF64_R_TYPE(info)
#else
#define SYMBOL_OF(info) ELF32_R_SYM(info)
#define KIND_OF(info) ELF32_R_TYPE(info)
#endif

#if defined __x86_64__
#define HOLDS_ADDRESS(kind) ((kind) == R_X86_64_JUMP_SLOT || (kind) == R_X86_64_GLOB_DAT || (kind) == R_X86_64_64)
#elif defined __i386__
#define HOLDS_ADDRESS(kind) ((kind) == R_386_JMP_SLOT || (kind) == R_386_GLOB_DAT || (kind) == R_386_32)
#elif defined __aarch64__
#define HOLDS_ADDRESS(kind) ((kind) == R_AARCH64_JUMP_SLOT || (kind) == R_AARCH64_GLOB_DAT || (kind) == R_AARCH64_ABS64)
#else
#define HOLDS_ADDRESS(kind) 0
#endif

struct tables {
    const char *names;
    const ElfW(Sym) * symbols;
    uintptr_t base;
};

static const ElfW(Dyn) * entry(const struct link_map *map, long tag)
{
    for (const ElfW(Dyn) *at = map->l_ld; at->d_tag != DT_NULL; at++)
        if (at->d_tag == tag)
            return at;
    return NULL;
}

static uintptr_t address(const struct link_map *map, long tag)
{
    const ElfW(Dyn) *found = entry(map, tag);
    return found != NULL ? (uintptr_t)found->d_un.d_ptr : 0;
}

static size_t size_of(const struct link_map *map, long tag)
{
    const ElfW(Dyn) *found = entry(map, tag);
    return found != NULL ? (size_t)found->d_un.d_val : 0;
}

/* Tables that became read-only once the object was loaded stay writable: it is to be judged, not to be guarded. */
static int write_address(uintptr_t slot, void *value)
{
    uintptr_t page = slot & ~((uintptr_t)getpagesize() - 1);
    if (mprotect((void *)page, (size_t)getpagesize() * 2, PROT_READ | PROT_WRITE) != 0
        && mprotect((void *)page, (size_t)getpagesize(), PROT_READ | PROT_WRITE) != 0)
        return 0;
    *(void **)slot = value;
    return 1;
}

static int replace_one(const struct tables *tables, uintptr_t offset, uintptr_t info,
                       const struct replacement *replacements, size_t count)
{
    const ElfW(Sym) *symbol = &tables->symbols[SYMBOL_OF(info)];
    if (!HOLDS_ADDRESS(KIND_OF(info)) || symbol->st_shndx != SHN_UNDEF)
        return 0; /* what it defines itself is its own */
    for (size_t i = 0; i < count; i++)
        if (strcmp(tables->names + symbol->st_name, replacements[i].name) == 0)
            return write_address(tables->base + offset, replacements[i].by);
    return 0;
}

/* The relocations of one table, with or without addends. */
static int replace_in(const struct tables *tables, uintptr_t at, size_t bytes, size_t each,
                      const struct replacement *replacements, size_t count)
{
    int replaced = 0;
    for (size_t done = 0; each != 0 && done + each <= bytes; done += each) {
        const ElfW(Rel) *relocation = (const ElfW(Rel) *)(at + done);
        replaced += replace_one(tables, relocation->r_offset, relocation->r_info, replacements, count);
    }
    return replaced;
}

int interpose(void *handle, const struct replacement *replacements, size_t count)
{
    struct link_map *map = NULL;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 || map == NULL)
        return -1;
    struct tables tables = {(const char *)address(map, DT_STRTAB), (const ElfW(Sym) *)address(map, DT_SYMTAB),
                            map->l_addr};
    if (tables.names == NULL || tables.symbols == NULL)
        return -1;
    size_t each = size_of(map, DT_PLTREL) == DT_RELA ? sizeof(ElfW(Rela)) : sizeof(ElfW(Rel));
    return replace_in(&tables, address(map, DT_JMPREL), size_of(map, DT_PLTRELSZ), each, replacements, count)
           + replace_in(&tables, address(map, DT_RELA), size_of(map, DT_RELASZ), sizeof(ElfW(Rela)), replacements,
                        count)
           + replace_in(&tables, address(map, DT_REL), size_of(map, DT_RELSZ), sizeof(ElfW(Rel)), replacements, count);
}
