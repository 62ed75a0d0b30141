/* The counters of a target that was compiled with them (targets/c/counters.h): told before a case is gone, however it
   goes. Of a target without, nothing here does anything. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "counters.h"
#include "hooks.h"
#include "judge.h"

static void (*tell)(void);
static sigjmp_buf back;
static volatile sig_atomic_t telling;

int counts_lines(void) { return tell != NULL; }

void tell_counters(void)
{
    if (tell == NULL || telling)
        return;
    telling = 1;
    if (sigsetjmp(back, 1) == 0)
        tell(); /* once: the second time it does nothing */
    telling = 0;
}

void counters_fault(void)
{
    if (telling)
        siglongjmp(back, 1); /* what the target has written over the counters is not its case's end */
    tell_counters();
}

static void on_end(int number)
{
    counters_fault();
    signal(number, SIG_DFL);
    raise(number);
}

static void leave(int status)
{
    tell_counters();
    _exit(status);
}

static void leave_orderly(int status)
{
    tell_counters();
    exit(status);
}

void counters_load(void *handle)
{
    static const struct replacement ends[] = {{"_exit", leave}, {"_Exit", leave}, {"exit", leave_orderly}};
    *(void **)&tell = dlsym(handle, TELL_COUNTERS);
    if (tell != NULL)
        interpose(handle, ends, sizeof ends / sizeof *ends);
}

void counters_watch(void)
{
    static const int ends[] = {SIGABRT, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGTERM};
    struct sigaction action = {.sa_handler = on_end, .sa_flags = SA_ONSTACK};
    for (size_t n = 0; tell != NULL && n < sizeof ends / sizeof *ends; n++)
        sigaction(ends[n], &action, NULL);
}
