/* The judge: keeps a stranger's allocator loaded and runs each case in a forked child of its own.

   usage: judge FD PATH LAYOUT   FD is the shared mapping, PATH the shared object, LAYOUT see layout.c
          judge run PROGRAM      a program, of which nothing stays behind either
   It answers a byte on stdout when it is ready, and one for each byte read from stdin: a case run. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "channel.h"
#include "driver.h"
#include "judge.h"

#define TICK_MS 20
#define WALL_FACTOR 10u   /* what a limit is on the wall, however busy the machine: */
#define WALL_MS 10000u    /* so many times, and so much more */
#define MOST_LIMITS 2u    /* of work in all that calls share which come back, before a run is given up */
#define FAULTS_A_MS 25u   /* pages that are touched for the first time, on a slow and busy machine */
#define GRACES 10u        /* ticks that a child which is ended has to tell its counters */
#define PROGRAM_MS 10000u /* that a program may take */
#define EDGE 65536u       /* bytes that nobody has above the target's first mapping: what runs beyond that is seen */
#define KEPT_OUTPUT (OUTPUT_BYTES - 1)

static int loaded_late; /* the target starts threads when loaded: load it in each child */
static const char *path;
static uint64_t idled_us; /* that children slept, though nothing would wake them */

static uint64_t now_ms(void) { return nanoseconds(CLOCK_MONOTONIC) / 1000000; }

static uint64_t threads_of_this_process(void)
{
    uint64_t count = 0;
    DIR *tasks = opendir("/proc/self/task");
    while (tasks != NULL && readdir(tasks) != NULL)
        count++;
    if (tasks != NULL)
        closedir(tasks);
    return count > 2 ? count - 2 : 1;
}

static void run_case(void)
{
    if (shared->mode == LOADED) {
        shared->init_failed = 0;
        if (load_target(path) != 0)
            channel_tell();
        shared->tasks = threads_of_this_process();
        if (start_target() == 0)
            shared->finished = 1;
        return;
    }
    if (loaded_late && load_target(path) != 0)
        channel_tell();
    executor_start();
    if (shared->mode == FAST || shared->mode == GENERATE)
        shadow_start(shared->granule);
    if (shared->mode != PRECISE && shared->mode != EXHAUST)
        pattern_sparse();
    if (shared->mode == EXHAUST)
        exhaust_prepares();
    mmap(NULL, EDGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start_target() != 0)
        return;
    switch (shared->mode) {
    case PRECISE:
    case FAST:
        run_given();
        break;
    case GENERATE:
        run_generated();
        break;
    case VOLUME:
        run_volume();
        break;
    case THREADS:
        run_threads();
        break;
    case GENERATIONS:
        run_generations();
        break;
    case EXHAUST:
        run_exhaustively();
        break;
    default:
        break;
    }
    enter(ENDING);
    shared->finished = 1;
}

static void become_child(int output)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    channel_enter();
    run_case();
    channel_tell();
}

static void keep_output(const char *text, long n)
{
    if (shared->output_length + (uint64_t)n > KEPT_OUTPUT)
        n = (long)(KEPT_OUTPUT - shared->output_length);
    memcpy(shared->output + shared->output_length, text, (size_t)n);
    shared->output_length += (uint64_t)n;
}

/* Reads what there is; 0 at the end. */
static int drain(int fd)
{
    char text[65536];
    struct pollfd ready = {fd, POLLIN, 0};
    if (poll(&ready, 1, TICK_MS) <= 0)
        return 1;
    long n = read(fd, text, sizeof text);
    if (n > 0)
        keep_output(text, n);
    return n > 0;
}

static uint64_t resident_bytes(pid_t child)
{
    char name[64];
    unsigned long size = 0, resident = 0;
    snprintf(name, sizeof name, "/proc/%d/statm", (int)child);
    FILE *file = fopen(name, "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%lu %lu", &size, &resident) != 2)
        resident = 0;
    fclose(file);
    return (uint64_t)resident * 4096;
}

/* What a child has done with its time, in ms: on a busy machine the clock on the wall says little. */
struct effort {
    uint64_t worked, idle;          /* idle: asleep, though nothing will wake it but itself, since `progress` */
    uint64_t slept;                 /* idle in all */
    uint64_t looked;                /* when */
    uint64_t faults;                /* pages that came when they were touched */
    uint64_t progress;              /* where it was last seen */
    uint64_t came_with, had_faults; /* work and faults when it came there */
};

