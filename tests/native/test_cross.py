"""Compiled for another processor: the library, and programs on it, run by an emulator."""

import platform
import shutil
from pathlib import Path

import pytest

from heapster.native import toolchain
from heapster.native.package import build, check
from heapster.results import TargetError
from tests.native.building import HERE

CROSS = "aarch64-linux-gnu-gcc"
needed = pytest.mark.skipif(platform.machine() == "aarch64" or shutil.which(CROSS) is None,
                            reason=f"no {CROSS}, or this is an aarch64")


@needed
@pytest.mark.slow
def test_a_build_for_aarch64_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not any(map(shutil.which, ("qemu-aarch64", "qemu-aarch64-static"))):
        pytest.skip("no qemu-aarch64 to run it")
    monkeypatch.setenv("CC", CROSS)
    build(tmp_path)
    assert len(check(tmp_path)) == 3
    library = tmp_path / "lib" / "libheapster-malloc.so"
    assert "AArch64" in toolchain.run([toolchain.companion("readelf"), "-h", library])
    program = tmp_path / "survive"
    toolchain.run([CROSS, "-O1", "-fno-builtin", "-Wno-deprecated-declarations", HERE / "survive.c", "-o", program,
                   "-lpthread"])
    preload = {"LD_PRELOAD": str(library)}
    for case in ("threads_end_with_live_blocks", "errno_as_posix_says", "malloc_h_speaks_of_this_heap"):
        assert toolchain.run([*toolchain.emulator(preload), program, case]) == "ok\n"


@needed
def test_what_cannot_be_run_here_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", CROSS)
    there = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name.startswith("qemu-") else there(name))
    with pytest.raises(TargetError, match="cannot be run here: no qemu-aarch64"):
        toolchain.emulator({})
    monkeypatch.setenv("CC", "cc")
    assert toolchain.emulator({}) == []
