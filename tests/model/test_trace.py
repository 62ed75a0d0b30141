"""Traces: their text form, its round trip, and what is wrong with texts that are none."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heapster.model.geometry import PTRDIFF_MAX, SIZE_MAX, WORD
from heapster.model.operation import NO_HANDLE, Step, canonical, handles, undefined_handle
from heapster.model.operations import OPERATIONS, WRITING
from heapster.model.trace import TraceError, format_step, format_trace, handle_name, parse, parse_bytes

EVERY_VERB = """\
a = malloc(40)
b = calloc(3, 8)
c = realloc(a, 100)
c = reallocarray(c, 3, 8)
d = aligned_alloc(64, 128)
d = posix_memalign(64, 128)
d = memalign(64, 128)
v = valloc(10)
v = pvalloc(10)
free(b)
free(NULL)
free(d + 8)
free(d - 8)
free_sized(c, 24)
free_aligned_sized(d, 64, 128)
usable_size(c)
policy best_fit
threshold 8192
growth 4096
arenas 2
cache 4096
keep 65536
trim 4096
thread 2
thread_end
foreign_sbrk(24)
foreign_sbrk(-24)
fail sbrk 3
stats
fork
poke c - 8 0x41
finalize
"""


def test_every_verb_is_written_as_it_is_read() -> None:
    """The canonical text of a trace parses to the trace."""
    steps = parse(EVERY_VERB)
    assert format_trace(steps) == EVERY_VERB
    assert {step.verb for step in steps} == set(OPERATIONS)


def test_a_step_is_what_it_says() -> None:
    """Verb, numbers, result, operand, offset and name."""
    steps = parse("a = malloc(40); b = realloc(a + 8, 0x64)\npolicy next_fit; fail munmap 2")
    assert steps == (
        Step("malloc", (40,), result=0),
        Step("realloc", (100,), result=1, operand=0, offset=8),
        Step("policy", name="next_fit"),
        Step("fail", (2,), name="munmap"),
    )


def test_comments_blanks_and_separators_are_free() -> None:
    """What people write by hand is read."""
    text = "\n# a comment\n  a=malloc( 40 ) # more ; b = nothing\r\n;;free( a+8 );\tpolicy  best_fit\n"
    assert format_trace(parse(text)) == "a = malloc(40)\nfree(a + 8)\npolicy best_fit\n"


@pytest.mark.parametrize(("text", "number", "written"), [
    ("PTRDIFF_MAX", PTRDIFF_MAX, "PTRDIFF_MAX"),
    ("PTRDIFF_MAX - 15", PTRDIFF_MAX - 15, "PTRDIFF_MAX - 15"),
    ("PTRDIFF_MAX+1", 1 << 63, "PTRDIFF_MAX + 1"),
    ("SIZE_MAX", SIZE_MAX, "SIZE_MAX"),
    ("SIZE_MAX - 0xf", SIZE_MAX - 15, "SIZE_MAX - 15"),
    ("-1", SIZE_MAX, "SIZE_MAX"),
    ("-16", SIZE_MAX - 15, "SIZE_MAX - 15"),
    (f"SIZE_MAX - {(1 << 30) - 1}", SIZE_MAX - (1 << 30) + 1, "SIZE_MAX - 1073741823"),
    (f"SIZE_MAX - {1 << 30}", SIZE_MAX - (1 << 30), str(SIZE_MAX - (1 << 30))),
    ("0x10", 16, "16"),
    ("4096 + 1 - 2", 4095, "4095"),
    ("0", 0, "0"),
])
def test_sizes_are_read_as_c_reads_them(text: str, number: int, written: str) -> None:
    """Decimal, hexadecimal, the named limits, and negative numbers that wrap."""
    (step,) = parse(f"a = malloc({text})")
    assert step.numbers == (number,)
    assert format_step(step) == f"a = malloc({written})"


@pytest.mark.parametrize(("text", "line", "message"), [
    ("", 1, "there is no step in this trace"),
    ("# nothing\n\n", 1, "there is no step in this trace"),
    ("a = malloc(1)\nb = maloc(2)", 2, "unknown operation 'maloc'; did you mean malloc?"),
    ("zzz", 1, "unknown operation 'zzz'; if a newer Heapster wrote it, read it with that"),
    ("a = malloc()", 1, "malloc takes (size), not 0 arguments"),
    ("a = malloc(1, 2)", 1, "malloc takes (size), not 2 arguments"),
    ("stats now", 1, "stats takes no arguments, not 1 argument"),
    ("free()", 1, "free takes (pointer), not 0 arguments"),
    ("a = malloc(1)\n\nfree(b)", 3, "handle 'b' is not defined by any step before"),
    ("free(a); a = malloc(1)", 1, "handle 'a' is not defined by any step before"),
    ("a = malloc(x)", 1, "'x' is no number"),
    ("a = malloc(SIZEMAX)", 1, "'SIZEMAX' is no number; did you mean SIZE_MAX?"),
    ("a = malloc(SIZE_MAX + 1)", 1, "the size 18446744073709551616 is out of range"),
    ("a = malloc(1.5)", 1, "'1.5' is no number"),
    ("malloc(1)", 1, "the answer of malloc needs a handle: a = malloc(...)"),
    ("a = free(NULL)", 1, "free answers no pointer, so it cannot define 'a'"),
    ("NULL = malloc(1)", 1, "NULL is no handle"),
    ("free(NULL + 8)", 1, "NULL takes no offset"),
    ("free(12)", 1, "'12' is no handle; write a, a + 8 or NULL"),
    ("policy bestfit", 1,
     "'bestfit' is none of first_fit, next_fit, best_fit, worst_fit, segregated_fit; did you mean best_fit?"),
    ("fail sbrk -1", 1, "the nth -1 is out of range"),
    ("thread -1", 1, "the index -1 is out of range"),
    ("a = malloc(40", 1, "not a step: a = malloc(40"),
    ("= malloc(40)", 1, "not a step: = malloc(40)"),
    ("a = malloc(\x00)", 1, "this is not text"),
    ("a" * 41, 1, "unknown operation '" + "a" * 37 + "...'; if a newer Heapster wrote it, read it with that"),
    ("a" * 40, 1, "unknown operation '" + "a" * 40 + "'; if a newer Heapster wrote it, read it with that"),
    ("a" * 100, 1, "unknown operation '" + "a" * 37 + "...'; if a newer Heapster wrote it, read it with that"),
])
def test_what_is_no_trace_says_where_and_why(text: str, line: int, message: str) -> None:
    """One line, with its number."""
    with pytest.raises(TraceError) as caught:
        parse(text)
    assert (caught.value.line, caught.value.message) == (line, message)
    assert str(caught.value) == f"line {line}: {message}"


def test_bytes_that_are_no_text_are_no_trace() -> None:
    """Binary files end in one message."""
    assert parse_bytes(b"a = malloc(1)\n") == parse("a = malloc(1)")
    with pytest.raises(TraceError, match="line 2: this is not text"):
        parse_bytes(b"a = malloc(1)\nfree(\xff)")
    with pytest.raises(TraceError):
        parse_bytes(bytes(range(256)))


def test_misuse_is_legal_input() -> None:
    """A handle may be freed twice, used after its free, and defined again."""
    steps = parse("a = malloc(1); free(a); free(a); usable_size(a); a = malloc(2)")
    assert [step.operand for step in steps] == [NO_HANDLE, 0, 0, 0, NO_HANDLE]


@pytest.mark.parametrize(("handle", "name"), [
    (0, "a"), (25, "z"), (26, "aa"), (27, "ab"), (701, "zz"), (702, "aaa"),
])
def test_handles_have_names(handle: int, name: str) -> None:
    """a to z, then aa, as spreadsheets count."""
    assert handle_name(handle) == name
    assert parse(f"{name} = malloc(1)")[0].result == handle


def test_names_of_the_users_own_get_free_numbers() -> None:
    """Identifiers that are no canonical names are read, and do not collide."""
    steps = parse("one_1 = malloc(1); a = malloc(2); B2 = malloc(3); free(one_1); free(a); free(B2)")
    made, freed = [step.result for step in steps[:3]], [step.operand for step in steps[3:]]
    assert made == freed
    assert len(set(made)) == 3
    assert [step.result for step in parse("abcd = malloc(1); A = malloc(2); b = malloc(3); zzz = malloc(4)")] == [
        0, 1, 2, 18277]


def test_canonical_renumbers_by_first_appearance() -> None:
    """So that traces that differ in names alone are equal."""
    left = parse("x = malloc(1); c = malloc(2); free(x)")
    right = parse("b = malloc(1); a = malloc(2); free(b)")
    assert left != right
    assert canonical(left) == canonical(right) == parse("a = malloc(1); b = malloc(2); free(a)")
    assert handles(canonical(left)) == (0, 1)


def test_undefined_handles_are_found() -> None:
    """What a shrinker may leave behind."""
    steps = parse("a = malloc(1); free(a); b = malloc(2)")
    assert undefined_handle(steps) == -1
    assert undefined_handle(steps[1:]) == 0


SIZES = st.one_of(st.integers(0, 5000), st.integers(0, SIZE_MAX),
                  st.integers(PTRDIFF_MAX - 20, PTRDIFF_MAX + 20), st.integers(SIZE_MAX - 20, SIZE_MAX))
RANGES = {
    "delta": st.integers(-PTRDIFF_MAX, PTRDIFF_MAX), "index": st.integers(0, 100), "nth": st.integers(1, 100),
}


@st.composite
def traces(draw: st.DrawFn) -> tuple[Step, ...]:
    """Traces whose handles are defined before they are used."""
    steps: list[Step] = []
    defined = [NO_HANDLE]
    for _ in range(draw(st.integers(1, 12))):
        verb = draw(st.sampled_from(sorted(OPERATIONS)))
        shape = OPERATIONS[verb]
        numbers = tuple(draw(RANGES.get(kind, SIZES)) for kind in shape.numbers)
        operand = draw(st.sampled_from(defined)) if shape.operand else NO_HANDLE
        offset = draw(st.integers(-100, 100)) * (WORD if verb in WRITING else 1) if operand != NO_HANDLE else 0
        result = draw(st.integers(0, 800)) if shape.result else NO_HANDLE
        name = draw(st.sampled_from(shape.names)) if shape.names else ""
        defined.append(result)
        steps.append(Step(verb, numbers, result, operand, offset, name))
    return tuple(steps)


@settings(derandomize=True, deadline=None)
@given(traces())
def test_parse_undoes_format(steps: tuple[Step, ...]) -> None:
    """For every trace."""
    assert parse(format_trace(steps)) == steps


@settings(derandomize=True, deadline=None)
@given(st.text(alphabet="amlocfre()=+-,;#\n 019x\0é"))
def test_no_text_does_worse_than_a_trace_error(text: str) -> None:
    """Whatever the text: steps or TraceError."""
    try:
        steps = parse(text)
    except TraceError:
        return
    assert parse(format_trace(steps)) == steps
