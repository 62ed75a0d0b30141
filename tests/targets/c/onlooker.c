/* A client of the hooks: loads an object, calls its `work`, and prints a line for each thing that it is told. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>

#include "hooks.h"

static char *base;

static void on_access(uintptr_t address, size_t size, unsigned flags, uintptr_t pc)
{
    (void)pc;
    printf("access %ld %zu %u depth %u\n", (long)((char *)address - base), size, flags, call_path->depth);
}

static void on_atomic(uintptr_t address, size_t size, enum atomic_kind kind, int order, uintptr_t pc)
{
    (void)pc;
    printf("atomic %ld %zu %d %d\n", address != 0 ? (long)((char *)address - base) : -1, size, kind, order);
}

static void on_enter(uintptr_t caller)
{
    (void)caller;
    puts("enter");
}
static void on_exit(void) { puts("exit"); }

int main(int argc, char **argv)
{
    static const struct observer client = {on_access, on_atomic, on_enter, on_exit};
    void *handle = dlopen(argv[argc - 1], RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (handle == NULL)
        return puts(dlerror()), 2;
    base = dlsym(handle, "memory");
    int replaced = interpose_memory_functions(handle);
    int (*work)(void) = (int (*)(void))dlsym(handle, "work");
    int alone = work();
    observe(&client);
    int watched = work();
    observe(NULL);
    printf("%d %d %d\n", replaced, alone, watched);
    return 0;
}
