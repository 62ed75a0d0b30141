/* The allocator's life in a process: settings from the environment, forks, statistics at the end.

   Zeroed statics are a legal start, so allocations that come before this constructor are served. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "heapster.h"
#include "layout.h"
#include "report.h"
#include "words.h"

#ifndef BUILT_POLICY /* what `heapster build` was told */
#define BUILT_POLICY DEFAULT_POLICY
#endif
#ifndef BUILT_THRESHOLD
#define BUILT_THRESHOLD DEFAULT_THRESHOLD
#endif
#ifndef BUILT_ARENAS
#define BUILT_ARENAS DEFAULT_ARENAS
#endif

#ifndef BUILT_CACHE
#define BUILT_CACHE DEFAULT_CACHE
#endif
#ifndef BUILT_KEEP
#define BUILT_KEEP DEFAULT_KEEP
#endif
#ifndef BUILT_HARDENED
#define BUILT_HARDENED 0
#endif

enum {
    EVERY_PROCESS = 1,
    HIGH_DESCRIPTOR = 100,    /* programs close stderr before the end; a copy up here survives */
    MOST_PROCESSES = 1 << 22, /* Linux numbers no more */
    MOST_SIGNAL = 64,
    STATS_TEXT = 1 << 15 /* room for the figures of all arenas */
};

static const char *const policies[] = {POLICY_NAMES};
static pid_t stats_process;       /* whose statistics are wanted: 0 nobody's, EVERY_PROCESS everybody's */
static int stats_descriptor = -1; /* a copy of stderr, for what is told at the end */
static struct stat stats_stream;  /* what that is: a program may close the copy, and give its number to a file */
static int table_wanted;
static const char *stats_file;
static sem_t stats_wanted;

static void start_stats_signal(int number);

/* Says so once: the programs that this one starts do not inherit the bad value. */
static void reject(const char *variable, const char *value, const char *expected)
{
    SAY(STDERR_FILENO, TEXT("heapster: "), TEXT(variable), TEXT("="), TEXT(value), TEXT(" ignored: "), TEXT(expected));
    unsetenv(variable);
}

/* Whether the variable holds a decimal number from `least` to `most`; reported if it holds something else. */
static int read_number(const char *variable, word least, word most, const char *expected, word *out)
{
    const char *value = getenv(variable);
    if (!value || !*value)
        return 0;
    word number = 0;
    const char *digit = value;
    for (; *digit >= '0' && *digit <= '9' && number <= most; digit++)
        number = number * 10 + (*digit - '0');
    if (*digit || number < least || number > most) {
        reject(variable, value, expected);
        return 0;
    }
    *out = number;
    return 1;
}

static void read_policy(void)
{
    const char *value = getenv("HEAPSTER_POLICY");
    if (!value || !*value)
        return;
    for (word policy = 0; policy < POLICY_COUNT; policy++)
        if (!strcmp(value, policies[policy])) {
            heapster_word_set_policy(policy);
            return;
        }
    reject("HEAPSTER_POLICY", value, "one of " POLICY_LIST);
}

static void read_stats_settings(void)
{
    word process;
    const char *file = getenv("HEAPSTER_STATS_FILE");
    if (file && *file) {
        stats_file = file;
        stats_process = EVERY_PROCESS;
    }
    if (read_number("HEAPSTER_STATS", 0, MOST_PROCESSES, "1, 0 or the number of a process", &process)) {
        stats_process = (pid_t)process;
        table_wanted = 1;
    }
    if ((table_wanted || stats_file) && !fstat(STDERR_FILENO, &stats_stream))
        stats_descriptor = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, HIGH_DESCRIPTOR);
    word number;
    if (read_number("HEAPSTER_STATS_SIGNAL", 1, MOST_SIGNAL, "the number of a signal", &number))
        start_stats_signal((int)number);
}

