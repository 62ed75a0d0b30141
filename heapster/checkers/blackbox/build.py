"""Compiling: the judge itself, kept in the user's cache, and C sources given in place of a shared object."""

import os
import platform
import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NamedTuple

from heapster import children
from heapster.checkers.blackbox import protocol
from heapster.checkers.blackbox.sanitizing import BOUND, asks_for_it
from heapster.checkers.blackbox.target import ForeignTarget, from_object
from heapster.checkers.targets.instrumented import FOLDER, HOOK_HEADERS, HOOKS
from heapster.checkers.targets.making import CPLUSPLUS
from heapster.checkers.targets.recompiling import Ingredients
from heapster.native import shipped
from heapster.native.cache import directory, locked, opened
from heapster.results import TargetError
from heapster.wording import counted, legible

SOURCES = Path(__file__).parent / "c"
LAB_HEADERS = SOURCES / "malloclab"
OF_32_BITS = ("-m32", "-idirafter", f"/usr/include/{platform.machine()}-linux-gnu")   # the kernel's headers
USUAL_COMPILER = "cc"
JUDGE_FLAGS = ("-std=gnu11", "-O3", "-rdynamic")
LIBRARIES = ("-ldl", "-lpthread", "-lrt")
TARGET_FLAGS = ("-shared", "-fPIC", "-g", "-O1", "-fno-builtin", "-fno-omit-frame-pointer", "-w")
MATHS = ("-Wl,--as-needed", "-lm")      # size classes are found by log2 and its kin
SAID = 12                       # lines of the compiler's words that are shown
COMPILE_LIMIT = 120             # seconds
MACHINE = frozenset({"-m32", "-m64", "-mx32"})
SHORT_CAST = re.compile(r"^(.+?):(\d+):\d+: warning: cast to [^\n]*\bfrom (?:smaller )?integer", re.MULTILINE)
DEFINITION = r"^[\w\s\*]*\b{name}\s*\([^;{{]*\)\s*\{{?\s*$"
EXTERN_INLINE, OF_C99 = re.compile(r"\bextern\s+inline\b"), "-fno-gnu89-inline"
SUBMODULE = re.compile(r"^\s*path\s*=\s*(\S.*?)\s*$", re.MULTILINE)       # of .gitmodules
VOID_INIT = re.compile(r"^\s*void\s+mm_init\s*\(", re.MULTILINE)
MEANINGFUL_CHECK = re.compile(r"""
    ^\s* (?: (?:bool|_Bool) \s+ mm_check\w* \s*\(
          | int \s+ mm_check\w* \s* \([^)]*\) \s* \{ (?:(?!^\}).)* \breturn\b (?!\s*\(?0\)?\s*;) [^;{}]+; \s* ^\} )
    """, re.MULTILINE | re.DOTALL | re.VERBOSE)       # an int must end by returning something other than 0


class Compiler(NamedTuple):
    """A C compiler, and what the user wants it to be told."""

    name: str = USUAL_COMPILER
    flags: tuple[str, ...] = ()

    @property
    def command(self) -> list[str]:
        """The words that start it; TargetError if it is not there."""
        words = shlex.split(self.name)
        if not words or shutil.which(words[0]) is None:
            raise TargetError(f"no C compiler: '{self.name}' is not on the PATH (install gcc or clang, or use --cc)")
        return words


def cache_folder() -> Path:
    """Where what was compiled is kept."""
    with opened(directory() / "foreign") as folder:
        return folder


def judge_program(bits: int, compiler: Compiler | None = None) -> Path:
    """The judge for targets of that many bits: the one that came with the wheel, or compiled if it is not yet."""
    compiler = compiler or Compiler(os.environ.get("CC") or USUAL_COMPILER)
    name = _judge_name(bits, compiler.name)
    if came := shipped.program(name):
        return came
    program = cache_folder() / name
    if not program.exists():
        with locked(program.with_suffix(".lock")):          # it takes seconds, and each job asks for it at once
            if not program.exists():
                _compile_judge(compiler, program, bits)
    return program


def ship_judge(folder: Path) -> Path:
    """Compile it into the folder of a wheel, named as who has the usual compiler, or none, looks for it."""
    program = folder / _judge_name(64, USUAL_COMPILER)
    folder.mkdir(parents=True, exist_ok=True)
    _compile_judge(Compiler(os.environ.get("CC") or USUAL_COMPILER), program, 64)
    return program


def _judge_sources() -> list[Path]:
    return [*sorted(SOURCES.glob("*.c")), *HOOKS]


