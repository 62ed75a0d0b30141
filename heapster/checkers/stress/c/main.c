/* stress PATTERN THREADS SECONDS SEED MODE [LIBRARY [PREFIX]]: one pattern until time is up.

   MODE is `verified` or `bare`. Every so often the threads meet at a barrier, where all live blocks are verified
   and the heap is walked; then each gives back what another holds, and what memory the process has is a `sample`.
   Prints these, `ops`, `seconds`, `pauses`, `digest`s, or a finding and stacks. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

enum {
    USAGE = 2,
    UNUSABLE = 4,
    FORK_RESTS = 2,   /* from a fork to the next, */
    FORK_TURNS = 64,  /* and where rests come with turns */
    LEAST_RESTS = 12, /* to tell growth from a warm-up: a loaded machine is given twice the time for them */
    PAUSES = 40,      /* of a run, */
    LEAST_PAUSE_MS = 10,
    MOST_PAUSE_MS = 250, /* from one to the next */
    HANG_MS = 30000,
    TICK_MS = 10,
    ENOUGH = 256 << 20 /* bytes of growth: no more need be seen */
};

struct worker *workers;
struct shared_slot *shared;
int threads;
bool bare;
_Atomic bool pausing;
const struct pattern *pattern;

static _Atomic bool ending;
static _Atomic int arrived;
static pthread_barrier_t barrier;
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

static void step(struct worker *w)
{
    if (atomic_load_explicit(&forking, memory_order_relaxed))
        beside_a_fork(w);
    else
        pattern->round(w);
}

/* One generation: so many rounds, or until the pause. */
void *live(void *argument)
{
    struct worker *w = argument;
    enter_watch(w);
    if (pattern->born)
        pattern->born(w);
    while (!must_pause() && (!pattern->lifetime || w->rounds-- > 0))
        step(w);
    if (pattern->dying)
        pattern->dying(w);
    return NULL;
}

static void live_and_die(struct worker *w)
{
    pthread_t thread;
    if (w->rounds == 0 || w->rounds > pattern->lifetime)
        w->rounds = pattern->lifetime;
    if (pthread_create(&thread, NULL, live, w))
        finding("harness", "no thread can be started");
    pthread_join(thread, NULL);
    w->lives++;
    enter_watch(w);
}

static void run_until_pause(struct worker *w)
{
    if (!pattern->lifetime)
        live(w);
    for (unsigned lives = 0; pattern->lifetime && !must_pause() && (!pattern->turn || lives < pattern->turn); lives++)
        live_and_die(w);
}

static void verify_all(struct worker *w)
{
    for (int i = 0; i < SLOTS; i++)
        verify(w, &w->slots[i]);
}

/* All that the next thread holds, and what is under way to this one. */
static void empty(struct worker *w)
{
    struct block b;
    struct worker *next = &workers[(w->index + 1) % threads];
    for (int i = 0; i < SLOTS; i++)
        clear_away(w, &next->slots[i]);
    while (pop(&w->inbox, &b))
        clear_away(w, &b);
}

static void rest_until_told(void)
{
    atomic_fetch_add(&arrived, 1);
    pthread_barrier_wait(&barrier); /* all rest; main looks at the heap */
    pthread_barrier_wait(&barrier);
}

