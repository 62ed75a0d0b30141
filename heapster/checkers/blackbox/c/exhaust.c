/* The engine that runs every program: see exhaust.h. What was given is run once, and each move from there.

   A move is taken back by putting the target's memory back; of a target whose memory cannot be seen it is run in a
   child of its own. */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exhaust.h"
#include "snapshot.h"

#define KEYS (4u * MOST_WAYS)

/* What children count too. */
static struct counts {
    uint64_t records, classes, runs, refusals, by_forks, move, word;
    uint64_t spoilt;  /* of the program at hand: moves after which nothing follows */
    struct came came; /* of the child that has ended last */
    uint64_t keys[KEYS];
} *counts;

static struct snapshot *root, *node;
static struct executor_state at_root, at_node;
static uint32_t moves[MOST_MOVES];

static uint32_t *programs(void) { return (uint32_t *)(ops + shared->alphabet); }
static struct reached *records(void) { return (struct reached *)results; }
static struct way *ways(void) { return (struct way *)event_log->at; }

static uint64_t most_records(void) { return (uint64_t)MOST_OPS * sizeof *results / sizeof(struct reached); }

static void tell(void)
{
    shared->records = counts->records, shared->classes = counts->classes, shared->runs = counts->runs;
    shared->refusals = counts->refusals, shared->by_forks = counts->by_forks, shared->move = counts->move;
    shared->spoilt = counts->spoilt, shared->word = counts->word;
}

/* Whether a way to answer is met for the first time. */
static int is_new(uint64_t key)
{
    for (uint64_t n = 0, at = key % KEYS; n < KEYS; n++, at = (at + 1) % KEYS) {
        if (counts->keys[at] == key)
            return 0;
        if (counts->keys[at] == 0) {
            counts->keys[at] = key;
            return 1;
        }
    }
    return 0;
}

static uint64_t digest_of_live(void)
{
    uint64_t sum = mix((uint64_t)system_refuses);
    for (uint64_t n = 0; n < live_blocks(); n++) {
        int32_t handle = live_handle(n);
        const struct block *block = live_block(handle);
        sum += mix(live_place(handle) ^ mix(block->request ^ mix(block->filled ^ mix(block->alignment))));
    }
    return sum;
}

/* Of the heap as it is; where it cannot be seen, of all blocks that were given and of those that live. */
static uint64_t digest(int is_closed)
{
    uint64_t seen = is_closed ? snapshot_digest() : 0;
    return mix(digest_of_live() ^ mix(seen != 0 ? seen : history ^ 0x5eed)) | 1;
}

static void record(uint64_t program, uint32_t move, const struct came *came)
{
    counts->runs++;
    counts->spoilt += came->went != ON;
    if (shared->states != 0)
        records()[counts->records++] =
            (struct reached){came->digest, (uint32_t)program, move, (uint32_t)came->went, (uint32_t)live_blocks()};
    if (is_new(came->key) && counts->classes < MOST_WAYS)
        ways()[counts->classes++] =
            (struct way){came->key, (uint32_t)program, move, (uint32_t)came->suspicion, (uint32_t)came->went};
    counts->move++;
    tell();
}

/* The calls of a program, which were run before and went on; 0 if now they do not. */
static int run_prefix(uint64_t program)
{
    const uint32_t *moves = programs() + program * shared->depth;
    struct came came;
    for (uint64_t i = 0; i < shared->depth; i++) {
        attempt(moves[i], (int32_t)i, &came);
        if (came.went != ON)
            return 0;
    }
    return 1;
}

static void try_move(uint32_t move, struct came *came, int is_closed)
{
    uint64_t refused = system_refusals;
    shared->word = counts->word = move;
    attempt(move, (int32_t)shared->depth, came);
    counts->refusals += system_refusals != refused;
    if (shared->states != 0 && came->went == ON)
        came->digest = digest(is_closed);
}

