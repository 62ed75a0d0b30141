"""A finding is named by its cause, whatever it shows as; one cause is one finding."""

import re
from pathlib import Path

import pytest

from heapster.checkers.blackbox.build import Compiler, judge_program
from heapster.checkers.blackbox.campaign import Campaign
from heapster.checkers.blackbox.describe import identity
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.model.trace import parse
from heapster.results import Finding

ZOO = Path(__file__).parent / "zoo"
CUT_TO_UNSIGNED = "#define ROUND(size) (((size_t)(unsigned int)(size) + 15) & ~(size_t)15)\n"
CUT_WHEN_ROUNDED = "#define ROUND(size) (((unsigned int)(size) + 15) & ~15u)\n"
DIES_OF_NULL = "#define USABLE(b) ((b)->size)\n#define USABLE_OF_NULL USABLE((struct block *)NULL)\n"
FREES_FIRST = "#define BEFORE_NEW_BLOCK(p) if (size > PTRDIFF_MAX) free(p)\n"
COUNTS_HEADER = "#define USABLE(b) ((b)->size + sizeof(struct block))\n"
LEAVES_A_TAG = """
#define CALLOC_ZEROES(p, count, size) (memset(p, 0, (count) * (size)), ((char *)(p))[(count) * (size) - 8] = 2)
"""
CLEARS_A_NEIGHBOUR = """
#define ON_FREE(b) if ((b)->size >= 64 && (b)->next != NULL && (b)->next->used) memset((b)->next + 1, 0, 8)
"""
CLEARS_SMALL = "#define CALLOC_ZEROES(p, count, size) ((count) * (size) < 64 ? memset(p, 0, (count) * (size)) : p)\n"
ENDS_EARLY = "#define ALIGNED(p, a) ((((p) + (a) - 1) & ~(uintptr_t)((a) - 1)) + 32)\n"


def findings(folder: Path, fault: str, *traces: str) -> list[Finding]:
    """What the traces show of the zoo's allocator with a fault."""
    source = folder / "mine.c"
    source.write_text(f'#include <string.h>\n{fault}#include "firstfit.h"\n')
    target = resolve(ForeignOptions(grammar.parse(str(source)), compiler=Compiler("cc", (f"-I{ZOO}",))))
    with Judge(judge_program(target.bits), target) as judge:
        run = Campaign(judge, 30, 1)
        for trace in traces:
            run.judge_trace(parse(trace))
    return [shown.finding for shown in run.shown]


def test_sizes_that_are_cut_are_one_finding_in_all_functions(tmp_path: Path) -> None:
    found = findings(tmp_path, CUT_TO_UNSIGNED, "a = malloc(4294967304)", "a = malloc(24); b = realloc(a, 4294967304)",
                     "a = aligned_alloc(64, 4294967304)", "a = calloc(2, 4294967304)", "a = malloc(8589934600)")
    assert [finding.code for finding in found] == ["size_truncated"]
    assert "the size is cut to 32 bits" in found[0].title


@pytest.mark.parametrize("size", [2**32 - 1, 3 * 2**32 - 1, 2**63 + 2**32 + 24])
def test_a_size_is_cut_also_where_rounding_it_up_wraps_or_it_is_huge(tmp_path: Path, size: int) -> None:
    fault = CUT_WHEN_ROUNDED if size < 1 << 63 else CUT_WHEN_ROUNDED + "#define TOO_LARGE(size) 0\n"
    found = findings(tmp_path, fault, f"a = malloc({size})", "a = malloc(8589934600)")
    assert [finding.code for finding in found] == ["size_truncated"]


def test_a_size_that_is_cut_where_a_list_is_chosen_is_called_so_though_the_call_dies(tmp_path: Path) -> None:
    fault = ("#define ON_MALLOC(size) if ((size) >> 32 && (unsigned)(size) < 1000) *(int *)1 = 0\n"
             "#define TOO_LARGE(size) ((size) >> 30)\n")
    found = findings(tmp_path, fault, "a = malloc(8589934632)")
    assert [finding.code for finding in found] == ["size_truncated"]
    assert found[0].id == identity("mine.c", "size_truncated", found[0].trace), "a baseline knows it by what it is"
    assert found[0].replay.endswith(found[0].id)


def test_a_size_that_is_refused_inside_and_answered_all_the_same_is_not_cut(tmp_path: Path) -> None:
    fault = ("#define TOO_LARGE(size) ((size) >> 20 && !((size) >> 32))\n"
             "#define ROUND(size) ((size) >> 32 ? 16 : ((size) + 15) & ~(size_t)15)\n")
    found = findings(tmp_path, fault, "a = malloc(8589934632)", "a = malloc(9223372036854661104)")
    assert "size_truncated" not in [finding.code for finding in found]
    assert found


def test_a_usable_size_that_cannot_be_asked_is_a_crash(tmp_path: Path) -> None:
    found = findings(tmp_path, DIES_OF_NULL, "usable_size(NULL)")
    assert [finding.code for finding in found] == ["crash"]


