"""Which functions of an object are taken for an allocator."""

from pathlib import Path

import pytest

from heapster.checkers.blackbox.build import Compiler, judge_program
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.stepwise import run_trace
from heapster.checkers.blackbox.twin import instrumented_twin
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.model.trace import parse
from heapster.results import UsageError

HERE = Path(__file__).parent
PAIR = """
static char arena[4096];
void *{0}malloc(unsigned long size) {{ return size < sizeof arena ? arena : 0; }}
void {0}free(void *p) {{ (void)p; }}
"""


def symbols(folder: Path, *prefixes: str) -> dict[str, str]:
    """What is taken of an object that defines malloc and free under these prefixes."""
    source = folder / "many.c"
    source.write_text("".join(f"{PAIR.format(prefix).replace('arena', f'{prefix}arena')}" for prefix in prefixes))
    return dict(resolve(ForeignOptions(grammar.parse(str(source)))).symbols)


@pytest.mark.parametrize("prefixes", [("my_",), ("my_aligned_", "my_"), ("", "my_"), ("__my_", "")])
def test_one_allocator_is_found_by_itself(tmp_path: Path, prefixes: tuple[str, ...]) -> None:
    prefix = "" if "" in prefixes else "my_"
    assert symbols(tmp_path, *prefixes) == {"malloc": f"{prefix}malloc", "free": f"{prefix}free"}


def test_of_two_one_has_to_be_chosen(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"many\.c defines several .* --prefix my_, --prefix your_"):
        symbols(tmp_path, "my_", "your_")


def test_other_flags_make_another_object(tmp_path: Path) -> None:
    source = tmp_path / "mine.c"
    source.write_text(PAIR.format(""))
    plain, other = (resolve(ForeignOptions(grammar.parse(str(source)), compiler=Compiler("cc", flags)))
                    for flags in ((), ("-DX",)))
    assert plain.path != other.path
    assert plain.path == resolve(ForeignOptions(grammar.parse(str(source)))).path


@pytest.mark.parametrize("kind", ["extern inline", "inline"])
def test_what_c99_inlines_is_in_the_instrumented_reading(tmp_path: Path, kind: str) -> None:
    """Which `extern inline` defines; what `inline` alone does not is put in where it is called."""
    text = (HERE / "correct" / "classes.c").read_text()
    defined = "void *malloc(size_t size)\n{"
    helper = "inline size_t least(size_t size)\n{\n    return size ? size : 1;\n}\n"
    inlined = {"extern inline": f"extern inline {defined}", "inline": f"{helper}{defined}\n    size = least(size);"}
    assert text.count(defined) == 1
    (tmp_path / "mine.c").write_text(text.replace(defined, inlined[kind]))
    twin = instrumented_twin(resolve(ForeignOptions(grammar.parse(str(tmp_path / "mine.c")))))
    with Judge(judge_program(twin.bits), twin) as judge:
        assert not run_trace(judge, parse("a = malloc(24); b = malloc(24)"), learn(judge, None).promises).reasons
