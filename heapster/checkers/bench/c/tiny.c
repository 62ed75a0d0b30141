/* tiny N: start itself N times, one after the other; each time a handful of blocks, and the end.
   tiny served: print the file that this process's malloc comes from. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "workload.h"

enum { BLOCKS = 8 };
extern char **environ;

static int once(void)
{
    void *blocks[BLOCKS];
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = take((size_t)LEAST << i);
    for (size_t i = 0; i < BLOCKS; i++)
        give(blocks[i]);
    return 0;
}

static int served(void)
{
    Dl_info found;
    if (!dladdr(dlsym(RTLD_DEFAULT, "malloc"), &found))
        return 1;
    puts(found.dli_fname);
    return 0;
}

static void start(char *self)
{
    char *arguments[] = {self, "once", NULL};
    pid_t child;
    int status;
    if (posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ) || waitpid(child, &status, 0) != child)
        stop(WRONG_USE, "it cannot start itself");
    if (WIFEXITED(status) && WEXITSTATUS(status))
        _Exit(WEXITSTATUS(status));
    if (WIFSIGNALED(status))
        raise(WTERMSIG(status));
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "once"))
        return once();
    if (argc == 2 && !strcmp(argv[1], "served"))
        return served();
    size_t times = argument(argc, argv, 1, 1);
    for (size_t i = 0; i < times; i++)
        start(argv[0]);
    return done(times * 2 * BLOCKS);
}
