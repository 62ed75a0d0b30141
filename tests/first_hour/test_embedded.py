"""The first hour of an embedded engineer: a pool in a header and a source, which no main describes."""

import re
from pathlib import Path

import pytest

from tests.first_hour.folders import pool, undescribed_pool
from tests.first_hour.typing import first_finding, types


def test_a_pool_is_never_called_with_guessed_arguments(tmp_path: Path) -> None:
    """It is told how to describe it, by a command that drafts the description."""
    undescribed_pool(tmp_path)
    read = types("heapster fuzz pool.c", tmp_path)
    assert read.code == 4
    assert "heapster describe pool.c -o pool.toml" in read.err
    assert read.out == ""


def test_the_draft_is_what_fuzz_reads(tmp_path: Path) -> None:
    undescribed_pool(tmp_path)
    read = types("heapster describe pool.h -o pool.toml && heapster fuzz pool.toml --seconds 1", tmp_path)
    assert read.code == 1
    assert "outside_region" in read.out


def test_a_draft_writes_over_nothing(tmp_path: Path) -> None:
    pool(tmp_path)
    before = (tmp_path / "pool.toml").read_text()
    read = types("heapster describe pool.h -o pool.toml", tmp_path)
    assert (read.code, read.out) == (2, "")
    assert "pool.toml is there already" in read.err
    assert (tmp_path / "pool.toml").read_text() == before


def test_what_allocates_nothing_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.h").write_text("int add(int a, int b);\n")
    read = types("heapster describe x.h; heapster describe y.h", tmp_path)
    assert read.code == 4
    assert read.err.splitlines() == [
        "heapster: x.h: none of its functions has a name of one that allocates: add",
        "heapster: y.h: No such file or directory"]


def test_a_pool_has_a_program_of_its_own(tmp_path: Path) -> None:
    """It builds from what lies in the finding's folder and beside the description."""
    pool(tmp_path)
    read = types("heapster fuzz pool.toml --seconds 1", tmp_path)
    _, finding = first_finding(read)
    text = (tmp_path / ".heapster" / finding / "repro.c").read_text()
    lines = [line.partition(":  ")[2] for line in text.splitlines() if line.startswith(("   the alloc", "   build:"))]
    assert len(lines) == 2
    assert str(tmp_path) not in text
    assert [types(line, tmp_path).code for line in lines] == [0, 0]
    run = next(line for line in text.splitlines() if line.startswith("   run:")).removeprefix("   run:")
    assert types(run.partition("  exit")[0].strip(), tmp_path).code == 1


OWN_STRUCT = """\
#include <stdbool.h>
#include <stddef.h>
struct pool { char *base; size_t block; void *free; };
bool pool_init(struct pool *pool, void *buffer, size_t length, size_t block_size);
void *pool_alloc(struct pool *pool);
void pool_free(struct pool *pool, void *block);
"""
ITS_SOURCE = """\
#include "fixed.h"
bool pool_init(struct pool *pool, void *buffer, size_t length, size_t block_size)
{
    pool->base = buffer;
    pool->block = (block_size + 7) / 8 * 8;
    pool->free = NULL;
    for (size_t at = 0; at + pool->block %s length; at += pool->block) {
        *(void **)(pool->base + at) = pool->free;
        pool->free = pool->base + at;
    }
    return true;
}
void *pool_alloc(struct pool *pool)
{
    void *block = pool->free;
    if (block != NULL)
        pool->free = *(void **)block;
    return block;
}
void pool_free(struct pool *pool, void *block)
{
    if (block != NULL) {
        *(void **)block = pool->free;
        pool->free = block;
    }
}
"""


def fixed(folder: Path, compares: str) -> None:
    """A pool of blocks of one size, in a structure of the caller's."""
    (folder / "fixed.h").write_text(OWN_STRUCT)
    (folder / "fixed.c").write_text(ITS_SOURCE % compares)


