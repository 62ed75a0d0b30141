"""The library's code is held against its source for all words, and code that does otherwise is refuted."""

import json
from pathlib import Path

import pytest

from heapster.checkers.proofs.compiled.faults import planted
from heapster.checkers.proofs.compiled.library_text import CompiledLibrary
from heapster.checkers.proofs.compiled.run import held, named, this_library
from heapster.checkers.proofs.compiled.validation import Validation, Validity, validated
from heapster.checkers.targets.source import without_spans
from heapster.cli import main
from heapster.impl import layout
from heapster.native.library import DEFAULTS
from heapster.results import UsageError

BLOCK_SIZE = """
define internal fastcc void @block.size(ptr noalias %retptr, i64 %arg.b) {{
entry:
  %p = inttoptr i64 %arg.b to ptr
  %word = load {how}, ptr %p{order}, align 8, !noalias !1
  %size = {operation} i64 %word, {mask}
  store i64 %size, ptr %retptr, align 8
  ret void
}}
"""
PAYLOAD = """
define internal fastcc void @block.payload(ptr noalias %retptr, i64 %arg.b) {{
entry:
{body}
}}
"""
ANSWERED = "  store i64 %p, ptr %retptr, align 8\n  ret void"
CLASS_AT = """
define internal fastcc void @classes.class_at(ptr noalias %retptr, i64 %arg.arena, i64 %arg.head) {{
entry:
  %far = add i64 %arg.head, {offset}
  %apart = sub i64 %far, %arg.arena
  %class = {shift} i64 %apart, 4
  store i64 %class, ptr %retptr, align 8
  ret void
}}
"""
FULL = 281474976710640      # the bits of a header that are the size


def of_text(text: str) -> Validation:
    """What comes of the one function of a library with this text."""
    library = CompiledLibrary(text, {}, without_spans())
    [subject] = library.all()
    return validated(library, subject)


def size(how: str = "i64", order: str = "", operation: str = "and", mask: int = FULL) -> Validation:
    return of_text(BLOCK_SIZE.format(how=how, order=order, operation=operation, mask=mask))


def payload(*lines: str) -> Validation:
    return of_text(PAYLOAD.format(body="\n".join([f"  {line}" for line in lines] + [ANSWERED])))


def class_at(shift: str) -> Validation:
    return of_text(CLASS_AT.format(shift=shift, offset=layout.NEXT - layout.CLASSES))


def test_code_that_does_what_the_source_does_is_validated() -> None:
    assert size().held is Validity.VALIDATED
    assert payload("%p = add i64 %arg.b, 8").held is Validity.VALIDATED
    assert class_at("ashr").held is Validity.VALIDATED
    assert payload("%q = sub i64 %arg.b, -16", "%p = add i64 %q, -8").held is Validity.VALIDATED


@pytest.mark.parametrize(("found", "reason"), [
    (lambda: size(mask=FULL - 16), "the answer differs"),
    (lambda: size(operation="or"), "the answer differs"),
    (lambda: size(how="atomic i64", order=" monotonic"), "the compiled code does load monotonic, the source ends"),
    (lambda: payload("%p = add nsw i64 %arg.b, 8"), "the answer is poison"),
    (lambda: payload("%p = or disjoint i64 %arg.b, 8"), "the answer is poison"),
    (lambda: payload("%q = add i64 %arg.b, 8", "%r = icmp sgt i64 %q, 0", "%p = select i1 %r, i64 %q, i64 0"),
     "the answer differs"),
    (lambda: payload("%p = add i64 %arg.b, 8", "store i64 0, ptr inttoptr (i64 65536 to ptr), align 8"),
     "at the end the word at 65536 differs"),
    (lambda: payload("%p = add i64 %arg.b, 8", "tail call void @heapster_abort(i64 1, i64 %p)"),
     "the compiled code does call heapster_abort, the source ends"),
    (lambda: class_at("lshr"), "the answer differs"),
    (lambda: class_at("ashr exact"), "the answer is poison"),
    (lambda: of_text(PAYLOAD.format(body="  unreachable")), "the code runs where it must not"),
    (lambda: of_text(PAYLOAD.format(body="  ret void")), "it writes no answer"),
])
def test_other_code_is_refuted(found: object, reason: str) -> None:
    assert callable(found)
    came = found()
    assert (came.held, came.reason) == (Validity.REFUTED, reason)
    assert came.words or "ends" in reason or "must not" in reason


def test_a_loop_without_an_end_in_sight_is_not_covered() -> None:
    found = of_text(PAYLOAD.format(body="  br label %turn\nturn:\n  br label %turn"))
    assert (found.held, found.reason) == (Validity.NOT_COVERED, "a loop")


