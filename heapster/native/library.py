"""The libraries: compiled from `impl` and from the C sources beside this file, and cached.

`core` is `impl` as one object file, which takes long; everything else is linked around it.
"""

import os
import platform
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import heapster
from heapster import children
from heapster.extras import install
from heapster.machine.lowering import HOOKED, LARGE, WATCHING
from heapster.machine.protocol import SYSTEM_CALLS
from heapster.native import cache, shipped, toolchain
from heapster.native.headers import generated, public_header
from heapster.native.operations_header import DIRECT
from heapster.native.spans import SHIPPED
from heapster.results import TargetError

HERE = Path(__file__).parent
C_SOURCES = HERE / "c"
PACKAGE = HERE.parent
ABI = int(heapster.__version__.partition(".")[0])     # the number in the soname

FRONT = "front.bc"
FRONT_WITHOUT, FRONT_WITH_SPANS = "heapster.native.compile", "heapster.native.compile_spans"
CORE = "core.o"
TEXT = "core.ll"
STATIC = "libheapster.a"
SHARED = "libheapster.so"
PRELOAD = "libheapster-malloc.so"
VERIFYING = "libheapster-verify.so"
OBSERVED = "libheapster-observed.so"
SCHEDULED = "libheapster-scheduled.so"
START = "heapster_scheduled_start"
VARIANTS = ("", WATCHING, HOOKED)       # of the core
FRONTING = ("compile.py", "compile_spans.py", "entries.py", "lowered.py", "spans.py")      # what bitcode is made by
LOWERED = ("lowering.py", "hooked.py")     # what the object file is made of, besides the bitcode
HEADER = "heapster.h"


class Options(NamedTuple):
    """A library's settings at its start; None for the usual."""

    policy: str | None = None
    arenas: int | None = None
    threshold: int | None = None    # bytes
    harden: bool = False            # whether nothing else can be had
    spans: bool = SHIPPED           # whether small sizes come from runs

    def flags(self) -> list[str]:
        """The options for the C compiler."""
        policy = [f"-DBUILT_POLICY={self.policy.upper()}"] if self.policy else []
        arenas = [f"-DBUILT_ARENAS={self.arenas}"] if self.arenas is not None else []
        threshold = [f"-DBUILT_THRESHOLD={self.threshold}L"] if self.threshold is not None else []
        return policy + arenas + threshold + ["-DBUILT_HARDENED=1"] * self.harden


DEFAULTS = Options()


def core(fault: str = "", variant: str = "", *, spans: bool = DEFAULTS.spans) -> Path:
    """The object file of `impl`, with spans or without; with a fault of `machine.lowering.FAULTS` if one is named.

    A watched one takes every lock, and has its thread's storage where `heapster_watched_thread` says; a hooked one
    tells each of its accesses to `__tsan_...`.
    """
    if not fault and spans is DEFAULTS.spans and (shipped_here := shipped.found(source_digest())):
        return shipped_here / shipped.core_folder(source_digest(), variant) / CORE
    toolchain.check_platform()
    bitcode = _bitcode(FRONT_WITH_SPANS if spans else FRONT_WITHOUT)
    parts = [bitcode.parent.name, *_contents([PACKAGE / "machine" / name for name in LOWERED]), fault]
    parts += [variant] if variant else []
    triple = toolchain.triple() if toolchain.is_cross() else ""
    parts += [triple] if triple else []
    arguments = ("back", bitcode, CORE, fault, variant, triple, LARGE if spans else "")
    return cache.entry(f"core-{cache.digest(*parts)}", lambda out: _step(out, FRONT_WITHOUT, *arguments)) / CORE


