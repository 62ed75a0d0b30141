/* For drivers of ours that take the judge's pieces and neither observe a target nor take its memory down: nothing is told
   to anybody. */
#include "observing.h"
#include "snapshot.h"

void observing_loads(const char *path) { (void)path; }
void observing_start(void *handle) { (void)handle; }
void observing_chooses(void) {}
void observing_bounds(void) {}
void observing_begins(const struct op *op, const unsigned char *operand, uint64_t size)
{
    (void)op, (void)operand, (void)size;
}
void observing_ends(const struct op *op, uintptr_t answer, struct result *result)
{
    (void)op, (void)answer, (void)result;
}
void observing_gives(uintptr_t start, uint64_t size, struct result *result) { (void)start, (void)size, (void)result; }
void observing_takes(uintptr_t start, uint64_t size) { (void)start, (void)size; }
void observing_reserved(uintptr_t start, uint64_t size) { (void)start, (void)size; }
void observing_grew(uintptr_t start, uint64_t size) { (void)start, (void)size; }
uint64_t observing_salt(void) { return 0; }
void snapshot_loaded(void *handle) { (void)handle; }
