"""The instrumented reading of a C target: compiled once more, with a call of ours before each load, store and atomic.

gcc and clang put these calls into whatever they compile with -fsanitize=thread; linked without the sanitizer's library
they stay undefined in the shared object, and the program that loads it answers them: `HOOKS`, compiled with a client of
`c/hooks.h` and linked with -rdynamic.
"""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from heapster.checkers.targets.recompiling import Ingredients, NoInstrumentationError, Recompilation, link, objects

__all__ = ["Ingredients", "NoInstrumentationError", "calls_hooks", "instrument"]

FOLDER = Path(__file__).parent / "c"
HOOKS = tuple(FOLDER / name for name in ("hooks.c", "interpose.c", "memory_functions.c"))
HOOK_HEADERS = tuple(FOLDER / name for name in ("hooks.h", "counters.h"))
HOOK = "__tsan_"                # what each of the calls starts with
FLAGS = ("-fPIC", "-gdwarf-4", "-Og", "-fno-builtin", "-fno-omit-frame-pointer", "-fno-inline", "-w",
         "-fsanitize=thread")
TOLD = Recompilation(FLAGS, "-fsanitize=thread", "instrument", "instrumented")

UNHOOKED = Recompilation(FLAGS[:-1], "-m32", "build", "without hooks")       # clang has none for 32 bits


def calls_hooks(needs: Iterable[str]) -> bool:
    """Whether an object was instrumented by its owner, by the symbols that it leaves to others."""
    return any(name.startswith(HOOK) for name in needs)


def instrument(ingredients: Ingredients, made: Path, *more: str, way: Recompilation = TOLD) -> list[str]:
    """Compile the target instrumented, or in another `way`, into the shared object `made`; the commands.

    Raises NoInstrumentationError, in one line, where the compiler cannot.
    """
    with TemporaryDirectory(dir=made.parent, prefix=made.stem) as folder:
        commands = [*objects(ingredients, Path(folder), way, more), link(ingredients, Path(folder), made, way)]
    return [" ".join(command) for command in commands]
