"""The objects that a target's variants are in: which are in which, and what is left out of them."""

from pathlib import Path

import pytest

from heapster.checkers.blackbox.accesses import Suspect, TracedEvent
from heapster.checkers.blackbox.believing import AS_ELSEWHERE, CUT_SHORT, ONLY_SO, best_place, rivals
from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.outline import Outline
from heapster.checkers.blackbox.protocol import EventKind, Mode, TargetEvent
from heapster.checkers.blackbox.repairing import FEW_CHANGES, Repair, RepairLayer, compiled_repairs
from heapster.checkers.blackbox.root_cause import GUESSED
from heapster.checkers.blackbox.searching import A_TURN, RepairSearch, in_order, in_turns, is_mended, is_short
from heapster.checkers.blackbox.variant_list import FORCED, LACKING, Variant
from heapster.checkers.targets import grammar
from heapster.checkers.targets.lines import Frame
from heapster.checkers.targets.opening import resolve
from heapster.model.operation import Trace
from heapster.model.spec import Promises
from heapster.model.trace import parse

SOURCE = """\
#include <stddef.h>
#define WORD 8
#define SIZE(p) (*(size_t *)((char *)(p) - WORD))
#define NEXT(p) ((char *)(p) + SIZE(p))
#define ALIGN(n) (((n) + 15) & ~15)
static char heap[1 << 16];
static size_t used;
static void told(void *p) { used += SIZE(p); }
void not_here(void *p);
#ifdef NEVER_DEFINED
static void hooked(void *p) { not_here(p); not_here(p); }
#endif
void never(size_t n) { used += n; }
void *malloc(size_t size)
{
    size_t need = ALIGN(size + WORD);
    char *block = heap + used, *next = NEXT(heap + WORD);
    if (need > sizeof heap - used)
        return next != heap ? NULL : next;
    used += need;
    SIZE(block + WORD) = need;
    return block + WORD;
}
void free(void *p) { if (p != NULL && p == NEXT(p)) told(p); }
"""
METHODS = """\
namespace a {
template <class T> class Pool {
public:
    explicit Pool(T *at) : at_(at) {}
    T *take(int n) const {
        if (n > 2) {
            return at_;
        }
        return nullptr;
    }
};
}
void *a::Heap::grow(int n)
{
    return nullptr;
}
"""


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> list[RepairLayer]:
    """The objects of `SOURCE`."""
    path = tmp_path_factory.mktemp("layers") / "small.c"
    path.write_text(SOURCE)
    return compiled_repairs(resolve(ForeignOptions(grammar.parse(str(path)))))


def test_macros_vary_apart_from_functions_and_from_those_that_use_them(layers: list[RepairLayer]) -> None:
    where = [{one.function for one in layer.repairs} for layer in layers]
    assert where == [{"told", "malloc", "free"}, {"WORD", "ALIGN"}, {"SIZE"}, {"NEXT"}]


def test_beside_macros_it_is_told_which_lines_of_functions_are_come_by(layers: list[RepairLayer]) -> None:
    """Else a macro that turns a part of a function off would not be told from one that mends it."""
    assert not layers[0].marks and {one.function for one in layers[2].marks} == {"told", "malloc", "free"}
    assert layers[2].users["SIZE"] == {"told", "malloc", "free"}


def test_what_no_call_comes_by_does_not_vary(layers: list[RepairLayer]) -> None:
    assert not any(one.function == "never" for layer in layers for one in layer.repairs)


def test_what_does_not_compile_takes_nothing_else_with_it(layers: list[RepairLayer]) -> None:
    """A pointer is not rounded: `next = ALIGN(...)` goes, and the other variants of its line stay."""
    line = [one for one in layers[0].repairs if one.variant.line == 17]
    assert len(line) > 15 and not any("ALIGN" in one.variant.after for one in line)


def test_what_nobody_defines_is_not_called(layers: list[RepairLayer]) -> None:
    """What is not compiled calls it, the object could not be loaded with it."""
    assert not any("not_here" in one.variant.after for layer in layers for one in layer.repairs)
    Judge(judge_program(layers[0].target.bits), layers[0].target).close()


