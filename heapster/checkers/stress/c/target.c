/* Finds the allocator's functions: in a library under its own names, or those that the program itself has. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"

struct target target;

static void *find(void *library, const char *prefix, const char *name) {
    char full[64];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    return dlsym(library, full);
}

static bool find_all(void *library, const char *prefix) {
    target.malloc = find(library, prefix, "malloc");
    target.free = find(library, prefix, "free");
    target.calloc = find(library, prefix, "calloc");
    target.realloc = find(library, prefix, "realloc");
    target.aligned_alloc = find(library, prefix, "aligned_alloc");
    target.posix_memalign = find(library, prefix, "posix_memalign");
    target.usable_size = find(library, prefix, "malloc_usable_size");
    return target.malloc && target.free && target.calloc && target.realloc;
}

static const char *home(void *function, void **base) {
    Dl_info info;
    if (!function || !dladdr(function, &info))
        return "";
    *base = info.dli_fbase;
    return info.dli_fname ? info.dli_fname : "";
}

/* What the library lacks, libc has: but a block of libc's would not be the library's to free. */
static bool keep_what_it_has(const char *path) {
    void *base = NULL, *other = NULL;
    const char *name = strrchr(path, '/');
    if (!strstr(home((void *)target.malloc, &base), name ? name + 1 : path))
        return false;
    void *needed[] = {(void *)target.free, (void *)target.calloc, (void *)target.realloc};
    for (int i = 0; i < 3; i++)
        if (home(needed[i], &other), other != base)
            return false;
    if (home((void *)target.aligned_alloc, &other), other != base)
        target.aligned_alloc = NULL;
    if (home((void *)target.posix_memalign, &other), other != base)
        target.posix_memalign = NULL;
    if (home((void *)target.usable_size, &other), other != base)
        target.usable_size = NULL;
    return true;
}

/* Our own library has names of its own, beside which libc's malloc stays; any other is preloaded. */
int load_target(const char *path, bool preloaded) {
    if (!path)
        return find_all(RTLD_DEFAULT, "") ? 0 : -1;
    if (preloaded)
        return find_all(RTLD_DEFAULT, "") && keep_what_it_has(path) ? 0 : -1;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library || !find_all(library, "heapster_"))
        return -1;
    target.set_policy = dlsym(library, "heapster_set_policy");
    target.set_threshold = dlsym(library, "heapster_set_mmap_threshold");
    target.set_arenas = dlsym(library, "heapster_set_arenas");
    target.set_cache = dlsym(library, "heapster_set_cache");
    target.stats = dlsym(library, "heapster_stats");
    target.walk = dlsym(library, "heapster_stress_walk");
    target.strict = true;
    return 0;
}
