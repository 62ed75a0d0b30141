"""The harness and the native library that it loads, compiled once and cached."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from heapster import children
from heapster.impl.layout import DEFAULT_CACHE
from heapster.model.placement import POLICY_NAMES
from heapster.native import cache, toolchain
from heapster.native.headers import generated
from heapster.native.library import C_SOURCES, DEFAULTS, core, prepare
from heapster.native.operations_header import operations_folder, operations_header
from heapster.results import TargetError

HERE = Path(__file__).parent / "c"
HARNESS = "stress"
PLUGIN = "plugin.so"               # beside it
LIBRARY = "libheapster-stress.so"
UNITS = ("main", "watch", "patterns", "forks", "endings", "blocks", "target")
CACHES = (64, 1024, 0, 1 << 15, DEFAULT_CACHE)      # bytes of a size that threads of ours keep, from pause to pause
FLAGS = ("-std=gnu11", "-O3", "-g1", "-Wall", "-Wextra", "-Werror", "-pthread", "-rdynamic", "-fno-omit-frame-pointer",
         f"-DPOLICIES={len(POLICY_NAMES)}", f"-DCACHES={','.join(map(str, CACHES))}")
OUR_UNITS = ("report", "process", "api")


def harness() -> Path:
    """The program that runs the patterns."""
    name = f"stress-{cache.digest(*_texts(HERE), operations_header(), *FLAGS, toolchain.compiler_version())}"
    return cache.entry(name, _make_harness) / HARNESS


def _texts(folder: Path) -> list[str | bytes]:
    return [part for path in sorted(folder.iterdir()) if path.is_file() for part in (path.name, path.read_bytes())]


def _make_harness(out: Path) -> None:
    sources = [HERE / f"{unit}.c" for unit in UNITS]
    toolchain.run([toolchain.compiler(), *FLAGS, f"-I{operations_folder()}", *sources, "-o", out / HARNESS, "-ldl"])
    toolchain.run([toolchain.compiler(), *FLAGS, "-shared", "-fPIC", HERE / "plugin.c", "-o", out / PLUGIN])


def native(fault: str = "", *, spans: bool = DEFAULTS.spans) -> Path:
    """Our library, with a way to have its heap walked, and a fault of `machine.lowering.FAULTS` if one is named."""
    compiled = core(fault, spans=spans)
    parts = [*generated().values(), *_texts(C_SOURCES), (HERE / "walk.c").read_bytes(), compiled.parent.name,
             toolchain.compiler_version()]
    return cache.entry(f"stressed-{cache.digest(*parts)}", lambda out: _link(compiled, out)) / LIBRARY


def _link(compiled: Path, out: Path) -> None:
    """The library of a compiled core, in the folder `out`."""
    sources = prepare(out)
    shutil.copy(HERE / "walk.c", sources)
    objects = [toolchain.compile_c(sources / f"{unit}.c", sources / f"{unit}.o", "-fvisibility=default")
               for unit in OUR_UNITS]
    objects.append(toolchain.compile_c(sources / "walk.c", sources / "walk.o"))
    toolchain.link_shared([compiled, *objects], out / LIBRARY)
    shutil.rmtree(sources)


Edits = Mapping[str, Sequence[tuple[str, str]]]     # of C sources, by name: what stands there once, and what is to


def native_of(impl_copy: Path, out: Path, edits: Edits = MappingProxyType({})) -> Path:
    """The library of a changed copy of `impl`, compiled by a copy of us in the folder `out`; nothing is kept."""
    package = out / "package" / "heapster"
    shutil.copytree(HERE.parents[2], package, ignore=shutil.ignore_patterns("__pycache__", "impl"))
    shutil.copytree(impl_copy, package / "impl")
    for name, changes in edits.items():
        _edit(package / "native" / "c" / name, changes)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"PYTHONPATH": str(package.parent), "XDG_CACHE_HOME": str(out / "cache")}
    ask = f"from {__name__} import native; print(native())"
    done = children.run([sys.executable, "-P", "-c", ask], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise TargetError(f"the changed copy does not compile: {(done.stderr.strip() or '?').splitlines()[-1]}")
    return Path(done.stdout.strip())


def _edit(path: Path, changes: Sequence[tuple[str, str]]) -> None:
    text = path.read_text()
    for old, new in changes:
        if text.count(old) != 1:
            raise TargetError(f"{path.name} has {old!r} {text.count(old)} times: the planted fault is out of date")
        text = text.replace(old, new)
    path.write_text(text)