def test_methods_are_named() -> None:
    outline = Outline(METHODS)
    assert [name for name, _ in outline.functions] == ["Pool", "take", "grow"]
    assert outline.function_at(7) == "take"


def test_only_what_a_function_uses_itself_is_reached_from_it() -> None:
    """Neither what a comment behind it names, nor what is declared behind a macro."""
    text = ("#define WORD 8\nvoid told(void);\nint work(int n) { return n + WORD; }\n/* told: for the check */\n"
            "void told(void) { }\nint check(void) { told(); return 0; }\n")
    reached = Outline(text).reached_from({"work"})
    assert {"work", "WORD"} <= reached and "told" not in reached


def test_a_comment_may_stand_before_a_function_s_brace() -> None:
    outline = Outline("int f(int n) /* NAKED */\n{\n    return n;\n}\nint g(int n) // once\n{ return f(n); }\n")
    assert [name for name, _ in outline.functions] == ["f", "g"]


def test_a_function_that_a_macro_renames_reaches_what_it_calls() -> None:
    """As a lab's malloc does, which is mm_malloc under its driver."""
    outline = Outline("#define malloc mm_malloc\nstatic int place(int n) { return n; }\n"
                      "int malloc(int n)\n{\n    return place(n);\n}\n")
    assert "place" in outline.reached_from({"mm_malloc"}) and not outline.macros


def test_a_search_whose_time_is_up_tries_nothing(layers: list[RepairLayer]) -> None:
    with Judge(judge_program(layers[0].target.bits), layers[0].target) as judge:
        search = RepairSearch(layers[0], judge, Promises(), lambda: True)
        assert search.mending(lambda _: True) == [] and search.tried == 0


def test_no_line_takes_the_tries_of_all_others() -> None:
    """Of each line a few come before the rest of any; what is forced stays last."""
    many = [((False, 0, True, 1, False, 0), MENDS._replace(variant=MENDS.variant._replace(line=5))) for _ in range(9)]
    bolder = ((False, 1, True, 1, False, 0), MENDS)
    forced = ((True, FORCED, True, 1, False, 0), MENDS)
    turns = in_turns([*many, bolder, forced])
    assert turns.index(bolder) == A_TURN and turns[-1] == forced and len(turns) == len(many) + 2


def test_what_passes_by_a_change_elsewhere_too_has_rivals() -> None:
    one = Repair(Variant(1, 3, "a", "b", 0, 0), Path("mm.c"), "b;", "place")
    same, other = (one._replace(function=name, variant=one.variant._replace(line=9)) for name in ("place", "free"))
    beside = same._replace(variant=one.variant._replace(line=4))
    assert rivals(one, [one, beside]) == () == rivals(one, [one, same._replace(avoids=True)])
    assert len(rivals(one, [one, other])) == len(rivals(one, [one, other._replace(changes=9)])) == 1
    assert len(rivals(one, [one, same])) == 1 and rivals(one, [one, same._replace(changes=9)]) == ()


def test_asking_what_the_target_takes_as_it_is_leaves_the_variant_chosen(layers: list[RepairLayer]) -> None:
    """What was asked next was asked of the target: the first that mended it was said to load what nobody wrote."""
    with Judge(judge_program(layers[0].target.bits), layers[0].target) as judge:
        search = RepairSearch(layers[0], judge, Promises())
        search._choose(7)
        assert search._memory() == search._memory() and judge.header.choice == 7


def test_of_a_call_and_what_it_calls_the_latter_comes_first() -> None:
    """As a header that is not counted: where the size is reckoned, or in what is handed to that."""
    call = MENDS._replace(function="malloc", mended="n = order_for(size + 16);")
    called = MENDS._replace(function="order_for", variant=MENDS.variant._replace(line=9))
    worse = called._replace(changes=9)
    assert in_order([call, called], []) == [called, call] == in_order([called, call], [])
    assert in_order([call, worse], []) == [call, worse] and in_order([], []) == []


def test_the_first_line_of_the_call_that_fails_speaks_for_no_change_of_it() -> None:
    other = MENDS._replace(function="free", variant=MENDS.variant._replace(line=9))
    frames, moment = (Frame("place", "mm.c", 3),), TracedEvent(TargetEvent(0, 0, 0, 0, 0, EventKind.ENTER, 0), ())
    guessed, seen = ((Suspect(moment, why), frames) for why in (f"what a = malloc(1) {GUESSED[0]}", "writes"))
    sure, unsure = best_place([seen], [MENDS, other]), best_place([guessed], [MENDS, other])
    assert sure is not None and sure.mended and unsure is not None and AS_ELSEWHERE in unsure.why


