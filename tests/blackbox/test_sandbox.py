"""A target in a sandbox writes nowhere, reaches nobody, and is judged as it is outside."""

import json
import shutil
from pathlib import Path

import pytest

from heapster import children
from heapster.cli import main

WRITER = """
#include <stddef.h>
#include <stdio.h>
static char heap[1 << 20];
static size_t top;
void *malloc(size_t n)
{
    FILE *file = fopen(PLACE, "w");
    if (file != NULL)
        fclose(file);
    if (n > sizeof heap || n > sizeof heap - top)
        return NULL;
    void *p = heap + top;
    top += n;
    return p;
}
void free(void *p) { (void)p; }
"""
needs_bubblewrap = pytest.mark.skipif(
    shutil.which("bwrap") is None or children.run(children.sandboxed(["true"]), capture_output=True).returncode != 0,
    reason="bubblewrap can make no sandbox here")


@needs_bubblewrap
@pytest.mark.parametrize("sandbox", [True, False])
def test_only_outside_of_a_sandbox_it_writes(sandbox: bool, empty_folder: Path,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    written = empty_folder / "written"
    (empty_folder / "writer.c").write_text(WRITER, encoding="utf-8")
    asked = ["fuzz", "writer.c", "--cflags", f"-DPLACE='\"{written}\"'", "--seconds", "1", "--seed", "1"]
    assert main([*asked, "--json", "r.json", *(["--sandbox"] if sandbox else [])]) == 1
    assert written.exists() is not sandbox
    run = json.loads((empty_folder / "r.json").read_text(encoding="utf-8"))
    assert {one["code"] for one in run["findings"]} & {"misaligned", "memory_never_returned", "spurious_null"}


@needs_bubblewrap
def test_a_sandbox_has_no_network_and_no_other_process() -> None:
    interfaces = children.run(children.sandboxed(["cat", "/proc/net/dev"]), capture_output=True, text=True).stdout
    assert [line.split(":")[0].strip() for line in interfaces.splitlines()[2:]] == ["lo"]
    processes = children.run(children.sandboxed(["ls", "/proc"]), capture_output=True, text=True).stdout
    assert len([name for name in processes.split() if name.isdigit()]) <= 3


@needs_bubblewrap
def test_a_sandbox_has_a_folder_of_its_own() -> None:
    assert children.run(children.sandboxed(["sh", "-c", "pwd && echo > here"]), capture_output=True,
                        text=True).stdout.endswith("/own\n")
    assert children.run(children.sandboxed(["sh", "-c", "echo > /etc/here"]), capture_output=True).returncode != 0


def test_without_bubblewrap_it_says_what_to_install(empty_folder: Path, monkeypatch: pytest.MonkeyPatch,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    (empty_folder / "writer.c").write_text(WRITER, encoding="utf-8")
    monkeypatch.setattr(children, "SANDBOX", ("no-such-bwrap",))
    assert main(["fuzz", "writer.c", "--cflags", "-DPLACE='\"x\"'", "--sandbox"]) == 4
    assert "bubblewrap, which is not installed" in capsys.readouterr().err
