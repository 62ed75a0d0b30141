/* clang's counters, in gcov's files: see counters.h. It stands in for clang's runtime, which is not installed with
   every clang, and asks the target for memory.

   An object registers a function that calls these one after the other; each puts its words in a buffer. A file that is
   there already has the same words in the same places, but for the counters, which are added up. */
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "counters.h"

#define MOST_OBJECTS 4096u
#define MOST_WORDS (1u << 20) /* of an object's file */
#define MAGIC 0x67636461u     /* "gcda" */
#define FUNCTION 0x01000000u
#define COUNTERS 0x01a10000u
#define IN_BYTES 0x42320000u /* "B2", of gcc 12: from here on lengths are of bytes, and a checksum comes first */

typedef void (*teller)(void);

static teller tellers[MOST_OBJECTS];
static unsigned objects;

static uint32_t words[MOST_WORDS], before[MOST_WORDS];
static size_t count, before_count; /* of words */
static uint32_t in_bytes;          /* what a length is multiplied with */
static int file = -1;

static void put(uint32_t word)
{
    if (count < MOST_WORDS)
        words[count++] = word;
}

void llvm_gcov_init(teller tell, teller reset)
{
    (void)reset;
    if (objects < MOST_OBJECTS)
        tellers[objects++] = tell;
}

void llvm_gcda_start_file(const char *name, uint32_t version, uint32_t stamp)
{
    file = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file >= 0)
        flock(file, LOCK_EX);
    long length = file >= 0 ? read(file, before, sizeof before) : 0;
    before_count = length > 0 ? (size_t)length / sizeof *before : 0;
    count = 0;
    in_bytes = version >= IN_BYTES ? sizeof(uint32_t) : 1;
    put(MAGIC);
    put(version);
    put(stamp);
    if (version >= IN_BYTES)
        put(0);
}

void llvm_gcda_emit_function(uint32_t ident, uint32_t of_lines, uint32_t of_blocks)
{
    put(FUNCTION);
    put(3 * in_bytes);
    put(ident);
    put(of_lines);
    put(of_blocks);
}

void llvm_gcda_emit_arcs(uint32_t number, uint64_t *counters)
{
    put(COUNTERS);
    put(2 * number * in_bytes);
    for (uint32_t n = 0; n < number; n++) {
        uint64_t old = count + 2 <= before_count ? before[count] | (uint64_t)before[count + 1] << 32 : 0;
        uint64_t sum = counters[n] + old;
        put((uint32_t)sum);
        put((uint32_t)(sum >> 32));
    }
}

void llvm_gcda_summary_info(void) {}

void llvm_gcda_end_file(void)
{
    put(0);
    put(0);
    if (file >= 0 && count < MOST_WORDS && pwrite(file, words, count * sizeof *words, 0) < 0)
        ftruncate(file, 0);
    close(file);
}

void heapster_tell_counters(void)
{
    static int told;
    for (unsigned n = 0; !told && n < objects; n++)
        tellers[n]();
    told = 1;
}
