/* The channel between a case and the judge: see channel.h. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "channel.h"

struct report {
    uint64_t word, ops, results; /* the secret word, and the digests */
    struct header header;
};

static struct header own, *board;
struct header *shared = &own;
struct op *ops;
struct result *results;
struct event_log *event_log;

static struct report report;
static int ends[2];

void channel_map(int fd)
{
    size_t size = HEADER_BYTES + MOST_OPS * (sizeof *ops + sizeof *results) + sizeof *event_log + sizeof *edges;
    char *mapping = mmap(FAR_AWAY(0), size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapping == MAP_FAILED)
        exit(2);
    close(fd);
    board = (struct header *)mapping;
    ops = (struct op *)(mapping + HEADER_BYTES);
    results = (struct result *)(ops + MOST_OPS);
    event_log = (struct event_log *)(results + MOST_OPS);
    edges = (struct edges *)(event_log + 1);
    own = *board;
}

void channel_order(void) { own = *board; }
void channel_answer(void) { *board = own; }

void channel_begin(void)
{
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0 || getrandom(&report.word, sizeof report.word, 0) < 0)
        exit(2);
    report.ops = report.results = 0;
    *board = own;
}

void channel_begun(void) { close(ends[1]); }

/* What a case answers, and nothing of what is the judge's to say. */
static void take_over(const struct header *from)
{
    struct header mine = own;
    size_t first = offsetof(struct header, current), last = offsetof(struct header, names);
    memcpy((char *)&own + first, (const char *)from + first, last - first);
    memcpy(own.message, from->message, sizeof own.message - 1);
    own.outcome = mine.outcome, own.child = mine.child, own.output_length = mine.output_length;
    own.spent_us = mine.spent_us, own.addresses_vary = mine.addresses_vary;
}

void channel_glance(void)
{
    take_over(board);
    own.finished = own.init_failed = 0;
    own.message[0] = 0;
    if (own.current >= MOST_OPS)
        own.current = 0;
}

static uint64_t digest(uint64_t before, const void *from, size_t size)
{
    const char *at = from;
    for (uint64_t word; size >= sizeof word; size -= sizeof word, at += sizeof word) {
        memcpy(&word, at, sizeof word);
        before = (before ^ word) * 0x9e3779b97f4a7c15u;
        before ^= before >> 29;
    }
    return before;
}

/* Whether the board has what a case has left there. */
static int agrees(const struct report *told)
{
    uint64_t count = told->header.done_ops, of_ops = 0, of_results = 0;
    if (own.mode != PRECISE && own.mode != FAST && own.mode != GENERATE)
        return 1;
    for (uint64_t i = 0; i < count && i < MOST_OPS; i++) {
        of_ops = digest(of_ops, &ops[i], sizeof *ops);
        if (own.mode == PRECISE)
            of_results = digest(of_results, &results[i], sizeof *results);
    }
    return of_ops == told->ops && of_results == told->results;
}

enum heard channel_hear(void)
{
    static struct report told;
    ssize_t length = read(ends[0], &told, sizeof told);
    close(ends[0]);
    channel_glance();
    if (length <= 0)
        return NOTHING_HEARD;
    if (length != sizeof told || told.word != report.word)
        return CONTRADICTED;
    int agreed = agrees(&told);
    take_over(&told.header);
    return agreed ? TOLD : CONTRADICTED;
}

void channel_enter(void)
{
    close(ends[0]);
    if (shared->mode == PRECISE || shared->mode == FAST || shared->mode == VOLUME || shared->mode == EXHAUST)
        mprotect(ops, MOST_OPS * sizeof *ops, PROT_READ);
}

void enter(enum phase phase)
{
    shared->phase = phase;
    memcpy(&board->current, &shared->current, offsetof(struct header, calls) - offsetof(struct header, current));
}

void show(void) { *board = own; }

void seal_op(const struct op *op) { report.ops = digest(report.ops, op, sizeof *op); }
void seal_result(const struct result *result) { report.results = digest(report.results, result, sizeof *result); }

void channel_tell(void)
{
    report.header = own;
    int status = write(ends[1], &report, sizeof report) == sizeof report ? TOLD_ALL : 1;
    tell_counters();
    _exit(status);
}