def text(*, spans: bool = DEFAULTS.spans) -> str:
    """The code in LLVM's language, as machine code was made of it, with spans or without: of that, byte for byte."""
    toolchain.check_platform()
    bitcode = _bitcode(FRONT_WITH_SPANS if spans else FRONT_WITHOUT)
    digest = cache.digest(bitcode.parent.name, *_contents([PACKAGE / "machine" / name for name in LOWERED]))
    arguments = ("text", bitcode, CORE, TEXT, LARGE if spans else "")
    made = cache.entry(f"text-{digest}", lambda out: _step(out, FRONT_WITHOUT, *arguments))
    if (made / CORE).read_bytes() != core(spans=spans).read_bytes():
        raise TargetError("the library that is used here is not what this machine makes of the source: a wheel brought "
                          "it along, or CC names a cross compiler; unset CC, or install from the source")
    return (made / TEXT).read_text(encoding="utf-8")


def _bitcode(module: str) -> Path:
    """What that module translates `impl` to."""
    name = f"front-{cache.digest(*_front_parts(), *[module] * (module != FRONT_WITHOUT))}"
    return cache.entry(name, lambda out: _step(out, module, "front", FRONT)) / FRONT


def libraries(options: Options = DEFAULTS) -> Path:
    """The directory with the libraries that are shipped, and their header."""
    if options == DEFAULTS and (shipped_here := shipped.found(source_digest())):
        return shipped_here / shipped.LIBRARIES
    compiled = core(spans=options.spans)
    name = f"libraries-{cache.digest(*_link_parts(compiled), *options.flags())}"
    return cache.entry(name, lambda out: _make_libraries(out, compiled, options))


def observed(fault: str = "", *, spans: bool = DEFAULTS.spans) -> Path:
    """The core, linked with a world that checkers watch and direct."""
    compiled = core(fault, WATCHING, spans=spans)
    name = f"observed-{cache.digest(*_link_parts(compiled), fault)}"
    return cache.entry(name, lambda out: _make_observed(out, compiled)) / OBSERVED


def scheduled(fault: str = "", *, spans: bool = DEFAULTS.spans) -> Path:
    """The shipped library with hooks in its core; a scheduler calls its constructor as the function START."""
    compiled = core(fault, HOOKED, spans=spans)
    name = f"scheduled-{cache.digest(*_link_parts(compiled), fault)}"
    return cache.entry(name, lambda out: _make_scheduled(out, compiled)) / SCHEDULED


# What the artefacts depend on.

def _contents(paths: list[Path]) -> list[bytes | str]:
    return [part for path in paths for part in (path.name, path.read_bytes())]


def source_digest() -> str:
    """A name for all of ours that the libraries are made of."""
    lowered = [PACKAGE / "machine" / name for name in LOWERED]
    return cache.digest(*_contents([*_translated(), *lowered, *sorted(C_SOURCES.iterdir())]), *generated().values(),
                        heapster.__version__)


def _translated() -> list[Path]:
    """The sources that Numba reads."""
    return [*sorted((PACKAGE / "impl").glob("*.py")), *[HERE / name for name in FRONTING],
            PACKAGE / "machine" / "native.py", PACKAGE / "model" / "operations.py"]


def _front_parts() -> list[bytes | str]:
    try:
        versions = [version("numba"), version("llvmlite")]
    except ImportError:
        raise TargetError(f"compiling needs Numba: {install('native')}") from None
    return [*_contents(_translated()), *versions, sys.version,
            platform.machine()]


def _link_parts(compiled: Path) -> list[bytes | str]:
    scripts = [HERE / name for name in ("library.py", "toolchain.py")]
    return [*_contents([*sorted(C_SOURCES.iterdir()), *scripts]), *generated().values(), compiled.parent.name,
            toolchain.compiler_version(), heapster.__version__]


# Making them.

STEPS = {"front": "1 of 2, from Python to LLVM (some 20 seconds)", "back": "2 of 2, to machine code (some seconds)",
         "text": "once more, to be read (some seconds)"}
REPRODUCIBLE = {"PYTHONHASHSEED": "0", "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_OPT": "0"}