static int read_stat(pid_t child, char *state, uint64_t *worked, uint64_t *faults)
{
    char name[64], text[512] = "";
    unsigned long user = 0, system = 0, minor = 0;
    snprintf(name, sizeof name, "/proc/%d/stat", (int)child);
    FILE *file = fopen(name, "r");
    if (file == NULL)
        return 0;
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    char *after = strrchr(text, ')'); /* its own name may have any letters */
    if (after == NULL
        || sscanf(after + 1, " %c %*d %*d %*d %*d %*d %*u %lu %*u %*u %*u %lu %lu", state, &minor, &user, &system) != 4)
        return 0;
    *worked = (user + system) * 1000 / (unsigned long)sysconf(_SC_CLK_TCK);
    *faults = minor;
    return 1;
}

static void look(pid_t child, struct effort *effort, uint64_t now)
{
    char state = 'R';
    channel_glance();
    uint64_t worked = 0, faults = 0, progress = shared->current * 31 + shared->done_ops;
    if (!read_stat(child, &state, &worked, &faults))
        return;
    if (progress != effort->progress) {
        effort->progress = progress, effort->idle = 0;
        effort->came_with = worked, effort->had_faults = faults;
    } else if (worked == effort->worked && (state == 'S' || state == 'T')) {
        /* who looks may itself have waited for its turn: what was not seen is not held against the child */
        uint64_t passed = now - effort->looked;
        effort->idle += passed < TICK_MS ? passed : TICK_MS, effort->slept += passed;
    }
    effort->worked = worked, effort->faults = faults;
    effort->looked = now;
}

/* Time for the bytes that the call under way may touch: 1 ms for a MiB; and for pages that come in it, as many as a child
   may hold: a call that eats memory ends by that limit, however slowly pages come. */
static uint64_t for_bytes(const struct effort *effort)
{
    uint64_t bytes = shared->call_bytes < shared->memory_limit ? shared->call_bytes : shared->memory_limit;
    uint64_t pages = shared->memory_limit / 4096, came = effort->faults - effort->had_faults;
    return (bytes >> 20) + (came < pages ? came : pages) / FAULTS_A_MS;
}

/* A call does not come back, or sleeps for half of that time; or all is slow: 0 if neither. */
static int is_late(const struct effort *effort, uint64_t now, uint64_t started)
{
    if (effort->worked - effort->came_with >= shared->limit_ms + for_bytes(effort)
        || 2 * effort->idle >= shared->limit_ms)
        return TIMED_OUT;
    if (effort->worked >= MOST_LIMITS * shared->limit_ms + effort->faults / FAULTS_A_MS
        || now - started >= WALL_FACTOR * shared->limit_ms + WALL_MS)
        return TIRED;
    return 0;
}

/* More memory than there may be, and far more than was asked for. */
static int is_too_big(pid_t child)
{
    uint64_t resident = resident_bytes(child);
    if (shared->memory_limit == 0 || resident <= shared->memory_limit)
        return 0;
    return resident / 2 > shared->live_bytes + shared->call_bytes ? TOO_BIG : TIRED;
}

static void conclude(int status, int killed)
{
    enum heard heard = channel_hear();
    int told_all = WIFEXITED(status) && WEXITSTATUS(status) == TOLD_ALL;
    if (heard == CONTRADICTED || (told_all && heard != TOLD)) {
        shared->outcome = LOST;
    } else if (killed != 0) {
        shared->outcome = (uint64_t)killed;
    } else if (WIFSIGNALED(status)) {
        shared->outcome = SIGNALLED;
        shared->code = (uint64_t)WTERMSIG(status);
    } else if (heard != TOLD) {
        shared->outcome = EXITED;
        shared->code = (uint64_t)WEXITSTATUS(status);
    } else {
        shared->outcome = RETURNED;
    }
}

/* Ends whatever a child has started: what left its process group has come to us, who adopt orphans. */
static void end_all(pid_t child)
{
    char name[64];
    int found = 1, pid;
    kill(-child, SIGKILL);
    snprintf(name, sizeof name, "/proc/self/task/%d/children", (int)getpid());
    while (found) {
        FILE *file = fopen(name, "r");
        for (found = 0; file != NULL && fscanf(file, "%d", &pid) == 1; found = 1) {
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
        }
        if (file != NULL)
            fclose(file);
    }
}