/* Where no heap is told, how many moves a program has, and how many of these end it. */
static void record_all(uint64_t program, uint32_t count)
{
    if (shared->states == 0)
        records()[counts->records++] = (struct reached){count, (uint32_t)program, 0, (uint32_t)counts->spoilt, 0};
    tell();
}

static uint64_t first_move(uint64_t program) { return program == shared->first ? shared->first_move : 0; }

/* A child's end that it has not told of itself. */
static void note_end(int status)
{
    counts->came = (struct came){.died = WIFSIGNALED(status) ? WTERMSIG(status) : IT_EXITED, .went = DIED};
    counts->came.phase = CALLING;
    counts->came.key = mix((uint64_t)counts->came.died ^ mix(counts->move));
}

static void move_in_child(uint32_t move)
{
    int status = 0;
    counts->word = move;
    pid_t child = fork();
    if (child == 0) {
        attempts_watch();
        try_move(move, &counts->came, 0);
        _exit(0);
    }
    while (waitpid(child, &status, 0) < 0)
        continue;
    counts->by_forks++;
    if (status != 0)
        note_end(status);
}

/* A program in a child, and each move in a child of that; 0: it does not go as it did. */
static int run_in_children(uint64_t program)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        attempts_watch();
        if (!run_prefix(program))
            _exit(1);
        uint32_t count = all_moves(moves);
        for (uint64_t nth = first_move(program); nth < count; nth++) {
            move_in_child(moves[nth]);
            record(program, moves[nth], &counts->came);
        }
        record_all(program, count);
        _exit(0);
    }
    while (waitpid(child, &status, 0) < 0)
        continue;
    tell();
    return status == 0;
}

static int back_to(const struct snapshot *snapshot, const struct executor_state *state, int refuses)
{
    executor_restore(state);
    system_refuses = refuses;
    return snapshot_restore(snapshot);
}

/* A program, and each move from there, taken back after it; 0: that cannot be. */
static int run_here(uint64_t program)
{
    struct came came;
    if (!back_to(root, &at_root, 0))
        return 0;
    if (!run_prefix(program))
        return 0;
    int refuses = system_refuses;
    executor_save(&at_node);
    uint64_t before = history;
    if (!snapshot_take(node))
        return 0;
    uint32_t count = all_moves(moves);
    for (uint64_t nth = first_move(program); nth < count; nth++) {
        try_move(moves[nth], &came, 1);
        record(program, moves[nth], &came);
        history = before;
        if (!back_to(node, &at_node, refuses))
            return 0;
    }
    record_all(program, count);
    return 1;
}

void exhaust_prepares(void)
{
    int flags = MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE;
    counts = mmap(FAR_AWAY(5), sizeof *counts, PROT_READ | PROT_WRITE, flags, -1, 0);
    executor_seeds_by_place();
    if (shared->closed == 0 || counts == MAP_FAILED)
        return;
    root = snapshot_room(), node = snapshot_room();
    if (root == NULL || node == NULL || !snapshot_hooks())
        shared->strayed = 1;
}

void run_exhaustively(void)
{
    uint64_t count = shared->ops;
    shared->ops = shared->depth + 1; /* few enough to look at everything after each */
    if (counts == MAP_FAILED || shared->strayed != 0)
        return;
    attempts_start();
    executor_save(&at_root);
    if (shared->closed != 0 && !snapshot_take(root))
        shared->strayed = 1;
    shared->root = digest(shared->closed != 0);
    for (uint64_t program = shared->first; program < count && shared->strayed == 0; program++) {
        if (counts->records + MOST_MOVES > most_records())
            break;
        shared->current = program;
        counts->move = first_move(program);
        counts->spoilt = program == shared->first ? shared->first_spoilt : 0;
        history = 0;
        tell();
        if (!(shared->closed != 0 ? run_here(program) : run_in_children(program)))
            shared->strayed = 1;
        else
            shared->done_ops = program + 1;
    }
}
