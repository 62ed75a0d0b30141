"""A C target compiled so that it tells which edges it takes: with a call of ours in each block."""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from heapster.checkers.targets.recompiling import Ingredients, NoInstrumentationError, Recompilation, link, objects

HOOK = "__sanitizer_cov_trace_pc"       # what each block calls; the judge answers
FLAG = "-fsanitize-coverage=trace-pc"
TRACED = Recompilation(("-fPIC", "-g", "-O1", "-fno-builtin", "-fno-omit-frame-pointer", "-w", FLAG), FLAG,
                       "trace the edges of",
              "with its edges traced")


def tells_edges(needs: Iterable[str]) -> bool:
    """Whether an object tells the edges that it takes, by the symbols that it leaves to others."""
    return HOOK in needs


def trace_edges(ingredients: Ingredients, made: Path) -> None:
    """Compile the target into the shared object `made`, which tells its edges.

    Raises NoInstrumentationError, in one line, where the compiler cannot.
    """
    with TemporaryDirectory(dir=made.parent, prefix=made.stem) as folder:
        objects(ingredients, Path(folder), TRACED)
        if not any(HOOK.encode() in made.read_bytes() for made in Path(folder).glob("*.o")):
            raise NoInstrumentationError(f"{ingredients.name} takes {FLAG} and traces nothing: gcc and clang do (--cc)")
        link(ingredients, Path(folder), made, TRACED)
