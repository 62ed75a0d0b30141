/* stress PATTERN THREADS SECONDS SEED MODE [LIBRARY preloaded|own]: one pattern until time is up.

   MODE is `verified` or `bare`. Every PAUSE the threads meet at a barrier, where all live blocks are
   verified and the heap is walked. Prints `ops`, `seconds`, `pauses`, `digest`s, or a finding and stacks. */

#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

enum { USAGE = 2, UNUSABLE = 4, PAUSE_MS = 250, HANG_MS = 30000, TICK_MS = 10 };

struct worker *workers;
struct shared_slot *shared;
int threads;
bool bare;
_Atomic bool pausing;

static _Atomic bool ending;
static _Atomic int arrived;
static pthread_barrier_t barrier;
static const struct pattern *pattern;
static size_t most_cached; /* blocks that waited to be used again while all threads rested */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void nap(long milliseconds)
{
    nanosleep(&(struct timespec){milliseconds / 1000, milliseconds % 1000 * 1000000}, NULL);
}

static void *map(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        exit(UNUSABLE);
    return memory;
}

static bool must_pause(void) { return atomic_load_explicit(&pausing, memory_order_relaxed); }

/* One generation: so many rounds, or until the pause. */
static void *live(void *argument)
{
    struct worker *w = argument;
    enter_watch(w);
    while (!must_pause() && (!pattern->mortal || w->rounds-- > 0))
        pattern->round(w);
    return NULL;
}

static void run_until_pause(struct worker *w)
{
    while (!must_pause()) {
        pthread_t thread;
        if (w->rounds == 0 || w->rounds > GENERATION)
            w->rounds = GENERATION;
        if (!pattern->mortal || pthread_create(&thread, NULL, live, w))
            live(w);
        else
            pthread_join(thread, NULL);
        enter_watch(w);
    }
}

static void verify_all(struct worker *w)
{
    for (int i = 0; i < SLOTS; i++)
        verify(w, &w->slots[i]);
}

static void *work(void *argument)
{
    struct worker *w = argument;
    enter_watch(w);
    while (!atomic_load(&ending)) {
        run_until_pause(w);
        verify_all(w);
        atomic_fetch_add(&arrived, 1);
        pthread_barrier_wait(&barrier); /* all rest; main looks at the heap */
        pthread_barrier_wait(&barrier);
    }
    atomic_store(&w->thread, 0);
    return NULL;
}

static uint64_t total(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < threads; i++)
        sum += atomic_load_explicit(&workers[i].ops, memory_order_relaxed);
    return sum;
}

static void hang(const char *where)
{
    say("finding hang");
    say("no thread could go on for %d seconds, %s", HANG_MS / 1000, where);
    show_stacks();
    _exit(1);
}

/* Wait while threads run; each must make progress. */
static void watch_for(long milliseconds)
{
    static uint64_t last[MOST_THREADS];
    static long still[MOST_THREADS];
    for (long waited = 0; waited < milliseconds; waited += TICK_MS) {
        nap(TICK_MS);
        for (int i = 0; i < threads; i++) {
            uint64_t ops = atomic_load_explicit(&workers[i].ops, memory_order_relaxed);
            still[i] = ops == last[i] ? still[i] + TICK_MS : 0;
            last[i] = ops;
            if (still[i] > HANG_MS)
                hang("under way");
        }
    }
}

static void rest(void)
{
    atomic_store(&pausing, true);
    for (long waited = 0; atomic_load(&arrived) < threads; waited += TICK_MS) {
        if (waited > HANG_MS)
            hang("on the way to a barrier");
        nap(waited < 100 ? 1 : TICK_MS);
    }
    pthread_barrier_wait(&barrier);
    atomic_store(&arrived, 0);
    for (int i = 0; i < SHARED; i++)
        verify(&workers[0], &shared[i].block);
    if (target.walk)
        target.walk();
}