def _judge_name(bits: int, compiler: str) -> str:
    """What it is called: another name for other sources, bits, or another compiler."""
    digest = sha256(repr((compiler, bits, JUDGE_FLAGS, protocol.headers())).encode())
    for file in (*_judge_sources(), *sorted(SOURCES.rglob("*.h")), *HOOK_HEADERS):
        digest.update(file.read_bytes())
    return f"judge-{digest.hexdigest()[:16]}"


def _compile_judge(compiler: Compiler, program: Path, bits: int) -> None:
    flags = (*JUDGE_FLAGS, *(OF_32_BITS if bits == 32 else ()), f"-I{FOLDER}", f"-I{protocol.headers_folder()}")
    try:
        compile_program([*compiler.command, *flags, *map(str, _judge_sources())], program, LIBRARIES)
    except TargetError as error:
        why = f"this machine cannot build programs of 32 bits: {_complaint(str(error))} (gcc-multilib can)" \
            if bits == 32 else str(error)
        raise TargetError(f"the judge cannot be built: {why}") from None


def from_sources(paths: Sequence[Path], name: str, prefix: str | None, compiler: Compiler,
                 told: tuple[str, ...] = ()) -> ForeignTarget:
    """The allocator that C files, the first above all, define: compiled into a shared object of its own.

    `told` is what their own build tells its compiler; ours has the last word.
    """
    path = paths[0]
    text = path.read_text(errors="replace")
    if not text:
        raise TargetError(f"{path} is empty")
    lab = ("-DDRIVER",) if "mm_init" in text and "DRIVER" in text else ()
    cast = "" if MACHINE & {*told, *compiler.flags} or "mm_init" not in text else _cuts_addresses(
        compiler, [*lab, *told, f"-I{path.parent}", f"-I{LAB_HEADERS}", *compiler.flags, *map(str, paths)])
    told = (*told, "-m32") if cast else told
    lacks = _why_not_32_bits(compiler) if "-m32" in told and "-m64" not in compiler.flags else ""
    low = lacks != ""
    told = tuple(flag for flag in told if flag != "-m32" or not low)
    kernel = OF_32_BITS[1:] if "-m32" in (*told, *compiler.flags) else ()
    own = (*lab, *told, f"-I{path.parent}", f"-I{LAB_HEADERS}", *compiler.flags, *kernel)
    made = place_of(path, compiler._replace(flags=(*told, *compiler.flags)), *paths[1:])
    bound = [BOUND] if any(map(asks_for_it, own)) else []
    command = [*compiler.command, *TARGET_FLAGS, *bound, *own, *map(str, paths)]
    own = tuple(flag for flag in own if not asks_for_it(flag))
    libraries = (*(("-lstdc++",) if any(path.suffix in CPLUSPLUS for path in paths) else ()), *MATHS)
    try:
        compile_program(command, made, libraries)
    except TargetError as error:
        empty = "".join(f"\n  ({name} is a submodule that is not there: git submodule update --init)"
                        for name in missing_submodules(path.parent))
        raise TargetError(f"{error}{empty}\n  (what it needs besides, as -I or -D, --cflags tells it)") from None
    target = from_object(made, name, prefix, path)
    return replace(target, source=path, build=(shlex.join([*command, "-o", str(made), *libraries]),),
                   lines=_lines(text, target),
                   ingredients=Ingredients(tuple(compiler.command), (*own, *_inlining(compiler, own, paths)),
                                           tuple(map(str, paths)), libraries),
                   init_answers=target.init_answers and not VOID_INIT.search(text),
                   check_means=bool(MEANINGFUL_CHECK.search(text)), low=low,
                   as_built=(*target.as_built, *_as_built(told, cast, lacks)))


def _inlining(compiler: Compiler, own: tuple[str, ...], paths: Sequence[Path]) -> tuple[str, ...]:
    """What other readings, which inline nothing, need besides: C99 defines what is `extern inline`, gnu89 does not."""
    sources = [str(path) for path in paths if path.suffix not in CPLUSPLUS]
    text = children.run([*compiler.command, *own, "-E", "-P", *sources], capture_output=True, text=True,
                        errors="replace", timeout=COMPILE_LIMIT).stdout if sources else ""
    return (OF_C99,) if EXTERN_INLINE.search(text) else ()


