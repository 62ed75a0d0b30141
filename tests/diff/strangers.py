"""An allocator in C that never gives back, to be made wrong in one place."""

from pathlib import Path

BUMP = """
#include <stddef.h>
#include <string.h>
#include <unistd.h>
static _Alignas(16) char heap[1 << 26];
static _Alignas(16) char small[1 << 12];
static size_t used, tiny;
void *bump_malloc(size_t n) {{ {before} void *p = heap + used; used += (n + {room} + 15) & ~(size_t)15; return p; }}
void bump_free(void *p) {{ {free} }}
void *bump_calloc(size_t a, size_t b) {{ return {clear}(bump_malloc(a * b), 0, a * b); }}
void *bump_realloc(void *p, size_t n) {{ {realloc} }}
"""
RIGHT = {"room": "16", "before": "", "free": "(void)p;", "clear": "memset",
         "realloc": "if (!n) return 0; void *q = bump_malloc(n); return p ? memmove(q, p, n) : q;"}
PACKED = "if (n && n <= 8) return small + 8 * tiny++;"      # as C23 7.24.3p1 and well-known allocators have it
SMASHES = "((char *)p)[-1] = 7; ((char *)p)[520] = 7;"


def bump(folder: Path, **wrong: str) -> str:
    """Write the source, with other words in some places; its path."""
    source = folder / "bump.c"
    source.write_text(BUMP.format(**(RIGHT | wrong)))
    return str(source)