/* Bytes of a size that threads keep, from a pause to the next: little, so that bins are often full; nothing; much. */
static void turn_cache(int pauses)
{
    static const size_t kept[] = {CACHES};
    if (target.set_cache)
        target.set_cache(kept[pauses % (int)(sizeof kept / sizeof *kept)]);
}

static void count_cached(void)
{
    size_t figures[STATS_WORDS] = {0};
    if (target.stats)
        target.stats(figures);
    if (figures[CACHED_BLOCKS] > most_cached)
        most_cached = figures[CACHED_BLOCKS];
}

static void go_on(bool last)
{
    atomic_store(&ending, last);
    atomic_store(&pausing, last);
    pthread_barrier_wait(&barrier);
}

static void start(uint64_t seed, pthread_t *ids)
{
    workers = map(sizeof *workers * (size_t)threads);
    shared = map(sizeof *shared * SHARED);
    if (pattern->crowded && target.set_arenas)
        target.set_arenas(1);
    pthread_barrier_init(&barrier, NULL, (unsigned)threads + 1);
    for (int i = 0; i < threads; i++) {
        workers[i].index = i;
        workers[i].random = (seed + 1) * 0x9E3779B97F4A7C15u ^ (uint64_t)(i + 1) * 0xD1B54A32D192ED03u;
        for (int warm = 0; warm < 8; warm++)
            draw(&workers[i]);
    }
    for (int i = 0; pattern->shares && i < SHARED; i++)
        take(&workers[0], &shared[i].block, usual_size(draw(&workers[0])));
    for (int i = 0; i < threads; i++)
        if (pthread_create(&ids[i], NULL, work, &workers[i]))
            exit(UNUSABLE);
}

static void report(double seconds, int pauses)
{
    say("ops %llu", (unsigned long long)total());
    say("seconds %.6f", seconds);
    say("pauses %d", pauses);
    say("walks %d", target.walk ? pauses : 0);
    say("cached %zu", most_cached);
    for (int i = 0; i < threads; i++)
        say("digest %d %016llx", i, (unsigned long long)(workers[i].digested == DIGESTED ? workers[i].digest : 0));
}

static void run(double seconds, uint64_t seed)
{
    pthread_t ids[MOST_THREADS];
    int pauses = 0;
    double paused = 0;
    start(seed, ids);
    double begun = now(), end = begun + seconds;
    for (bool last = false; !last; pauses++) {
        double left = (end - now()) * 1000;
        watch_for(left < PAUSE_MS ? (left > 1 ? (long)left : 1) : PAUSE_MS);
        double stopped = now();
        rest();
        count_cached();
        turn_cache(pauses);
        last = stopped >= end;
        go_on(last);
        paused += last ? 0 : now() - stopped;
    }
    report(now() - begun - paused, pauses);
    for (int i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
}

char plugin[4096];

/* It lies beside this program. */
static void find_plugin(void)
{
    static const char name[] = "plugin.so";
    ssize_t length = readlink("/proc/self/exe", plugin, sizeof plugin - sizeof name);
    char *end = length > 0 ? strrchr(plugin, '/') : NULL;
    if (!end)
        exit(UNUSABLE);
    memcpy(end + 1, name, sizeof name);
}

int main(int count, char **arguments)
{
    if (count < 6)
        return USAGE;
    pattern = find_pattern(arguments[1]);
    threads = atoi(arguments[2]);
    bare = !strcmp(arguments[5], "bare");
    if (!pattern || threads < 1 || threads > MOST_THREADS)
        return USAGE;
    install_watch();
    find_plugin();
    handle_forks_first();
    if (load_target(count > 6 ? arguments[6] : NULL, count > 7 && !strcmp(arguments[7], "preloaded")))
        return UNUSABLE;
    handle_forks_last();
    run(atof(arguments[3]), strtoull(arguments[4], NULL, 10));
    _exit(0);
}