def test_a_failed_realloc_that_frees_is_named_when_its_block_is_given_again(tmp_path: Path) -> None:
    found = findings(tmp_path, FREES_FIRST, "a = malloc(40); b = realloc(a, SIZE_MAX - 40); c = malloc(40)")
    assert [finding.code for finding in found] == ["failed_realloc_changed_block"]
    assert "fails, and frees" in found[0].title
    assert found[0].details[1].startswith("it shows as ")


def test_damage_that_needs_no_failed_realloc_keeps_its_name(tmp_path: Path) -> None:
    trace = "a = malloc(64); b = malloc(64); c = realloc(b, SIZE_MAX - 40); free(a)"
    assert [finding.code for finding in findings(tmp_path, CLEARS_A_NEIGHBOUR, trace)] == ["contents_damaged"]


def of_the_lab(folder: Path, old: str, new: str, *traces: str) -> list[Finding]:
    """What the traces show of a lab's allocator with a few words that read otherwise."""
    text = (ZOO.parent / "correct" / "mm.c").read_text()
    assert old in text
    source = folder / "mm.c"
    source.write_text(text.replace(old, new))
    target = resolve(ForeignOptions(grammar.parse(str(source))))
    with Judge(judge_program(target.bits), target) as judge:
        run = Campaign(judge, 30, 1)
        for trace in traces:
            run.judge_trace(parse(trace))
    return [shown.finding for shown in run.shown]


NEED, WITHOUT_TAGS = "(size + 16 + 15)", "(size + 15)"


def test_forgotten_tags_are_one_finding_however_they_show(tmp_path: Path) -> None:
    """It dies, or loses what a caller wrote: the block is too small, whatever its size."""
    found = of_the_lab(tmp_path, NEED, WITHOUT_TAGS, "a = malloc(48); b = malloc(48); free(a); c = malloc(500)",
                       "a = malloc(40); b = malloc(100); free(a); c = malloc(8)",
                       "a = malloc(104); b = realloc(a, 105); c = malloc(24); free(b)",
                       "a = malloc(2000); b = malloc(24); free(a); free(b)")
    assert [finding.code for finding in found] == ["block_too_small"]
    assert "of it the heap keeps for words of its own" in found[0].title


def test_a_copy_that_harms_the_heap_is_not_called_a_block_that_is_too_small(tmp_path: Path) -> None:
    found = of_the_lab(tmp_path, "memcpy(q, p, room", "memcpy(q, p, room + 200",
                       "a = malloc(13); b = malloc(13); c = realloc(a, 100); d = malloc(24); e = malloc(24)")
    assert found
    assert "block_too_small" not in {finding.code for finding in found}


def test_a_list_that_runs_through_small_blocks_is_not_called_so_either(tmp_path: Path) -> None:
    """Where all of a block is the heap's, and not its end alone."""
    found = of_the_lab(tmp_path, "    set(b, SIZE(b), 0);", "", "a = malloc(8); free(a); b = malloc(8); c = malloc(8)")
    assert "block_too_small" not in {finding.code for finding in found}


def test_a_usable_size_that_is_too_large_says_so(tmp_path: Path) -> None:
    found = findings(tmp_path, COUNTS_HEADER, "a = malloc(24); b = malloc(24); c = malloc(24)")
    assert [finding.code for finding in found] == ["usable_too_large"]
    assert re.fullmatch(r"a = malloc\(\d+\): the usable size of a, \d+, is \d+ too large", found[0].title)


def test_a_usable_size_is_not_blamed_for_harm_to_what_was_asked_for(tmp_path: Path) -> None:
    fault = "#define ON_MALLOC(size) if (first != NULL && first->used) ((char *)(first + 1))[first->size - 1] = 0\n"
    found = findings(tmp_path, fault, "a = malloc(20); b = malloc(24)")
    assert [finding.code for finding in found] == ["contents_damaged"]


@pytest.mark.parametrize(("fault", "trace", "hint"), [
    (LEAVES_A_TAG, "a = calloc(1, 100)", "the word 2 is there, which no caller wrote"),
    (CLEARS_SMALL, "a = malloc(100); free(a); b = calloc(1, 100)",
     "what a caller wrote before is still there"),
    (CLEARS_A_NEIGHBOUR, "a = malloc(64); b = malloc(64); free(a)", "zeroes are there now")])
def test_what_is_found_in_a_damaged_place_is_told(tmp_path: Path, fault: str, trace: str, hint: str) -> None:
    found = findings(tmp_path, fault, trace)
    assert any(hint in detail for finding in found for detail in finding.details), found


def test_what_only_aligned_blocks_damage_is_told(tmp_path: Path) -> None:
    fault = "#define SHIFTED\n" + ENDS_EARLY
    found = findings(tmp_path, fault, "a = malloc(100); b = aligned_alloc(64, 100); c = malloc(100); free(a); free(b)")
    assert any("with malloc in place of the aligned calls it passes" in detail
               for finding in found for detail in finding.details), found