def test_what_is_bold_is_believed_late() -> None:
    """As a condition that another half never decides, which then gives no other address at all."""
    bold = MENDS._replace(variant=MENDS.variant._replace(rank=LACKING))
    assert MENDS._replace(changes=FEW_CHANGES).belief() < bold.belief() < MENDS._replace(changes=9).belief()


def test_what_a_wrong_word_leads_to_is_no_better_than_where_it_is_written() -> None:
    """As an epilogue that is not marked used: its merge may be changed so that it does no harm."""
    word = MENDS._replace(function="extend_heap", variant=MENDS.variant._replace(line=9), avoids=True)
    assert len(rivals(MENDS, [MENDS, word])) == 1 and in_order([word, MENDS], []) == [MENDS, word]
    assert rivals(MENDS, [MENDS, word._replace(changes=1)]) == () == rivals(MENDS, [MENDS, word._replace(narrow=True)])


def test_what_changes_many_addresses_is_doubted_by_what_does_so_elsewhere() -> None:
    """As numbers of bytes do by which a heap just holds what is asked for: none of them is the line for that."""
    size = MENDS._replace(changes=9)
    bolder = size._replace(function="free", variant=MENDS.variant._replace(line=9, rank=1))
    assert len(rivals(size, [size, bolder])) == 1
    assert rivals(size, [size, bolder._replace(function="place")]) == ()
    assert rivals(size, [size, bolder._replace(variant=bolder.variant._replace(rank=FORCED))]) == ()


def test_what_is_lacking_where_few_come_by_is_believed_before_a_change_of_what_all_do() -> None:
    """As an end tag that one way of two does not write, and the line that reads it."""
    reads = MENDS._replace(often=18, usual=True)
    lacks = MENDS._replace(function="free", often=1, variant=MENDS.variant._replace(line=9, before=""))
    assert in_order([reads, lacks], []) == [lacks, reads] == in_order([lacks, reads], [])
    assert in_order([lacks._replace(usual=True), reads], [])[0] is reads
    assert in_order([lacks._replace(avoids=True), reads], [])[0] is reads


def test_what_mends_a_trace_and_not_its_likes_is_believed_late_and_doubted() -> None:
    narrow, other = MENDS._replace(narrow=True), MENDS._replace(avoids=True, variant=MENDS.variant._replace(line=9))
    assert in_order([narrow, other], []) == [other, narrow] and not narrow.is_sound
    place = best_place([], [narrow])
    assert place is not None and ONLY_SO in place.why and not place.mended


def test_a_variant_is_asked_of_what_fails_nearly_so(layers: list[RepairLayer]) -> None:
    """All of it passes under a variant that mends the fault; where some does not, the variant is narrow."""
    trace, likes = parse("a = malloc(8)"), [parse("a = malloc(9)"), parse("a = malloc(10)")]
    one = next(one for one in layers[0].repairs if one.function == "malloc" and one.variant.rank == 0)
    for still, narrow in ((2, True), (0, False)):
        with Judge(judge_program(layers[0].target.bits), layers[0].target) as judge:
            search = RepairSearch(layers[0], judge, Promises())
            search._often, search._alike = [0] * (layers[0].highest + 1), likes[:1 + still]
            search._battery = Passing(still)        # type: ignore[assignment]
            (found, _) = search._tried([((False, 0, True, 1, False, 0), one)], 9, lambda _: False, frozenset())
            assert [one.narrow for one in found] == [narrow], (trace, still)


class Passing:
    """A battery that passes, but for so many of what is asked of it singly."""

    def __init__(self, failing: int) -> None:
        self._failing = failing

    def passes(self) -> bool:
        return True

    def answers(self, _: Trace) -> tuple[int, ...] | None:
        self._failing -= 1
        return None if self._failing >= 0 else ()

    def wander(self) -> None:
        pass

    def memory(self) -> tuple[int, int]:
        return 0, 0

    def decides_on_its_own(self) -> bool:
        return True


