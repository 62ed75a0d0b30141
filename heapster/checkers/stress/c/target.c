/* Finds the allocator's functions: in a library under its own names, or those that the program itself has. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"

struct target target;

static void *find(void *library, const char *prefix, const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    return dlsym(library, full);
}

static bool find_all(void *library, const char *prefix)
{
#define FIND(number, name, symbol) *(void **)&target.name = find(library, prefix, #symbol);
    EACH_CALL(FIND)
#undef FIND
    return target.malloc && target.free && target.calloc && target.realloc;
}

static const char *home(void *function, void **base)
{
    Dl_info info;
    if (!function || !dladdr(function, &info))
        return "";
    *base = info.dli_fbase;
    return info.dli_fname ? info.dli_fname : "";
}

/* What the library lacks, libc has: but a block of libc's would not be the library's to free. */
static bool keep_what_it_has(const char *path)
{
    void *base = NULL, *other = NULL;
    const char *name = strrchr(path, '/');
    if (!strstr(home((void *)target.malloc, &base), name ? name + 1 : path))
        return false;
#define KEEP(number, name, symbol)                                                                                     \
    if (home((void *)target.name, &other), other != base)                                                              \
        target.name = NULL;
    EACH_CALL(KEEP)
#undef KEEP
    return target.free && target.calloc && target.realloc;
}

/* What has names of its own stands beside libc's malloc, as our own library does; any other is preloaded. */
int load_target(const char *path, const char *prefix)
{
    if (!path)
        return find_all(RTLD_DEFAULT, "") ? 0 : -1;
    if (!prefix)
        return find_all(RTLD_DEFAULT, "") && keep_what_it_has(path) ? 0 : -1;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library || !find_all(library, prefix))
        return -1;
    if (strcmp(prefix, "heapster_"))
        return 0;
    target.set_policy = dlsym(library, "heapster_set_policy");
    target.set_threshold = dlsym(library, "heapster_set_mmap_threshold");
    target.set_arenas = dlsym(library, "heapster_set_arenas");
    target.set_cache = dlsym(library, "heapster_set_cache");
    target.stats = dlsym(library, "heapster_stats");
    target.walk = dlsym(library, "heapster_stress_walk");
    target.strict = true;
    return 0;
}
