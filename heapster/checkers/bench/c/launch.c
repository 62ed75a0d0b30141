/* launch DESCRIPTOR LIBRARY PROGRAM [ARGUMENT]...: run the program with LIBRARY preloaded, unless it is empty, and
   write to DESCRIPTOR: how it ended (as wait says), microseconds of processor time, user and system, and its peak
   of memory in KiB; each of them with its own children.

   A process of its own, because a child inherits the peak of whoever forks it, and an interpreter's is large. */

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CANNOT_RUN = 127 };
#define MOST_DATA ((rlim_t)8 << 30) /* bytes; an allocator that runs away does not take the machine along */

static void become(const char *library, char **command)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    setrlimit(RLIMIT_DATA, &(struct rlimit){MOST_DATA, MOST_DATA});
    if (*library)
        setenv("LD_PRELOAD", library, 1);
    execv(command[0], command);
    _exit(CANNOT_RUN);
}

static long microseconds(struct timeval time) { return time.tv_sec * 1000000 + time.tv_usec; }

int main(int argc, char **argv)
{
    if (argc < 4)
        return CANNOT_RUN;
    int descriptor = atoi(argv[1]), status;
    struct rusage used;
    pid_t child = fork();
    if (child == 0) {
        close(descriptor);
        become(argv[2], argv + 3);
    }
    if (child < 0 || wait4(child, &status, 0, &used) != child)
        return CANNOT_RUN;
    dprintf(descriptor, "%d %ld %ld\n", status, microseconds(used.ru_utime) + microseconds(used.ru_stime),
            used.ru_maxrss);
    return 0;
}
