"""What the compiled judge suspects, and how it ends a child, is held by an allocator for each place that says so."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from heapster.checkers.blackbox.build import LIBRARIES, SOURCES
from heapster.checkers.blackbox.judge import Ending, Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.protocol import Ended, Mode, Suspicion, headers_folder
from heapster.checkers.blackbox.target import VERBS
from heapster.checkers.targets import grammar
from heapster.checkers.targets.instrumented import FOLDER, HOOKS
from heapster.checkers.targets.opening import resolve
from heapster.model.trace import parse

ZOO = Path(__file__).parents[1] / "blackbox" / "zoo"
SAID = {"executor.c": r"\bSUSPECT_\w+", "runs.c": r"\bSUSPECT_\w+",
        "judge.c": r"\b(?:SIGNALLED|EXITED|TIMED_OUT|TOO_BIG)\b"}
INSTEAD = {"SIGNALLED": "RETURNED", "EXITED": "RETURNED", "TIMED_OUT": "TIRED", "TOO_BIG": "0"}     # of others: NOTHING
ELSEWHERE = {"SUSPECT_OUTSIDE", "SUSPECT_STRAY", "SUSPECT_HARM", "SUSPECT_OWN_CHECK",     # by tests/blackbox
             "SUSPECT_BREACH"}


class Case(NamedTuple):
    """An allocator of which something must be said, and no other place says it."""

    macros: str
    trace: str
    suspicion: Suspicion = Suspicion.NOTHING
    ended: Ended = Ended.RETURNED
    mode: Mode = Mode.FAST


def places() -> Iterator[tuple[str, re.Match[str]]]:
    """Each place that says something: what, which of those, and where it stands."""
    for file, words in SAID.items():
        text = (SOURCES / file).read_text(encoding="utf-8")
        bare = re.sub(r"/\*.*?\*/|>> SUSPECT_\w+", lambda match: " " * len(match[0]), text)
        seen: dict[str, int] = {}
        for found in re.finditer(words, bare):
            if found[0] not in ELSEWHERE:
                seen[found[0]] = seen.get(found[0], 0) + 1
                yield f"{file} {found[0]} {seen[found[0]]}", found


FEW = "a = malloc(24); b = malloc(24); c = malloc(40); free(a); d = malloc(8)"
FAILS_ONCE = "#define ON_MALLOC(size) static int n; if (n++ == 5) return (errno = ENOMEM, NULL)"
CASES = {
    "executor.c SUSPECT_HUGE 1": Case(
        "#define TOO_LARGE(size) 0\n#define ROUND(size) ((size) > PTRDIFF_MAX ? 64 : ((size) + 15) & -16)",
        "a = malloc(SIZE_MAX - 8)", Suspicion.HUGE),
    "executor.c SUSPECT_OVERLAP 1": Case(
        "#define FITS(b, size) ((b)->size >= (size))\n#define SPLITS(b, size) 0", FEW, Suspicion.OVERLAP),
    "executor.c SUSPECT_USABLE 1": Case("#define USABLE(b) 3", FEW, Suspicion.USABLE),
    "executor.c SUSPECT_PREFIX 1": Case(
        "#define COPIED(old, size) ((old) / 4)", "a = malloc(64); b = realloc(a, 400)", Suspicion.PREFIX),
    "executor.c SUSPECT_DIRTY 1": Case(
        "#define CALLOC_ZEROES(p, count, size)", "a = malloc(64); free(a); b = calloc(8, 8)", Suspicion.DIRTY),
    "executor.c SUSPECT_MISALIGNED 1": Case("#define SKEW 8", FEW, Suspicion.MISALIGNED),
    "executor.c SUSPECT_ERRNO 1": Case("#define FAILS() NULL", "a = malloc(PTRDIFF_MAX + 1)", Suspicion.ERRNO),
    "executor.c SUSPECT_ERRNO 2": Case("#define ON_FREE(b) errno = 5", FEW, Suspicion.ERRNO),
    "executor.c SUSPECT_NULL 1": Case(FAILS_ONCE, "a = malloc(24); free(a); " * 6, Suspicion.NULL),
    "executor.c SUSPECT_CONTENTS 1": Case(
        "#define ON_MALLOC(size) if ((size) == 8) ((char *)(first + 1))[40] ^= 1",
        "a = malloc(64); b = malloc(8); free(a)", Suspicion.CONTENTS),
    "runs.c SUSPECT_NULL 1": Case(FAILS_ONCE, "a = malloc(24)", Suspicion.NULL, mode=Mode.VOLUME),
    "judge.c SIGNALLED 1": Case("#define ON_MALLOC(size) if ((size) == 8) __builtin_trap()", FEW,
                                ended=Ended.SIGNALLED),
    "judge.c EXITED 1": Case("#include <unistd.h>\n#define ON_MALLOC(size) if ((size) == 8) _exit(3)", FEW,
                             ended=Ended.EXITED),
    "judge.c TIMED_OUT 1": Case("#define ON_MALLOC(size) if ((size) == 8) for (;;) ;", FEW, ended=Ended.TIMED_OUT),
    "judge.c TOO_BIG 1": Case(
        "#define ON_MALLOC(size) if ((size) == 8) { for (int i = 0; i < 128; i++) "
        "memset(mmap(0, 1 << 20, 3, 0x22, -1, 0), 1, 1 << 20); for (;;) ; }", FEW, ended=Ended.TOO_BIG),
}
HANGS = {"judge.c TIMED_OUT 1": 100}           # ms; others may take longer


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The judge in pieces, so that one may be changed."""
    folder = tmp_path_factory.mktemp("judge")
    files = [*sorted(SOURCES.glob("*.c")), *HOOKS]
    subprocess.run(["cc", "-std=gnu11", f"-I{headers_folder()}", f"-I{FOLDER}", "-c", *map(str, files)], check=True,
                   cwd=folder)
    return folder


