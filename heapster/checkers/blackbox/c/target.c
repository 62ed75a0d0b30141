/* The stranger: loaded into a scope of its own, and asked only for what it defines itself. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "judge.h"
#include "malloclab/memlib.h"
#include "observing.h"
#include "snapshot.h"

struct target target;

static void *symbol(void *handle, unsigned verb)
{
    const char *name = shared->names[verb];
    if (name[0] == 0)
        return NULL;
    void *found = dlsym(handle, name);
    if (found != NULL)
        shared->has |= (uint64_t)1 << verb;
    return found;
}

/* The free of an allocator that has none: it never takes a block back. */
static void takes_nothing_back(void *block) { (void)block; }

int load_target(const char *path)
{
    observing_loads(path);
    int deep = dlsym(RTLD_DEFAULT, "__asan_init") == NULL ? RTLD_DEEPBIND : 0; /* its runtime forbids it */
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | deep);
    if (handle == NULL) {
        snprintf(shared->message, sizeof shared->message, "%s", dlerror());
        return -1;
    }
    counters_load(handle);
    snapshot_loaded(handle);
    shared->has = 0;
#define LOAD(number, name, symbol_in_c) *(void **)&target.name = symbol(handle, number);
    EACH_CALL(LOAD)
#undef LOAD
    *(void **)&target.init = symbol(handle, INIT);
    *(void **)&target.check = symbol(handle, CHECK);
    *(void **)&target.bounds = dlsym(handle, "heapster_adapter_bounds");
    if (target.malloc == NULL || (target.free == NULL && shared->names[OP_FREE][0] != 0)) {
        snprintf(shared->message, sizeof shared->message, "it defines no %s",
                 shared->names[target.malloc ? OP_FREE : OP_MALLOC]);
        return -1;
    }
    if (target.free == NULL)
        target.free = takes_nothing_back;
    observing_start(handle);
    edges_load(*(void **)&target.malloc);
    return 0;
}

int start_target(void)
{
    observing_chooses();
    mem_init();
    fence_watch();
    counters_watch();
    if (target.bounds != NULL && shared->guarded >= BOUNDED) {
        target.bounds(&fence);
        fence_start();
        observing_bounds();
    }
    if (target.init == NULL)
        return 0;
    enter(CALLING);
    observing_begins(NULL, NULL, 0);
    int failed = target.init(NULL, NULL) != 0 && shared->init_answers;
    observing_ends(NULL, 0, NULL);
    shared->init_failed = (uint64_t)failed;
    return failed;
}
