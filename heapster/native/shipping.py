"""The code that a wheel for one platform carries: compiled, and laid out as `shipped` finds it."""

import json
import re
import shutil
from pathlib import Path

from heapster.native import shipped, toolchain
from heapster.native.library import CORE, VARIANTS, core, libraries, source_digest

NEEDS = re.compile(rb"GLIBC_2\.(\d+)")


def ship(folder: Path) -> int:
    """Write the library's code into the folder; answer the oldest glibc that it runs with.

    Requires: a C compiler, and Numba where it is not compiled yet. A cross compiler in CC makes it for its processor.
    """
    sources = source_digest()
    shutil.rmtree(folder, ignore_errors=True)
    made = libraries()
    shutil.copytree(made, folder / shipped.LIBRARIES, ignore=shutil.ignore_patterns("*.json"))
    for variant in VARIANTS:
        place = folder / shipped.core_folder(sources, variant)
        place.mkdir()
        shutil.copyfile(core(variant=variant), place / CORE)
    told = shipped.manifest(sources, toolchain.machine_compiled_for())
    (folder / shipped.MANIFEST).write_text(json.dumps(told, indent=1) + "\n")
    return oldest_glibc(*made.glob("*.so"))


def oldest_glibc(*paths: Path) -> int:
    """The oldest glibc that all of them run with, as N of 2.N."""
    return max(int(minor) for path in paths for minor in NEEDS.findall(path.read_bytes()))