def judge_of(objects: Path, file: str = "", text: str = "") -> Path:
    """The program, with one of its sources changed."""
    program, changed = objects / "judge", objects / f"changed-{file}"
    pieces = [str(path) for path in objects.glob("*.o") if path.stem + ".c" != file]
    changed.write_text(text)
    sources = [f"-I{SOURCES}", f"-I{headers_folder()}", f"-I{FOLDER}", str(changed)] if file else []
    subprocess.run(["cc", "-std=gnu11", "-rdynamic", *sources, *pieces, "-o", str(program), *LIBRARIES], check=True)
    return program


def ending(program: Path, folder: Path, name: str) -> Ending:
    """How the case ends."""
    case = CASES[name]
    (folder / "firstfit.h").write_text((ZOO / "firstfit.h").read_text())
    source = folder / "mine.c"
    source.write_text("#include <errno.h>\n#include <stdint.h>\n#include <string.h>\n#include <sys/mman.h>\n"
                      f'{case.macros}\n#include "firstfit.h"\n')
    with Judge(program, resolve(ForeignOptions(grammar.parse(str(source))))) as judge:
        header = judge.header
        header.masked, header.verbs, header.granule, header.wants_errno = 0, (1 << len(VERBS)) - 1, 16, 1
        header.limit_ms, header.memory_limit, header.repeat = HANGS.get(name, 1000), 1 << 26, 20
        return judge.run(case.mode, judge.set_steps(parse(case.trace)))


def test_every_place_has_an_allocator() -> None:
    assert {name for name, _ in places()} == CASES.keys()


@pytest.mark.parametrize(("name", "place"), [(name, place) for name, place in places()],
                         ids=[name for name, _ in places()])
def test_what_is_not_said_is_missed(objects: Path, tmp_path: Path, name: str, place: re.Match[str]) -> None:
    case = CASES[name]
    said = ending(judge_of(objects), tmp_path, name)
    assert (said.ended, said.suspicion) == (case.ended, case.suspicion)
    file, _, _ = name.partition(" ")
    text = (SOURCES / file).read_text(encoding="utf-8")
    changed = text[:place.start()] + INSTEAD.get(place[0], "NOTHING") + text[place.end():]
    unsaid = ending(judge_of(objects, file, changed), tmp_path, name)
    assert (unsaid.ended, unsaid.suspicion) != (case.ended, case.suspicion)