def test_the_draft_of_a_pool_in_a_structure_of_ones_own_needs_no_correction(tmp_path: Path) -> None:
    """Blocks have one size, which init is told: what is larger is refused, and a right pool passes."""
    fixed(tmp_path, "<=")
    read = types("heapster describe fixed.h -o fixed.toml && heapster fuzz fixed.toml --seconds 0.5", tmp_path)
    assert read.code in (0, 3), read.out + read.err
    assert 'init = "pool_init(&instance, region, region_size, 64)"' in (tmp_path / "fixed.toml").read_text()
    assert 'malloc = "size <= 64 ? pool_alloc(&instance) : NULL"' in (tmp_path / "fixed.toml").read_text()


def test_a_pool_whose_init_goes_too_far_is_told_with_its_line(tmp_path: Path) -> None:
    fixed(tmp_path, "<= 64 +")
    read = types("heapster describe fixed.h -o fixed.toml && heapster fuzz fixed.toml --seconds 0.5 --jobs 2",
                 tmp_path)
    assert read.code == 4
    assert "fixed.toml: its init dies of SIGSEGV, in pool_init, fixed.c:8" in read.err


def test_a_header_is_no_target_and_it_is_told_what_is(tmp_path: Path) -> None:
    fixed(tmp_path, "<=")
    read = types("heapster fuzz fixed.h", tmp_path)
    assert read.code == 4
    assert "heapster describe fixed.h -o fixed.toml" in read.err


def test_a_description_that_does_not_compile_is_named(tmp_path: Path) -> None:
    fixed(tmp_path, "<=")
    read = types("heapster describe fixed.h -o fixed.toml && sed -i 's/&instance/instance/' fixed.toml && "
                 "heapster fuzz fixed.toml", tmp_path)
    assert read.code == 4
    assert "heapster: fixed.toml describes calls that do not compile: correct its expressions" in read.err


def test_a_size_that_free_must_be_told_is_not_guessed(tmp_path: Path) -> None:
    """As of an allocator behind Rust's interface."""
    (tmp_path / "rs.h").write_text("#include <stddef.h>\nvoid *rs_alloc(size_t size, size_t align);\n"
                                   "void rs_dealloc(void *ptr, size_t size, size_t align);\n")
    read = types("heapster describe rs.h", tmp_path)
    assert 'malloc = "rs_alloc(size, 16)"' in read.lines
    assert '# free = "rs_dealloc(pointer, ..., ...)": what ... is, an adapter must keep' in read.out


def test_a_draft_for_a_project_names_its_parts_from_where_it_is_saved(tmp_path: Path) -> None:
    """The header lies in include, the source in src; malloc is malloc, though calloc comes before it."""
    (tmp_path / "include").mkdir()
    (tmp_path / "src").mkdir()
    (tmp_path / "include" / "mp.h").write_text(
        "struct mp;\nstruct mp *mp_create(unsigned size);\nvoid *mp_calloc(struct mp *p, unsigned n, unsigned size);\n"
        "void *mp_malloc(struct mp *p, unsigned size, int flags);\nvoid mp_free(struct mp *p, void *block);\n")
    (tmp_path / "src" / "mp.c").write_text('#include "mp.h"\n')
    read = types("heapster describe include/mp.h", tmp_path)
    assert [line for line in read.lines if not line.startswith("#")] == [
        'sources = ["src/mp.c"]', 'headers = ["include/mp.h"]', 'include = ["include"]', "region = 65536",
        'instance = "struct mp *"', 'init = "mp_create(region_size)"',
        'malloc = "size <= 4294967295 ? mp_malloc(instance, size, 0) : NULL"',
        'free = "mp_free(instance, pointer)"']


