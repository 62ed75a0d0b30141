"""Faulty C allocators, each a correct one with a single wrong expression: and which line is named for each."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
MARK = "   /* FAULT */"


class LineFault(NamedTuple):
    """One expression of a correct allocator, written wrongly."""

    name: str
    base: str           # the correct one, in this folder
    right: str          # the line, without its indentation, as far as it is told apart by it
    wrong: str

    def text(self) -> str:
        """The faulty source, the line marked."""
        lines = (HERE / self.base).read_text().splitlines()
        at = self.line - 1
        lines[at] = lines[at].replace(self.right, self.wrong, 1) + (MARK if not lines[at].endswith("\\") else "")
        return "\n".join(lines) + "\n"

    @property
    def line(self) -> int:
        """The line that is wrong."""
        found = [number for number, line in enumerate((HERE / self.base).read_text().splitlines(), 1)
                 if self.right in line]
        assert found, f"{self.name}: {self.base} has no {self.right}"
        return found[0]

    def plant(self, folder: Path) -> Path:
        """Write it, with what it needs beside it; what is to be judged."""
        source = folder / f"{self.name}.c"
        source.write_text(self.text())
        base = HERE / self.base
        if not base.with_suffix(".toml").exists():
            return source
        for beside in (base.with_suffix(".h"), base.with_suffix(".toml")):
            (folder / beside.name).write_text(beside.read_text().replace(base.name, source.name))
        return folder / base.with_suffix(".toml").name


def _of(base: str, *faults: tuple[str, str, str]) -> Iterator[LineFault]:
    return (LineFault(name, base, right, wrong) for name, right, wrong in faults)


LINE_FAULTS = (
    *_of("lines/explicit.c",
         ("footer_a_word_too_far", "PUT(FTRP(bp), PACK(asize, 1));", "PUT(FTRP(bp) + WSIZE, PACK(asize, 1));"),
         ("reads_the_wrong_neighbour", "GET_ALLOC(HDRP(NEXT_BLKP(bp)));", "GET_ALLOC(HDRP(PREV_BLKP(bp)));"),
         ("absorbs_the_wrong_size", "size += GET_SIZE(HDRP(NEXT_BLKP(bp)));",
          "size += GET_SIZE(HDRP(PREV_BLKP(bp)));"),
         ("merges_used_left", "if (!prev_alloc) {", "if (!prev_alloc || size > 4096) {"),
         ("rounds_down", "return DSIZE * ((size + DSIZE + DSIZE - 1) / DSIZE);",
          "return DSIZE * ((size + DSIZE) / DSIZE);"),
         ("forgets_the_footer", "return DSIZE * ((size + DSIZE + DSIZE - 1) / DSIZE);",
          "return DSIZE * ((size + WSIZE + DSIZE - 1) / DSIZE);"),
         ("fits_too_small", ">= asize)", "+ DSIZE >= asize)"),
         ("splits_too_small", "if (csize - asize >= MINBLOCK) {", "if (csize - asize >= DSIZE) {"),
         ("rest_too_large", "PUT(HDRP(bp), PACK(csize - asize, 0));", "PUT(HDRP(bp), PACK(csize, 0));"),
         ("rest_footer_too_large", "PUT(FTRP(bp), PACK(csize - asize, 0));", "PUT(FTRP(bp), PACK(csize + asize, 0));"),
         ("copies_the_new_size", "memcpy(new_bp, bp, old);", "memcpy(new_bp, bp, size);"),
         ("copies_too_little", "memcpy(new_bp, bp, old);", "memcpy(new_bp, bp, WSIZE);"),
         ("grows_in_place", "if (size <= old)", "if (size <= old + WSIZE)"),
         ("room_with_header", "size_t old = GET_SIZE(HDRP(bp)) - DSIZE;", "size_t old = GET_SIZE(HDRP(bp));"),
         ("unlinks_forward_only", "node->next->prev = node->prev;", "node->next->prev = node->next;"),
         ("tag_of_a_whole_block_forgotten", "PUT(FTRP(bp), PACK(csize, 1));", "(void)csize;"),
         ("small_blocks_too_small", "return MINBLOCK;", "return DSIZE;"),
         ("chunk_too_small", "bp = extend_heap(asize > CHUNK ? asize : CHUNK);",
          "bp = extend_heap(CHUNK);")),
    *_of("correct/mm.c",
         ("footer_beyond", "#define FOOT(b) (*(size_t *)((b) + SIZE(b) - 8))",
          "#define FOOT(b) (*(size_t *)((b) + SIZE(b)))"),
         ("left_footer_misread", "size_t left = *(size_t *)(b - 8);", "size_t left = *(size_t *)(b - 16);"),
         ("used_right", "if (!USED(right))", "if (USED(right))"),
         ("size_rounded_down", "size_t need = (size + 16 + 15) & ~(size_t)15;",
          "size_t need = (size + 16) & ~(size_t)15;"),
         ("room_too_large", "size_t room = SIZE((char *)p - 8) - 16;", "size_t room = SIZE((char *)p - 8) - 8;"),
         ("copies_too_much", "memcpy(q, p, room);", "memcpy(q, p, size);"),
         ("rest_overlaps", "set(b + need, rest, 0);", "set(b + need - 16, rest, 0);"),
         ("takes_used", "(USED(b) || SIZE(b) < need)", "(SIZE(b) < need)"),
         ("asks_too_little", "if (mem_sbrk((intptr_t)need) == (void *)-1)",
          "if (mem_sbrk((intptr_t)need - 16) == (void *)-1)")),
    *_of("correct/classes.c",
         ("header_forgotten", "while (((size_t)1 << class) < size + sizeof(struct header))",
          "while (((size_t)1 << class) < size)"),
         ("bumps_too_little", "top += size;", "top += size - 16;"),
         ("class_room_misjudged", "- sizeof(struct header);", "+ sizeof(struct header);"),
         ("zeroes_count_only", "return p != NULL ? memset(p, 0, bytes) : NULL;",
          "return p != NULL ? memset(p, 0, count) : NULL;")),
    *_of("correct/dense.c",
         ("last_slot_outside", "at + page->slot <= PAGE;", "at <= PAGE;"),
         ("slots_overlap", "at += page->slot) {", "at += page->slot / 2) {"),
         ("slot_too_small", "while ((size_t)8 << list < size)", "while ((size_t)16 << list < size)"),
         ("frees_to_the_wrong_list", "while ((size_t)8 << list < page->slot)",
          "while ((size_t)4 << list < page->slot)"),
         ("maps_too_little", "size_t bytes = (size + HEAD + PAGE - 1) & ~(size_t)(PAGE - 1);",
          "size_t bytes = (size + PAGE - 1) & ~(size_t)(PAGE - 1);"),
         ("held_too_large", "if (held >= size)", "if (held + 8 >= size)")),
    *_of("correct/pool.c",
         ("one_block_beyond", "at + POOL_BLOCK <= (char *)memory + size;",
          "at + POOL_BLOCK <= (char *)memory + size + 64;"),
         ("starts_at_its_own_head", "char *at = (char *)memory + 64;", "char *at = (char *)memory + 0;"),
         ("takes_too_large", "size <= POOL_BLOCK ?", "size <= POOL_BLOCK + 8 ?")),
    *_of("lines/explicit.c", ("unlinks_what_is_freed", "unlink_block(NEXT_BLKP(bp));", "unlink_block(bp);")),
    *_of("lines/chain.c",
         ("copies_the_request", "copy = b->size < size ? b->size : size;", "copy = size;"),
         ("tail_stays", "        else last = b;                  /* alone in its line: a fault leaves it out */", ""),
         ("cast_before_the_sum", "(char *)(b + 1) + size);", "(char *)b + 1 + size);")),
)

BLIND_FAULTS = (        # written after the ranking, which was never tuned on them
    *_of("blind/tags.c", ("tail_not_counted", "(n + 16 + 15) / 16", "(n + 8 + 15) / 16")),
    *_of("blind/segregated.c", ("class_below", "while (ClassSize(sizeClass) < bytes)",
                                "while (ClassSize(sizeClass + 1) <= bytes)")),
    *_of("blind/buddy.c", ("merges_part_of_a_buddy", "if (order_of[granule(buddy)] != (IS_FREE | order))",
                           "if (!(order_of[granule(buddy)] & IS_FREE))")),
    *_of("blind/slab.c", ("head_not_counted", "(SLAB_BYTES - sizeof *s) / s->object", "SLAB_BYTES / s->object")),
    *_of("blind/bitmap.c", ("end_stays", "put(last, first + n - 1, false);", "put(last, first + n, false);")),
    *_of("blind/circle.c", ("units_rounded_down", "(nbytes + sizeof(Header) - 1) / sizeof(Header) + 1",
                            "nbytes / sizeof(Header) + 1")),
    *_of("blind/twolevel.c", ("neighbour_not_told", "above(r)->below = r;", "above(b)->below = b;")),
    *_of("blind/tree.c", ("rest_with_a_head_more", "rest->size = e->size - size;",
                          "rest->size = e->size - size + HEAD;")),
    *_of("blind/nextfit.c", ("rover_in_a_merged_block", "if (rover > bp && rover < next(bp))",
                             "if (rover > next(bp))")),
    *_of("blind/packets.c", ("one_packet_beyond", "count = (bytes - head) / PACKET", "count = bytes / PACKET")),
    *_of("blind/circle.c", ("piece_without_a_size", "p->s.size = nunits;", ""),
         ("cut_off_at_the_start", "p += p->s.size;", "p += nunits;")),
)