/* Waits for a child's end, or ends it; how long it slept, in ms. */
static uint64_t watch(pid_t child, int output)
{
    uint64_t started = now_ms(), next_look = started + 200;
    struct effort effort = {.looked = started};
    unsigned graces = counts_lines() ? GRACES : 0;
    int status = 0, killed = 0, open_still = 1;
    for (;;) {
        if (open_still)
            open_still = drain(output);
        if (waitpid(child, &status, WNOHANG) == child)
            break;
        if (!open_still)
            usleep(500);
        uint64_t now = now_ms();
        if (!killed && now - effort.looked >= TICK_MS) {
            channel_glance();
            look(child, &effort, now);
            killed = is_late(&effort, now, started);
        }
        if (!killed && now >= next_look) {
            next_look = now + 200;
            killed = is_too_big(child);
        }
        if (killed)
            kill(child, graces > 0 && graces-- > 0 ? SIGTERM : SIGKILL);
    }
    end_all(child);
    for (int n = 0; open_still && n < 16; n++)
        open_still = drain(output);
    conclude(status, killed);
    return effort.slept;
}

static void reset(void)
{
    shared->current = shared->phase = shared->finished = shared->suspicion = shared->live_bytes = 0;
    shared->samples = shared->done_ops = shared->init_failed = shared->outcome = shared->code = 0;
    shared->output_length = shared->unshadowed = shared->misused = 0;
    shared->stray = 0;
    shared->fault = 0;
    shared->call_bytes = shared->records = shared->classes = shared->runs = shared->refusals = 0;
    shared->move = shared->spoilt = shared->by_forks = shared->strayed = 0;
    shared->message[0] = 0;
    memset(shared->calls, 0, sizeof shared->calls);
    results[0].status = UNREACHED;
    event_log->count = edges->count = 0;
    if (shared->mode == PRECISE)
        memset(results, 0, (size_t)shared->ops * sizeof *results);
}

static uint64_t microseconds(const struct timeval *time)
{
    return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_usec;
}

/* What this process and all that it has seen the end of worked. */
static uint64_t worked_us(void)
{
    struct rusage own, children;
    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    return microseconds(&own.ru_utime) + microseconds(&own.ru_stime) + microseconds(&children.ru_utime)
           + microseconds(&children.ru_stime);
}

static void run_in_child(void)
{
    int ends[2];
    reset();
    if (pipe(ends) != 0)
        exit(2);
    fcntl(ends[1], F_SETPIPE_SZ, 1 << 16);
    channel_begin();
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        become_child(ends[1]);
    }
    if (child < 0)
        exit(2);
    close(ends[1]);
    channel_begun();
    setpgid(child, child);
    shared->child = (uint64_t)child;
    idled_us += 1000 * watch(child, ends[0]);
    close(ends[0]);
    shared->spent_us = worked_us() + idled_us;
    channel_answer();
}

static void answer(void)
{
    if (write(STDOUT_FILENO, ".", 1) != 1)
        exit(2);
}

static void be_adoptive(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* Runs a program in a process group of its own; its exit status, or what a shell makes of its end. */
static int run_program(char *program)
{
    int status = 0;
    uint64_t late = now_ms() + PROGRAM_MS;
    be_adoptive();
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setpgid(0, 0);
        execl(program, program, (char *)NULL);
        _exit(127);
    }
    while (child > 0 && waitpid(child, &status, WNOHANG) == 0 && now_ms() < late)
        usleep(1000);
    end_all(child);
    if (child < 0 || now_ms() >= late)
        return 124;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
    char order;
    if (argc == 3 && strcmp(argv[1], "run") == 0)
        return run_program(argv[2]);
    if (argc != 4)
        return 2;
    int addresses_vary = lay_out(argv, (unsigned)atoi(argv[3]));
    path = argv[2];
    be_adoptive();
    channel_map(atoi(argv[1]));
    shared->addresses_vary = (uint64_t)addresses_vary;
    setvbuf(stdout, NULL, _IONBF, 0);
    run_in_child(); /* loads it once where a crash does no harm */
    uint64_t tasks = shared->tasks;
    int usable = shared->outcome == RETURNED && shared->message[0] == 0;
    loaded_late = tasks > 1;
    if (usable && !loaded_late && load_target(path) != 0)
        return 2;
    answer();
    while (read(STDIN_FILENO, &order, 1) == 1) {
        channel_order();
        run_in_child();
        answer();
    }
    return 0;
}