OF_16_BITS = """\
#include <stddef.h>
#include <stdint.h>
typedef struct { uint8_t *start; uint32_t length; } node_pool_t;
int np_init(node_pool_t *pool, void *buffer, uint32_t length);
void *np_alloc(node_pool_t *pool, uint16_t size);
void np_free(node_pool_t *pool, void *block);
"""
FIRST_FIT = """\
#include "np.h"
struct block { uint32_t size, used; };
#define NEXT(b) ((struct block *)((uint8_t *)(b) + (b)->size))
#define END(p) ((struct block *)((p)->start + (p)->length))
int np_init(node_pool_t *pool, void *buffer, uint32_t length)
{
    struct block *first = buffer;
    pool->start = buffer;
    pool->length = length & ~7u;
    first->size = pool->length;
    first->used = 0;
    return 0;
}
void *np_alloc(node_pool_t *pool, uint16_t size)
{
    %s need = ((size + 7u) & ~7u) + sizeof(struct block);
    for (struct block *b = (struct block *)pool->start; b < END(pool); b = NEXT(b)) {
        if (b->used || b->size < need)
            continue;
        if (b->size - need >= sizeof(struct block)) {
            struct block *rest = (struct block *)((uint8_t *)b + need);
            rest->size = b->size - need;
            rest->used = 0;
            b->size = need;
        }
        b->used = 1;
        return b + 1;
    }
    return NULL;
}
void np_free(node_pool_t *pool, void *block)
{
    if (block == NULL)
        return;
    ((struct block *)block - 1)->used = 0;
    for (struct block *b = (struct block *)pool->start; b < END(pool); b = NEXT(b))
        while (!b->used && NEXT(b) < END(pool) && !NEXT(b)->used)
            b->size += NEXT(b)->size;
}
"""


@pytest.mark.parametrize(("kind", "codes"), [("uint32_t", (0, 3)), ("uint16_t", (1,))])
def test_a_pool_is_not_condemned_for_sizes_that_its_interface_cannot_hold(
        tmp_path: Path, kind: str, codes: tuple[int, ...]) -> None:
    """C cuts them before the call. What the pool itself cuts is found: near the size of its whole region."""
    (tmp_path / "np.h").write_text(OF_16_BITS)
    (tmp_path / "np.c").write_text(FIRST_FIT % kind)
    read = types("heapster describe np.h -o np.toml && heapster fuzz np.toml --seconds 2 --jobs 1", tmp_path)
    assert 'malloc = "size <= 65535 ? np_alloc(&instance, size) : NULL"' in (tmp_path / "np.toml").read_text()
    assert read.code in codes, read.out + read.err
    if codes == (1,):
        assert re.match(r"outside_region.*\n  a = malloc\(655[23]\d\): the block ends", read.out)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize(("narrow", "most"), [("uint16_t", "65,535 bytes"), ("int", "2,147,483,647 bytes"),
                                              ("ptrdiff_t", "PTRDIFF_MAX bytes")])
def test_a_description_by_hand_passes_no_size_that_would_be_cut(narrow: str, most: str, compiler: str,
                                                                tmp_path: Path) -> None:
    """And says from which on it refuses them itself; what the pool does wrong besides is found."""
    header = OF_16_BITS.replace("np_alloc(node_pool_t *pool, uint16_t", f"np_alloc(node_pool_t *pool, {narrow}")
    (tmp_path / "np.h").write_text(header)
    (tmp_path / "np.c").write_text((FIRST_FIT % "size_t").replace("uint16_t size)", f"{narrow} size)").replace(
        "(size + 7u) & ~7u", "((size_t)size + 7u) & ~(size_t)7"))
    (tmp_path / "np.toml").write_text('sources = ["np.c"]\nheaders = ["np.h"]\nregion = 262144\nalignment = 8\n'
                                      'instance = "node_pool_t"\ninit = "np_init(&instance, region, region_size)"\n'
                                      'malloc = "np_alloc(&instance, size)"\nfree = "np_free(&instance, pointer)"\n')
    read = types(f"heapster fuzz np.toml --seconds 0.5 --jobs 1 --cc {compiler}", tmp_path)
    assert read.code in (0, 3), read.out
    assert f"policy: malloc can be told {most} at most: the type in which its description passes a size" in read.out


def test_the_region_of_a_draft_is_one_that_its_start_can_be_told(tmp_path: Path) -> None:
    (tmp_path / "np.h").write_text(OF_16_BITS.replace("uint32_t length)", "uint16_t length)"))
    read = types("heapster describe np.h", tmp_path)
    assert "region = 32768" in read.lines