def _step(out: Path, module: str, *arguments: str | Path) -> None:
    """Run a step of `heapster.native.compile`, or of a module that runs it, in `out`."""
    _tell(STEPS[str(arguments[0])])
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("NUMBA_", "PYTHON", "LD_PRELOAD", "HEAPSTER_"))}
    environment |= REPRODUCIBLE | {"PYTHONPATH": str(PACKAGE.parent)}
    command = [sys.executable, "-P", "-m", module, *arguments]
    done = children.run(command, env=environment, cwd=out, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise TargetError(f"Numba could not compile the allocator: {said[-1]}")


def _tell(what: str) -> None:
    """Say on stderr what takes long, and that it is done once."""
    with suppress(OSError):
        sys.stderr.write(f"heapster: compiling the allocator, once on this machine: {what}\n")
        sys.stderr.flush()


def prepare(out: Path) -> Path:
    """A directory with the C sources and what is generated for them."""
    sources = out / "sources"
    shutil.copytree(C_SOURCES, sources)
    header = sources / HEADER
    header.write_text(public_header(header.read_text()))
    for name, text in generated().items():
        (sources / name).write_text(text)
    return sources


def _compile(sources: Path, name: str, *flags: str) -> Path:
    return toolchain.compile_c(sources / f"{name}.c", sources / f"{name}.o", *flags)


def _make_libraries(out: Path, compiled: Path, options: Options) -> None:
    sources = prepare(out)
    inside = [compiled, _compile(sources, "report"), _compile(sources, "process", *options.flags())]
    api = _compile(sources, "api", "-fvisibility=default")
    malloc = _compile(sources, "malloc", "-fvisibility=default")
    face = _compile(sources, "face", "-fvisibility=default")
    named = _with_names(compiled, sources / "named.o", {name: f"heapster_word_{name}" for name in DIRECT})
    _make_archive([*inside, api], out / STATIC, sources)
    toolchain.link_shared([*inside, api], out / SHARED, f"-Wl,-soname,{SHARED}.{ABI}")
    toolchain.link_shared([named, *inside[1:], api, malloc, face], out / PRELOAD, f"-Wl,-soname,{PRELOAD}")
    counting = toolchain.compile_c(sources / "malloc.c", sources / "counting.o", "-DHEAPSTER_VERIFY",
                                   "-fvisibility=default")
    toolchain.link_shared([*inside, api, counting, face, _compile(sources, "verify")], out / VERIFYING,
                          f"-Wl,-soname,{VERIFYING}")
    shutil.copyfile(sources / HEADER, out / HEADER)
    shutil.rmtree(sources)


def _make_scheduled(out: Path, compiled: Path) -> None:
    sources = prepare(out)
    process = _compile(sources, "process", f"-DSTART={START}")
    api = _compile(sources, "api", "-fvisibility=default")
    toolchain.link_hooked([compiled, _compile(sources, "report"), process, api], out / SCHEDULED)
    shutil.rmtree(sources)


def _with_names(compiled: Path, out: Path, names: Mapping[str, str]) -> Path:
    """The core, whose hidden functions have public names too: `names` maps each to the hidden one."""
    lines = toolchain.run([toolchain.companion("nm"), "--defined-only", compiled]).splitlines()
    places = {symbol: place for place, _, symbol in map(str.split, lines)}
    added = [f"--add-symbol={name}=.text:0x{places[hidden]},function,global" for name, hidden in names.items()]
    toolchain.run([toolchain.companion("objcopy"), *added, compiled, out])
    return out


def _make_archive(objects: list[Path], out: Path, sources: Path) -> None:
    """An archive of one object that shows its public names only."""
    joined = sources / "heapster.o"
    toolchain.run([toolchain.companion("ld"), "-r", "-o", joined, *objects])
    toolchain.run([toolchain.companion("objcopy"), "--localize-hidden", "--strip-unneeded", joined])
    toolchain.run([toolchain.companion("ar"), "Drcs", out, joined])


WRAPPED = (*SYSTEM_CALLS.values(), "pthread_mutex_lock", "pthread_mutex_unlock")


def _make_observed(out: Path, compiled: Path) -> None:
    sources = prepare(out)
    world = _compile(sources, "observed", "-fvisibility=default")
    wrap = [f"-Wl,--wrap={name}" for name in WRAPPED]
    toolchain.link_shared([compiled, world], out / OBSERVED, f"-Wl,-soname,{OBSERVED}", *wrap)
    shutil.rmtree(sources)
