"""From a command to the place where the work is done each module is entered once: the walk runs downhill."""

import shutil
import sys
from importlib import import_module
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from heapster.cli import main

CRASHES = """
#include <stddef.h>
static _Alignas(16) char heap[1 << 24];
static size_t used;
void *my_malloc(size_t size)
{
    void *p = heap + used;
    if (size > sizeof heap - used - 16)
        return NULL;
    used += (size + 15) & ~(size_t)15;
    return size == 24 ? (char *)p + 8 : p;
}
void my_free(void *p) { (void)p; }
"""
TRY_WHAT_THEY_ARE_GIVEN = {             # a function, again and again; the twin hands what it finds back to the campaign
    "checkers.fuzz.shrink", *(f"checkers.blackbox.{name}" for name in ("confirming", "searching", "mapped"))}
RUN_WHAT_THEY_ARE_HANDED = (            # their caller's own function, as if they were not there
    "checkers.jobs.", "checkers.blackbox.collecting", "checkers.blackbox.sharing")
WALKS = (                               # a command, and a function that does its work
    ("fuzz sim --examples 1 --seed 1", "checkers.lockstep.lockstep", "Lockstep.take", 0),
    ("fuzz ./x.c --seconds 0.5 --seed 1 --jobs 1", "checkers.blackbox.judge", "Judge.run", 1),
    ("fuzz ./x.c --seconds 0.5 --seed 1 --jobs 1", "checkers.blackbox.persist", "Keeper.keep", 1),
    ("diff t --policy best_fit", "checkers.diff.native", "NativeReplay.advance", 0),
    ("diff t --targets sim:best_fit", "machine.simulated", "Simulated.sbrk", 0),
    ("diff t --policy best_fit --targets libc", "checkers.score.driver", "Course.run", 0),
    ("score t --targets libc", "checkers.score.driver", "Course.run", 0),
)


def walk() -> tuple[str, ...]:
    """The modules of Heapster on the stack of whoever asks for our caller, outermost first, each stay once."""
    frame: FrameType | None = sys._getframe(2)
    modules = list[str]()
    while frame is not None:
        modules.append(frame.f_globals["__name__"])
        frame = frame.f_back
    ours = (name.removeprefix("heapster.") for name in reversed(modules) if name.startswith("heapster."))
    return tuple(name for name, _ in groupby(name for name in ours if not name.startswith(RUN_WHAT_THEY_ARE_HANDED)))


@pytest.mark.parametrize(("line", "module", "function", "code"), WALKS,
                         ids=[f"{line}: {name}" for line, _, name, _ in WALKS])
def test_each_module_is_entered_once(line: str, module: str, function: str, code: int, tmp_path: Path,
                                     monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("cc") is None:
        pytest.skip("not installed: cc")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.c").write_text(CRASHES)
    (tmp_path / "t").write_text("a = malloc(40)\nfree(a)\n")
    command, *_ = line.split()
    *owners, name = function.split(".")
    owner = import_module(f"heapster.{module}")
    for each in owners:
        owner = getattr(owner, each)
    does, told = getattr(owner, name), tmp_path / "walks"        # a file: whoever works may be a child

    def seen(*words: Any, **more: Any) -> Any:
        with told.open("a") as file:
            file.write(" ".join(walk()) + "\n")
        return does(*words, **more)

    monkeypatch.setattr(owner, name, seen)
    assert main(line.split()) == code
    walks = {tuple(line.split()) for line in told.read_text().splitlines()}
    straight = {each for each in walks if TRY_WHAT_THEY_ARE_GIVEN.isdisjoint(each)}
    assert straight
    assert all(each[0] == "cli" and f"commands.{command}" in each for each in straight)
    crooked = [each for each in straight if len(set(each)) < len(each)]
    assert not crooked, "\n".join(map(" ".join, crooked))