static void read_environment(void)
{
    word number;
    read_policy();
    if (read_number("HEAPSTER_MMAP_THRESHOLD", 0, MAX_REQUEST, "a number of bytes", &number))
        heapster_word_set_threshold(number);
    if (read_number("HEAPSTER_CACHE", 0, MAX_CACHE, "a number of bytes up to 1048576; 0 for no caches", &number))
        heapster_word_set_cache(number);
    if (read_number("HEAPSTER_KEEP", 0, MAX_REQUEST, "a number of bytes; 0 to keep no mapping", &number))
        heapster_word_set_keep(number);
    if (read_number("HEAPSTER_ARENAS", 1, MAX_ARENAS, "a number from 1 to 64", &number))
        heapster_word_set_arenas(number);
    read_stats_settings();
}

void heapster_before_memory(void);

/* A key's destructor runs when a thread ends, if the thread has set a value. Keys below 32 need no memory. */
static pthread_key_t thread_key;
static pthread_once_t thread_key_made = PTHREAD_ONCE_INIT;

static void end_thread(void *value)
{
    (void)value;
    heapster_word_thread_end();
}

static void make_thread_key(void) { pthread_key_create(&thread_key, end_thread); }

/* No lock of ours is owned across a fork, which waits for locks of others; the child mends the heap. Its handler is
   registered by the first that asks for memory, or when we are loaded: what others register later may allocate. */
static pthread_once_t fork_handled = PTHREAD_ONCE_INIT;

static void handle_forks(void) { pthread_atfork(NULL, NULL, heapster_word_after_fork_in_child); }

/* Whether the heap is hardened is settled before there is any block. Each thread comes here first, the first of all
   while the program is being loaded, when the C library may have no environment yet. */
static pthread_once_t hardening_read = PTHREAD_ONCE_INIT;

/* Whether what the kernel kept of the environment has the variable, with the value 1. */
static int was_started_hardened(void)
{
    static const char wanted[] = "HEAPSTER_HARDEN=1";
    char piece[4096], seen[sizeof wanted];
    ssize_t length;
    size_t at = 0; /* in the variable that is being read */
    int found = 0, file = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    while (!found && (length = read(file, piece, sizeof piece)) > 0)
        for (ssize_t i = 0; i < length; i++) {
            if (at < sizeof seen)
                seen[at] = piece[i];
            at++;
            if (!piece[i]) {
                found |= at == sizeof wanted && !memcmp(seen, wanted, sizeof wanted);
                at = 0;
            }
        }
    close(file);
    return found;
}

static void read_hardening(void)
{
    word number = 0;
    if (BUILT_HARDENED)
        number = 1;
    else if (!environ)
        number = was_started_hardened();
    else
        read_number("HEAPSTER_HARDEN", 0, 1, "1 or 0", &number);
    heapster_before_memory();
    if (number)
        heapster_word_set_hardened(1);
}

__attribute__((visibility("hidden"))) void heapster_at_thread_end(void)
{
    int kept = errno;
    pthread_once(&hardening_read, read_hardening);
    pthread_once(&thread_key_made, make_thread_key);
    pthread_once(&fork_handled, handle_forks);
    pthread_setspecific(thread_key, &thread_key);
    errno = kept;
}

#ifdef START /* who schedules our threads starts us, too, and wants each run to be as the one before */
enum { IS_SCHEDULED = 1 };
#else
enum { IS_SCHEDULED = 0 };
#endif

/* A word that nobody can guess, for marks, checksums and seals. Where the system gives no random bytes, it comes from
   the 16 that the kernel hands to each process, which others may have seen: that is said. */
static void draw_key(void)
{
    word key;
    if (getrandom(&key, sizeof key, GRND_NONBLOCK) != sizeof key) {
        const void *given = (const void *)getauxval(AT_RANDOM);
        key = (word)(uintptr_t)&key;
        if (given)
            memcpy(&key, given, sizeof key);
        SAY(STDERR_FILENO,
            TEXT("heapster: the system gives no random bytes: the key comes from what it gave at the start"));
    }
    heapster_word_set_key(key);
}

/* The core calls this before it asks the system for memory, so before there is any block: constructors of other objects
   may allocate before ours runs, and what they get is held to the same key. */
static pthread_once_t key_drawn = PTHREAD_ONCE_INIT;

