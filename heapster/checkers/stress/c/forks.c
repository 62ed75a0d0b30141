/* Forks while other threads allocate, and own locks of the C library's meanwhile. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

enum { FORK_EVERY = 4000, CHILD_SECONDS = 20, IN_LOCK = 16, STREAM_EVERY = 16, LOADER_EVERY = 1024 };

static void live_as_child(struct worker *w)
{
    for (int i = 0; i < SLOTS; i++) {
        if (w->slots[i].p)
            release(w, &w->slots[i]);
        fill_slot(w, &w->slots[i], draw(w));
    }
    if (target.walk)
        target.walk();
    for (int i = 0; i < SLOTS; i++)
        release(w, &w->slots[i]);
    _exit(0);
}

static void await_child(pid_t child)
{
    int status = 0;
    for (int waited = 0; waited < CHILD_SECONDS * 1000; waited++) {
        pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child) {
            if (WIFEXITED(status) && WEXITSTATUS(status) == HARNESS_FAULT)
                harness_misuse();
            if (status)
                finding("fork_unsafe", "a forked child ended with status %#x", (unsigned)status);
            return;
        }
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    kill(child, SIGUSR2);
    nanosleep(&(struct timespec){1, 0}, NULL);
    kill(child, SIGKILL);
    finding("fork_hang", "a forked child was still running after %d seconds", CHILD_SECONDS);
}

/* Streams are flushed all the time: that owns the list of them, and waits for each. */
static void *flush_streams(void *unused)
{
    for (;;) {
        fflush(NULL);
        sched_yield();
    }
    return unused;
}

static pthread_once_t flushing = PTHREAD_ONCE_INIT;

static void start_flushing(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, flush_streams, NULL))
        finding("harness", "no thread to flush streams");
}

/* A few rounds with a stream's lock. */
static void churn_in_stream(struct worker *w)
{
    if (!w->stream && !(w->stream = fopen("/dev/null", "w")))
        finding("harness", "/dev/null cannot be opened");
    flockfile(w->stream);
    for (int i = 0; i < IN_LOCK; i++)
        churn(w);
    funlockfile(w->stream);
}

/* A few rounds with the loader's lock: `plugin.c` calls this from its constructor. */
static _Thread_local struct worker *loading;

void stress_while_loading(void);
void stress_while_loading(void)
{
    for (int i = 0; loading && i < IN_LOCK; i++)
        churn(loading);
}

static void churn_in_loader(struct worker *w)
{
    loading = w;
    void *library = dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
    loading = NULL;
    if (!library)
        finding("harness", "%s", dlerror());
    dlclose(library);
}

/* Handlers of others may do anything before a fork: take locks that others own while they allocate, and allocate.
   The first is registered before the target is there, where that can be: so it runs after the target's. */
static void nothing(void) {}

static void take_locks(void)
{
    void *self = dlopen(NULL, RTLD_NOW);
    if (self)
        dlclose(self);
    atexit(nothing);
    fflush(NULL);
}

static void allocate(void)
{
    for (size_t size = 16; size < 100000; size *= 3)
        target.free(target.malloc(size));
}

void handle_forks_first(void) { pthread_atfork(take_locks, NULL, NULL); }
void handle_forks_last(void) { pthread_atfork(allocate, allocate, allocate); }

/* As churn, sometimes with a lock of the C library's that a fork needs; thread 0 forks, and the child goes on with what
   it inherited. */
void forks(struct worker *w)
{
    pthread_once(&flushing, start_flushing);
    uint64_t round = w->forking_rounds++;
    if (round % STREAM_EVERY == 0)
        churn_in_stream(w);
    else if (w->index != 0 && round % LOADER_EVERY == 1)
        churn_in_loader(w);
    else
        churn(w);
    if (w->index != 0 || round % FORK_EVERY)
        return;
    pid_t child = fork();
    if (child == 0)
        live_as_child(w);
    if (child > 0)
        await_child(child);
    else if (errno != EAGAIN && errno != ENOMEM)
        finding("fork_unsafe", "fork: %s", strerror(errno));
}
