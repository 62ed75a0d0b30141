
/* Bytes become operations, as heapster/checkers/harness/coding.py has it; and a way in for each fuzzer. */
#include <sys/wait.h>

#define OP_BYTES 4
#define NULL_CHOSEN 0xf8
#define HUGE_SHIFT 0xf

static int open_blocks[HANDLES], open_count;

static size_t size_of(unsigned code)
{
    unsigned shift = code >> 12, bits = code & 0xfff;
    return shift == HUGE_SHIFT ? SIZE_MAX - bits : (size_t)bits << shift;
}

/* The handle of the open block that is chosen, which is open no more unless `stays`; -1: NULL. */
static int chosen_block(unsigned chosen, int stays)
{
    if (open_count == 0 || chosen >= NULL_CHOSEN)
        return -1;
    int place = (int)(chosen % (unsigned)open_count), handle = open_blocks[place];
    if (!stays) {
        open_count--;
        memmove(open_blocks + place, open_blocks + place + 1, (size_t)(open_count - place) * sizeof *open_blocks);
    }
    return handle;
}

static void take_steps(const unsigned char *data, size_t size)
{
    for (int number = 0; number < HANDLES && size >= OP_BYTES; number++, data += OP_BYTES, size -= OP_BYTES) {
        unsigned chosen = data[1];
        size_t wanted = size_of(data[2] | (unsigned)data[3] << 8);
        int handle = -1, resizes = 0;
        enum verb verb = (enum verb)(data[0] % VERBS);
        if (VERB_TAKES(verb))
            handle = chosen_block(chosen, verb == VERB_usable_size);
        if (handle >= 0 && !account_knows(&account, handle)) {
            if (VERB_GIVES(verb))
                open_blocks[open_count++] = number; /* of which nothing is known, as the step is passed over */
            continue;
        }
        resizes = VERB_TAKES(verb) && VERB_GIVES(verb);
        step_now = number;
        call(verb, number, handle, resizes && wanted == 0 ? 1 : wanted, (size_t)1 << (3 + chosen % 10));
        if (VERB_GIVES(verb))
            open_blocks[open_count++] = number;
    }
    last_step = 1;
    now = "the end";
    check_all();
}

#if LIBFUZZER
/* Each input begins with a fresh heap: a child runs it, and hands back which edges it took. */
extern unsigned char __start___sancov_cntrs[] __attribute__((weak));
extern unsigned char __stop___sancov_cntrs[] __attribute__((weak));

static size_t edges(void) { return (size_t)(__stop___sancov_cntrs - __start___sancov_cntrs); }

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static unsigned char *taken;
    if (taken == NULL)
        taken = mmap(NULL, edges() + 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (taken == MAP_FAILED)
        abort();
    pid_t child = fork();
    if (child < 0)
        return 0;
    if (child == 0) {
        alarm(SECONDS_TO_HANG);
        signal(SIGABRT, SIG_DFL), signal(SIGSEGV, SIG_DFL), signal(SIGBUS, SIG_DFL), signal(SIGALRM, SIG_DFL);
        start_target();
        take_steps(data, size);
        memcpy(taken, __start___sancov_cntrs, edges());
        (_exit)(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) {
        fprintf(stderr, "a finding: the child that ran this input ended with status %#x\n", (unsigned)status);
        abort();
    }
    memcpy(__start___sancov_cntrs, taken, edges());
    return 0;
}
#else
/* A file that is named, or standard input: one input for each process. */
int main(int argc, char **argv)
{
    static unsigned char data[OP_BYTES * HANDLES];
    FILE *file = argc > 1 ? fopen(argv[1], "rb") : stdin;
    if (file == NULL) {
        perror(argv[1]);
        return 2;
    }
    size_t size = fread(data, 1, sizeof data, file);
    start_target();
    take_steps(data, size);
    return 0;
}
#endif