static void *work(void *argument)
{
    struct worker *w = argument;
    enter_watch(w);
    while (!atomic_load(&ending)) {
        run_until_pause(w);
        verify_all(w);
        rest_until_told();
        empty(w);
        rest_until_told();
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

static bool digests_are_whole(void)
{
    for (int i = 0; i < threads; i++)
        if (workers[i].digested < DIGESTED)
            return false;
    return true;
}

/* Wait while threads run, until all have had their turn, or for so long, and so much longer until the digests are
   whole; each must make progress. */
static void watch_for(long milliseconds, long longer)
{
    static uint64_t last[MOST_THREADS];
    static long still[MOST_THREADS];
    long most = milliseconds + longer;
    for (long waited = 0, tick; waited < milliseconds || (waited < most && !digests_are_whole()); waited += tick) {
        if (atomic_load(&arrived) == threads)
            return;
        nap(tick = waited < TICK_MS ? 1 : TICK_MS);
        for (int i = 0; i < threads; i++) {
            uint64_t ops = atomic_load_explicit(&workers[i].ops, memory_order_relaxed);
            still[i] = ops == last[i] ? still[i] + tick : 0;
            last[i] = ops;
            if (still[i] > HANG_MS)
                hang("under way");
        }
    }
}

static void await_all(void)
{
    for (long waited = 0; atomic_load(&arrived) < threads; waited += waited < 100 ? 1 : TICK_MS) {
        if (waited > HANG_MS)
            hang("on the way to a barrier");
        nap(waited < 100 ? 1 : TICK_MS);
    }
    pthread_barrier_wait(&barrier);
    atomic_store(&arrived, 0);
    if (target.walk)
        target.walk();
}

/* Bytes of memory that the process has; asked without the target. */
static size_t resident(void)
{
    char text[128] = "";
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t length = file >= 0 ? read(file, text, sizeof text - 1) : -1;
    if (file >= 0)
        close(file);
    char *second = length > 0 ? strchr(text, ' ') : NULL;
    return second ? strtoull(second, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

/* With every block given back; whether no more need be seen. */
static bool sample(void)
{
    static size_t least;
    size_t bytes = resident();
    if (!least || bytes < least)
        least = bytes;
    say("sample %llu %zu", (unsigned long long)total(), bytes);
    return bytes > least + ENOUGH;
}

/* First with what lives, then with every block given back; whether that is enough. */
static bool rest(void)
{
    atomic_store(&pausing, true);
    await_all();
    for (int i = 0; i < SHARED; i++)
        verify(&workers[0], &shared[i].block);
    pthread_barrier_wait(&barrier);
    await_all();
    return sample();
}

/* Bytes of a size that threads keep, from a pause to the next: little, so that bins are often full; nothing; much.
   Who has set them means them. */
static void turn_cache(int pauses)
{
    static const size_t kept[] = {CACHES};
    if (target.set_cache && getenv("HEAPSTER_CACHE") == NULL)
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

static void go_on(int pauses, bool last)
{
    atomic_store(&ending, last);
    atomic_store(&pausing, last);
    if (pauses % (pattern->turn ? FORK_TURNS : FORK_RESTS) == 0)
        atomic_store(&forking, true);
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
    say("walks %d", target.walk ? 2 * pauses : 0);
    say("forks %llu", (unsigned long long)forked);
    uint64_t lives = 0;
    for (int i = 0; i < threads; i++)
        lives += workers[i].lives;
    say("lives %llu", (unsigned long long)lives);
    say("cached %zu", most_cached);
    for (int i = 0; i < threads; i++)
        say("digest %d %016llx", i, (unsigned long long)(workers[i].digested == DIGESTED ? workers[i].digest : 0));
}

/* Milliseconds. */
static long until_pause(double seconds, double end)
{
    double pause = seconds * 1000 / PAUSES, left = (end - now()) * 1000;
    pause = pause < LEAST_PAUSE_MS ? LEAST_PAUSE_MS : pause > MOST_PAUSE_MS ? MOST_PAUSE_MS : pause;
    return left > pause || left < 1 ? (long)pause : (long)left;
}

static void run(double seconds, uint64_t seed)
{
    pthread_t ids[MOST_THREADS];
    int pauses = 0;
    double paused = 0;
    start(seed, ids);
    double begun = now(), end = begun + seconds;
    for (bool last = false; !last; pauses++) {
        watch_for(until_pause(seconds, end), pauses ? 0 : (long)(seconds * 1000 / 4));
        double stopped = now();
        last = rest() || (stopped >= end && (bare || pauses >= LEAST_RESTS || stopped >= end + seconds));
        count_cached();
        turn_cache(pauses);
        go_on(pauses, last);
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
    make_key();
    handle_exit();
    if (load_target(count > 6 ? arguments[6] : NULL, count > 7 ? arguments[7] : NULL))
        return UNUSABLE;
    handle_forks_last();
    make_key();
    handle_exit();
    run(atof(arguments[3]), strtoull(arguments[4], NULL, 10));
    _exit(0);
}