def test_what_gives_other_addresses_has_a_rival_that_gives_none() -> None:
    """As a page of twice the size has, where a header is not counted."""
    page = MENDS._replace(function="PAGE", changes=9)
    header = page._replace(function="zone_size", variant=MENDS.variant._replace(line=9), avoids=True, changes=0)
    assert len(rivals(page, [page, header])) == 1
    assert in_order([page, header], ["PAGE"]) == [header, page] == in_order([page, header], [])[::-1]
    assert rivals(page, [page, header._replace(changes=1)]) == () == rivals(page, [page, header._replace(hides=True)])


def test_a_line_is_not_called_the_one_where_not_all_was_tried_that_is_as_likely() -> None:
    sure, unsure = best_place([], [MENDS]), best_place([], [MENDS], is_short=True)
    assert sure is not None and sure.mended and unsure is not None and not unsure.mended and CUT_SHORT in unsure.why


@pytest.mark.parametrize(("most", "untried"), [(9, None), (1, (False, 1)), (0, (False, 0))])
def test_tries_that_end_are_told_where_what_is_as_likely_is_left(layers: list[RepairLayer], most: int,
                                                                 untried: tuple[bool, int] | None) -> None:
    """Two candidates, of which the second is bolder; neither mends it."""
    ranked = [((False, rank, True, 1, False, 0), MENDS._replace(variant=MENDS.variant._replace(rank=rank)))
              for rank in range(2)]
    with Judge(judge_program(layers[0].target.bits), layers[0].target) as judge:
        search = RepairSearch(layers[0], judge, Promises())
        assert search._tried(ranked, most, lambda _: True, frozenset()) == ([], []) and search.untried == untried
    assert is_short(MENDS, untried) == (untried == (False, 0))


def test_what_mends_one_trace_is_asked_whether_it_mends_another(layers: list[RepairLayer]) -> None:
    """Only where that fails without it: what passes anyway tells nothing."""
    one = next(one for one in layers[0].repairs if one.function == "malloc")
    with Judge(judge_program(layers[0].target.bits), layers[0].target) as judge:
        search = RepairSearch(layers[0], judge, Promises())

        def mended_by_it(judge: Judge) -> bool:
            judge.run(Mode.PRECISE, judge.set_steps(parse("a = malloc(8)\nfree(a)")))
            return bool(judge.header.choice != one.variant.number)

        met = search._met(mended_by_it)
        assert one in met and is_mended([search], one, mended_by_it)
        assert not is_mended([search], one, lambda _: False)
        assert not is_mended([search], one._replace(variant=one.variant._replace(number=0)), mended_by_it)


MENDS = Repair(Variant(1, 3, "a", "b", 0, 0), Path("mm.c"), "b;", "place")
ONE_TOO_FAR = MENDS._replace(variant=MENDS.variant._replace(rank=1, odd=True))


def test_one_too_far_is_believed_where_it_changes_nothing_else() -> None:
    """A plain change that gives traces which pass other addresses is not; one that changes less than an odd one is."""
    other = MENDS._replace(changes=17)
    assert min(other, ONE_TOO_FAR, key=Repair.belief) == ONE_TOO_FAR
    assert min(other, ONE_TOO_FAR._replace(changes=1), key=Repair.belief) == other


@pytest.mark.parametrize("doubtful", [MENDS._replace(partly=True), MENDS._replace(idles=True),
                                      MENDS._replace(hides=True), MENDS._replace(loads=True),
                                      MENDS._replace(avoids=True, changes=1),
                                      MENDS._replace(variant=MENDS.variant._replace(odd=True))])
def test_what_mends_a_part_or_turns_off_what_stands_behind_it_is_not_called_the_line(doubtful: Repair) -> None:
    other = MENDS._replace(variant=MENDS.variant._replace(line=9), avoids=True, changes=9)
    sure, unsure = best_place([], [MENDS, other]), best_place([], [doubtful, other])
    assert sure is not None and (sure.line, sure.label, sure.mended) == (3, "the line", "b;")
    assert unsure is not None and (unsure.line, unsure.label) == (3, "seen at")
    assert unsure.also[0].startswith("place, mm.c:9: ")