__attribute__((visibility("hidden"))) void heapster_before_memory(void)
{
    if (!IS_SCHEDULED)
        pthread_once(&key_drawn, draw_key);
}

#ifndef START
#define START start
__attribute__((constructor)) static
#else
__attribute__((visibility("default")))
#endif
    void
    START(void)
{
    int kept = errno;
    pthread_once(&hardening_read, read_hardening);
    if (BUILT_POLICY != FIRST_FIT)
        heapster_word_set_policy(BUILT_POLICY);
    heapster_word_set_cache(BUILT_CACHE);
    heapster_word_set_keep(BUILT_KEEP);
    if (BUILT_THRESHOLD != DEFAULT_THRESHOLD)
        heapster_word_set_threshold(BUILT_THRESHOLD);
    if (BUILT_ARENAS != DEFAULT_ARENAS)
        heapster_word_set_arenas(BUILT_ARENAS);
    read_environment();
    pthread_once(&fork_handled, handle_forks);
    errno = kept;
}

/* In parts of a million, because a locale may print a comma in a double. */
static unsigned long millionths(double ratio) { return (unsigned long)(ratio * 1e6); }

static const char TABLE[] = "heapster: %s (process %d), policy %s\n"
                            "  total bytes      %16zu\n"
                            "  used bytes       %16zu  in %zu blocks\n"
                            "  cached bytes     %16zu  in %zu blocks\n"
                            "  free bytes       %16zu  in %zu blocks, the largest %zu\n"
                            "  wasted bytes     %16zu\n"
                            "  fragmentation    %9lu.%06lu\n"
                            "  calls            %16zu  malloc %zu, calloc %zu, realloc %zu, aligned %zu, free %zu\n";

static const char ARENA_ROW[] =
    "  %-8s %2d      %16zu  used %zu in %zu blocks, free %zu in %zu blocks, the largest %zu; calls %zu\n";

static const char JSON[] =
    "{\"program\": \"%s\", \"process\": %d, \"policy\": \"%s\", \"total_bytes\": %zu, \"used_bytes\": %zu, "
    "\"used_blocks\": %zu, \"cached_bytes\": %zu, \"cached_blocks\": %zu, \"free_bytes\": %zu, "
    "\"free_blocks\": %zu, \"largest_free\": %zu, "
    "\"wasted_bytes\": %zu, \"fragmentation\": %lu.%06lu, \"calls\": %zu, \"malloc_calls\": %zu, "
    "\"calloc_calls\": %zu, \"realloc_calls\": %zu, \"aligned_calls\": %zu, \"free_calls\": %zu, \"arenas\": [";

static const char ARENA_JSON[] =
    "%s{\"%s\": %d, \"total_bytes\": %zu, \"used_bytes\": %zu, \"used_blocks\": %zu, \"free_bytes\": %zu, "
    "\"free_blocks\": %zu, \"largest_free\": %zu, \"calls\": %zu}";

/* The program's name as it may stand in a JSON string. */
static void plain_name(char *out, size_t room)
{
    const char *name = program_invocation_short_name;
    size_t length = 0;
    for (; *name && length < room - 1; name++)
        out[length++] = *name == '"' || *name == '\\' || (unsigned char)*name < ' ' ? '_' : *name;
    out[length] = 0;
}

static size_t calls_of(const struct heapster_stats *s)
{
    return s->malloc_calls + s->calloc_calls + s->realloc_calls + s->aligned_calls + s->free_calls;
}

/* Adds a line, or an element, for each arena in use, and for the mappings; the new length. */
static int add_arenas(char *text, int length, int json)
{
    struct heapster_stats s;
    int before = length;
    for (int i = 0; i <= MAX_ARENAS; i++) {
        int mappings = i == MAX_ARENAS;
        heapster_arena_stats(mappings ? ONLY_MAPPINGS : i, &s);
        if ((!s.total_bytes && !calls_of(&s)) || length > STATS_TEXT - 512)
            continue;
        const char *name = mappings ? "mappings" : "arena";
        int number = mappings ? 0 : i;
        length +=
            json ? snprintf(text + length, 512, ARENA_JSON, length > before ? ", " : "", name, number, s.total_bytes,
                            s.used_bytes, s.used_blocks, s.free_bytes, s.free_blocks, s.largest_free, calls_of(&s))
                 : snprintf(text + length, 512, ARENA_ROW, name, number, s.total_bytes, s.used_bytes, s.used_blocks,
                            s.free_bytes, s.free_blocks, s.largest_free, calls_of(&s));
    }
    return length + (json ? snprintf(text + length, 4, "]}\n") : 0);
}

