"""What stands before a source with variants: how one of them is chosen, and how it is told which were come by."""

HEAD = """\
#ifndef HEAPSTER_HEAD
#define HEAPSTER_HEAD
extern unsigned heapster_choice; extern unsigned char *heapster_seen; \
__attribute__((weak)) unsigned heapster_choice; __attribute__((weak)) unsigned char *heapster_seen;
static __attribute__((noinline, unused, no_sanitize("thread"))) int HEAPSTER_IS(unsigned n) \
{ if (heapster_seen) heapster_seen[n] = 1; return heapster_choice == n; }
static __attribute__((noinline, unused, no_sanitize("thread"))) unsigned HEAPSTER_AT(unsigned first, unsigned count) \
{ for (unsigned n = 0; heapster_seen && n < count; n++) heapster_seen[first + n] = 1; return heapster_choice - first; }
#endif
"""
