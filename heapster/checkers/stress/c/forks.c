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

enum {
    FORK_EVERY = 4000, /* rounds, where it is all that matters */
    HEAD_START = 24,   /* rounds until the fork, elsewhere */
    CHILD_ROUNDS = 200,
    CHILD_SECONDS = 20,
    IN_LOCK = 16,
    STREAM_EVERY = 16,
    LOADER_EVERY = 1024
};

_Atomic bool forking;
uint64_t forked;

/* What was under way in threads that are no more is left alone. */
static void be_alone(void)
{
    in_child = true, threads = 1;
    atomic_store(&forking, false);
    atomic_store(&pausing, false);
    for (int i = 0; i < SHARED; i++) {
        shared[i].block.p = NULL;
        atomic_flag_clear(&shared[i].taken);
    }
}

/* The child goes on with the pattern: itself, and where threads come and go in one that it starts. */
static void go_on_as_before(struct worker *w)
{
    pthread_t thread;
    for (int i = 0; i < CHILD_ROUNDS; i++)
        pattern->round(w);
    w->rounds = pattern->lifetime;
    if (!pattern->lifetime)
        return;
    if (pthread_create(&thread, NULL, live, w))
        finding("fork_unsafe", "no thread can be started");
    pthread_join(thread, NULL);
    enter_watch(w);
}

static void live_as_child(struct worker *w)
{
    be_alone();
    go_on_as_before(w);
    for (int i = 0; i < SLOTS; i++) {
        if (w->slots[i].p)
            release(w, &w->slots[i]);
        fill_slot(w, &w->slots[i], draw(w));
    }
    if (target.walk)
        target.walk();
    if (pattern->exits)
        end_process(w);
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

/* A few rounds of the pattern with a stream's lock. */
static void go_on_in_stream(struct worker *w)
{
    if (!w->stream && !(w->stream = fopen("/dev/null", "w")))
        finding("harness", "/dev/null cannot be opened");
    flockfile(w->stream);
    for (int i = 0; i < IN_LOCK; i++)
        pattern->round(w);
    funlockfile(w->stream);
}

/* A few rounds with the loader's lock: `plugin.c` calls this from its constructor. */
static _Thread_local struct worker *loading;

void stress_while_loading(void);
void stress_while_loading(void)
{
    for (int i = 0; loading && i < IN_LOCK; i++)
        pattern->round(loading);
}

static void go_on_in_loader(struct worker *w)
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

static void fork_now(struct worker *w)
{
    pid_t child = fork();
    if (child == 0)
        live_as_child(w);
    if (child > 0)
        forked++, await_child(child);
    else if (errno != EAGAIN && errno != ENOMEM)
        finding("fork_unsafe", "fork: %s", strerror(errno));
}

/* A round of the pattern, sometimes with a lock of the C library's that a fork needs; thread 0 forks. */
void beside_a_fork(struct worker *w)
{
    if (pattern->forks)
        pthread_once(&flushing, start_flushing);
    uint64_t round = w->forking_rounds++;
    if (pattern->reclaims && w->index != 0 && w->index == threads - 1)
        pattern->round(w); /* streams and the loader would have it allocate */
    else if (round % STREAM_EVERY == 0)
        go_on_in_stream(w);
    else if (w->index != 0 && round % LOADER_EVERY == 1)
        go_on_in_loader(w);
    else
        pattern->round(w);
    if (w->index != 0 || (round + 1) % (pattern->forks ? FORK_EVERY : HEAD_START))
        return;
    fork_now(w);
    atomic_store(&forking, pattern->forks);
}