/* Whether all of the text was taken; if not, errno says why. */
static int write_all(int to, const char *text, size_t length)
{
    while (length) {
        ssize_t taken = write(to, text, length);
        if (taken < 0 && errno == EINTR)
            continue;
        if (taken <= 0)
            return 0;
        text += taken;
        length -= (size_t)taken;
    }
    return 1;
}

/* Whether they could be written; if not, errno says why. */
static int write_stats(int to, int json)
{
    struct heapster_stats s;
    char name[64], text[STATS_TEXT];
    heapster_stats(&s);
    plain_name(name, sizeof name);
    int length = snprintf(text, 1024, json ? JSON : TABLE, name, (int)getpid(), policies[heapster_get_policy()],
                          s.total_bytes, s.used_bytes, s.used_blocks, s.cached_bytes, s.cached_blocks, s.free_bytes,
                          s.free_blocks, s.largest_free, s.wasted_bytes, millionths(s.fragmentation) / 1000000,
                          millionths(s.fragmentation) % 1000000, calls_of(&s), s.malloc_calls, s.calloc_calls,
                          s.realloc_calls, s.aligned_calls, s.free_calls);
    if (length <= 0 || length >= 1024)
        return 1;
    length = add_arenas(text, length, json);
    return write_all(to, text, (size_t)length);
}

/* Whether the descriptor still is the stderr that the program began with. */
static int is_stats_stream(int descriptor)
{
    struct stat now;
    return !fstat(descriptor, &now) && now.st_dev == stats_stream.st_dev && now.st_ino == stats_stream.st_ino;
}

/* Where to tell the user something at the end; -1 if the program has closed all that leads there. */
static int find_stats_stream(void)
{
    if (is_stats_stream(stats_descriptor))
        return stats_descriptor;
    return is_stats_stream(STDERR_FILENO) ? STDERR_FILENO : -1;
}

/* Who asked for a file and does not get it whole is told. */
static void write_stats_file(void)
{
    int file = open(stats_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    int failure = file >= 0 && write_stats(file, 1) ? 0 : errno;
    int told = find_stats_stream();
    if (failure && told >= 0)
        SAY(told, TEXT("heapster: "), TEXT(stats_file), TEXT(" cannot be written: "), TEXT(strerror(failure)));
    if (file >= 0)
        close(file);
}

static void dump_stats(void)
{
    int told = table_wanted ? find_stats_stream() : -1;
    if (told >= 0)
        write_stats(told, 0);
    if (stats_file)
        write_stats_file();
}

/* A handler may come while this thread holds an arena's lock, so another thread reads the figures. */
static void want_stats(int number)
{
    (void)number;
    int kept = errno;
    sem_post(&stats_wanted);
    errno = kept;
}

static void *await_stats(void *nothing)
{
    for (;;)
        if (sem_wait(&stats_wanted) == 0) {
            if (!table_wanted && !stats_file)
                write_stats(STDERR_FILENO, 0);
            else
                dump_stats();
        }
    return nothing;
}

static void start_stats_signal(int number)
{
    struct sigaction action = {.sa_handler = want_stats, .sa_flags = SA_RESTART};
    pthread_attr_t detached;
    pthread_t thread;
    sigset_t all, before;
    sem_init(&stats_wanted, 0, 0);
    if (sigaction(number, &action, NULL) != 0)
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* the thread handles no signals of the program */
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_create(&thread, &detached, await_stats, NULL);
    pthread_attr_destroy(&detached);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

__attribute__((destructor)) static void finish(void)
{
    heapster_word_look_once_more();
    if (stats_process == EVERY_PROCESS || stats_process == getpid())
        dump_stats();
}