def test_what_is_written_in_a_language_that_is_not_known_is_not_covered() -> None:
    assert payload("%p = add i64 %arg.b, 8", "store i16 0, ptr inttoptr (i64 65536 to ptr), align 8").held is (
        Validity.NOT_COVERED)


# The library.

QUICK = ["heapster_word_malloc", "heapster_word_free", "heapster_word_realloc", "malloc.malloc_slow.direct",
         "region.drop_region", "vault.map_guarded", "heapster_word_set_keep", "arena.check_neighbours"]
HUNTED = ["region.drop_region", "heapster_word_set_arenas", "vault.map_guarded", "malloc.malloc_slow.direct"]
HUNTED_WITH_SPANS = ["thread_cache.send_if_remote"]     # which asks of whose run an address is
BUILDS = pytest.mark.parametrize("spans", [False, True])
SAME = 2                    # changes of one of these functions, at most, that change nothing


@pytest.mark.parametrize("name", QUICK)
@BUILDS
def test_functions_of_the_library_are_validated(name: str, spans: bool) -> None:
    found = held(60, name, spans=spans)
    assert (found.held, found.reason) == (Validity.VALIDATED, "")


@pytest.mark.parametrize(("name", "spans"), [*[(name, False) for name in HUNTED],
                                             *[(name, True) for name in HUNTED_WITH_SPANS]])
def test_each_fault_in_the_code_is_refuted(name: str, spans: bool) -> None:
    library = this_library(spans=spans)
    subject = library.of(name)
    found = [(fault, validated(library, subject._replace(code=fault.code))) for fault in planted(subject.code)]
    assert {came.held for _, came in found} <= {Validity.REFUTED, Validity.VALIDATED}
    same = [f"{fault.kind}: {fault.text}" for fault, came in found if came.held is Validity.VALIDATED]
    assert len(same) <= SAME, same
    assert len(found) > 2 * len(same)


def test_what_the_code_with_spans_is_read_beside_has_spans() -> None:
    assert "runs.owner_of_slot" in held(60, "thread_cache.send_if_remote", spans=True).met
    assert "thread_cache.send_if_remote" not in named([], spans=False)
    assert list(this_library(spans=True).tabled.values()) != list(this_library(spans=False).tabled.values())


def test_faults_of_many_kinds_are_planted() -> None:
    kinds = {fault.kind for name in (*HUNTED, "region.may_drop") for fault in planted(this_library().of(name).code)}
    assert kinds >= {"a store is dropped", "a store is done late", "another constant", "another comparison",
                     "another shift", "the other branch", "a wrong promise"}


def test_names_are_those_of_the_source_or_of_the_library() -> None:
    assert named(["api.malloc"]) == ["heapster_word_malloc"]
    assert named(["malloc.malloc_slow"]) == ["malloc.malloc_slow.direct"]
    assert len(named([])) > 80
    with pytest.raises(UsageError, match="is compiled into those that call it"):
        named(["bins.push"])


# The command.

def test_the_command_says_what_is_validated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "run.json"
    assert main(["prove", "--compiled", "api.malloc", "--jobs", "1", "--json", str(file)]) == 0
    assert "1 of 1 function of the library with" in capsys.readouterr().out
    written = json.loads(file.read_text(encoding="utf-8"))
    assert written["ends"] == {"VALIDATED": 1, "REFUTED": 0, "NOT COVERED": 0}
    assert (written["why_not"], written["with_spans"]) == ({}, DEFAULTS.spans)
    [row] = written["compiled"]
    assert (row["name"], row["of"], row["verdict"]) == ("heapster_word_malloc", "api.malloc", "VALIDATED")
    assert "bins.pop" in row["functions"]


@pytest.mark.parametrize(("spans", "build"), [(0, "without spans"), (1, "with spans")])
def test_a_target_chooses_the_build(spans: int, build: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "run.json"
    command = ["prove", f"sim:spans={spans}", "--compiled", "api.free_other", "--jobs", "1", "--json", str(file)]
    assert main(command) == 0
    assert f"1 of 1 function of the library {build} VALIDATED" in capsys.readouterr().out
    assert json.loads(file.read_text(encoding="utf-8"))["with_spans"] is bool(spans)


@pytest.mark.parametrize("words", [["no_such"], ["--cross-check"], ["--covers"], ["api.malloc", "--thorough"]])
def test_what_makes_no_sense_is_refused_in_a_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", "--compiled", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1
