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

static bool comes_from(void *function, const char *path) {
    Dl_info info;
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    return dladdr(function, &info) && info.dli_fname && strstr(info.dli_fname, name);
}

/* Our own library has names of its own, beside which libc's malloc stays; any other is preloaded. */
int load_target(const char *path, bool preloaded) {
    if (!path)
        return find_all(RTLD_DEFAULT, "") ? 0 : -1;
    if (preloaded)
        return find_all(RTLD_DEFAULT, "") && comes_from((void *)target.malloc, path) ? 0 : -1;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library || !find_all(library, "heapster_"))
        return -1;
    target.set_policy = dlsym(library, "heapster_set_policy");
    target.set_threshold = dlsym(library, "heapster_set_mmap_threshold");
    target.set_arenas = dlsym(library, "heapster_set_arenas");
    target.stats = dlsym(library, "heapster_stats");
    target.walk = dlsym(library, "heapster_stress_walk");
    target.strict = true;
    return 0;
}
