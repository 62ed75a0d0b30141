/* The target: loaded into a scope of its own, its calls turned to ours. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>

#include "scheduler.h"

struct functions target;

int load_target(const char *path)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (handle == NULL) {
        snprintf(shared->message, sizeof shared->message, "%s", dlerror());
        return -1;
    }
    void **found[] = {(void **)&target.malloc,  (void **)&target.calloc, (void **)&target.aligned_alloc,
                      (void **)&target.realloc, (void **)&target.free,   (void **)&target.usable_size,
                      (void **)&target.init};
    for (size_t i = 0; i < sizeof found / sizeof *found; i++)
        *found[i] = shared->names[i][0] != 0 ? dlsym(handle, shared->names[i]) : NULL;
    struct link_map *map = NULL;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map != NULL)
        shared->base = map->l_addr;
    if (target.malloc == NULL || target.free == NULL) {
        snprintf(shared->message, sizeof shared->message, "it defines no %s", shared->names[target.malloc ? 4 : 0]);
        return -1;
    }
    if (interpose_memory_functions(handle) < 0 || interpose_locks(handle) < 0 || interpose_waits(handle) < 0
        || interpose_threads(handle) < 0 || interpose_cplusplus(handle) < 0 || interpose_keys(handle) < 0
        || interpose_system(handle) < 0) {
        snprintf(shared->message, sizeof shared->message, "its calls cannot be taken over");
        return -1;
    }
    return 0;
}