def _as_built(told: tuple[str, ...], cast: str, lacks: str) -> Iterator[str]:
    """What the target's own build had us do, or what it is written for."""
    if cast:
        how = f"built with its heap below 2 GiB, as {_cannot_32_bits(lacks)}" if lacks else "compiled with -m32"
        yield (f"written for 32 bits, as it keeps addresses in 32-bit words ({cast}): {how}; --cflags -m64 judges it "
               "as it is")
        return
    if shown := [flag for flag in told if not flag.startswith(("-I", "-Wl,", "/"))]:
        yield f"compiled with {' '.join(shown)}, as its own build does (--cflags has the last word)"
    if lacks:
        yield (f"its own build says -m32, but {_cannot_32_bits(lacks)}: it is built for 64 bits, with its heap below "
               "2 GiB, so that addresses fit into 32-bit words")


def _cannot_32_bits(lacks: str) -> str:
    return f"this machine cannot -m32 ({lacks}; gcc-multilib can)"


def _cuts_addresses(compiler: Compiler, words: list[str]) -> str:
    """Where the sources make an address of an integer that is too short for one, as the compiler says; or nothing."""
    try:
        said = children.run([*compiler.command, "-fsyntax-only", "-Wint-to-pointer-cast", *words], text=True,
                            capture_output=True, errors="replace", timeout=COMPILE_LIMIT,
                            env={**os.environ, "LC_ALL": "C"}).stderr
    except children.TimeoutExpired:
        return ""
    found = SHORT_CAST.search(said)
    return f"{Path(found[1]).name}:{found[2]}" if found else ""


def _why_not_32_bits(compiler: Compiler) -> str:
    """Why programs of 32 bits cannot be built here, our judge for one, in the compiler's words; empty if they can."""
    try:
        judge_program(32, compiler)
    except TargetError as error:
        return str(error).rpartition("32 bits: ")[2].removesuffix(" (gcc-multilib can)")
    return ""


def missing_submodules(folder: Path) -> list[str]:
    """The submodules of the checkout that a folder is in, if any, whose own folder is empty or missing."""
    root = next((one for one in (folder.resolve(), *folder.resolve().parents) if (one / ".gitmodules").is_file()), None)
    names = SUBMODULE.findall((root / ".gitmodules").read_text(errors="replace")) if root else []
    return [name for name in names if root and not any((root / name).glob("*"))]


def _complaint(words: str) -> str:
    """The first error that a compiler, or a linker, tells, without the place of ours that it is at."""
    lines = words.splitlines()
    first = next((line for line in lines if "error:" in line or "cannot find" in line), lines[-1])
    return first.rpartition("error: ")[2].strip()


def place_of(path: Path, compiler: Compiler, *others: Path) -> Path:
    """Where what comes of a source is kept: the same place each time, another for other flags or with other files."""
    files = [str(file.resolve()) for file in (path, *others)]
    digest = sha256(repr((*files, *compiler)).encode()).hexdigest()[:12]
    return cache_folder() / f"{path.stem}-{digest}.so"


def compile_object(sources: list[str], made: Path, compiler: Compiler, *more: str) -> str:
    """Compile into a shared object; the command."""
    command = [*compiler.command, *TARGET_FLAGS, *compiler.flags, *sources]
    compile_program(command, made, more)
    return shlex.join([*command, "-o", str(made), *more])


def compile_program(command: list[str], made: Path, libraries: tuple[str, ...]) -> None:
    """Run the compiler, and put what it made in its place at once; TargetError with its words."""
    with NamedTemporaryFile(dir=made.parent, prefix=made.name, delete=False) as file:
        half_made = Path(file.name)
    try:
        done = children.run([*command, "-o", str(half_made), *libraries], capture_output=True, text=True,
                            errors="replace", timeout=COMPILE_LIMIT, env={**os.environ, "LC_ALL": "C"})
        if done.returncode:
            raise TargetError(f"{Path(command[0]).name} does not compile it:\n{_words(done.stderr or done.stdout)}")
        half_made.chmod(0o755)
        half_made.replace(made)
    except children.TimeoutExpired:
        raise TargetError(f"{command[0]} was still compiling after {COMPILE_LIMIT} s") from None
    finally:
        half_made.unlink(missing_ok=True)


def _words(said: str) -> str:
    lines = legible(said.strip()).splitlines()
    more = f"\n  ... and {counted(len(lines) - SAID, 'line')} more" if len(lines) > SAID else ""
    return "\n".join(f"  {line}" for line in lines[:SAID]) + more


def _lines(text: str, target: ForeignTarget) -> dict[str, int]:
    """Where in the source each function is defined, for annotations."""
    found = {}
    for verb, symbol in target.symbols.items():
        match = re.search(DEFINITION.format(name=re.escape(symbol)), text, re.MULTILINE)
        if match:
            found[verb] = text.count("\n", 0, match.start()) + 1
    return found
