"""A kept finding of a stranger's allocator, run again; or a debugger stopped at its failing call."""

import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from heapster import children
from heapster.checkers.blackbox.build import Compiler, judge_program
from heapster.checkers.blackbox.confirming import confirm
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import REMEMBERED, ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.recipe import read_recipe, shown_as
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.checkers.blackbox.watched import shown_under
from heapster.checkers.findings.store import Kept
from heapster.checkers.targets.opening import resolve
from heapster.files import read_json
from heapster.results import TargetError
from heapster.wording import counted


def replay_foreign(kept: Kept, *, gdb: bool, say: Callable[[str], None], warn: Callable[[str], None]) -> int:
    """Run it again: 1 if it still fails, in the way that is kept or in another; else 0."""
    options, _ = remembered(kept)
    target = resolve(options)
    if gdb:
        return _debug(kept, target, warn)
    recipe = read_recipe(kept.finding.trace)
    if recipe is None:
        raise TargetError(f"{kept.folder} does not say what to run: fuzz {kept.target} again")
    code, otherwise = kept.finding.code, Counter[str]()
    with Judge(judge_program(target.bits), target) as judge:
        promises = learn(judge, options.alignment).promises

        def fails(other: Judge) -> bool:
            found = shown_as(other, recipe, code, promises)
            otherwise.update([found] if found not in ("", code) else [])
            return found == code

        with shown_under(judge, code) as seeing:
            confirmed = confirm(seeing, fails, brief=code == "hang")
    for step in kept.finding.trace:
        say(f"    {step}")
    of_all = f"{{}} of {counted(confirmed.tries, 'time')}"
    where = f"{code} {kept.finding.id} on {kept.target}"
    if otherwise and not confirmed.times:
        ways = ", ".join(f"{found} {of_all.format(times)}" for found, times in otherwise.most_common())
        say(f"FAILS OTHERWISE: {where}, as {ways}")
    else:
        say(f"{'STILL FAILS' if confirmed.times else 'PASSES'}: {where}, {of_all.format(confirmed.times)}"
            f"{confirmed.dependence if confirmed.times else ''}")
    return int(confirmed.times > 0 or bool(otherwise))


def remembered(kept: Kept) -> tuple[ForeignOptions, dict[str, Any]]:
    """How the finding's target is loaded, and all that was kept beside it."""
    try:
        told: dict[str, Any] = read_json(kept.folder / REMEMBERED)
    except (OSError, ValueError):
        raise TargetError(f"{kept.folder / REMEMBERED} is missing: fuzz {kept.target} again") from None
    return ForeignOptions(
        target=kept.target, prefix=told["prefix"], alignment=told["alignment"], adapter=told["adapter"],
        heap_limit=told["heap_limit"], sandbox=told.get("sandbox", False), build=told.get("build"),
        compiler=Compiler(told["compiler"][0], tuple(told["compiler"][1:]))), told


def _debug(kept: Kept, target: ForeignTarget, warn: Callable[[str], None]) -> int:
    """gdb on the finding's program, stopped where the call that fails enters the allocator."""
    program = kept.folder / "repro"
    if shutil.which("gdb") is None:
        raise TargetError("gdb is not on the PATH")
    if not program.exists():
        raise TargetError(f"{kept.folder} has no program that shows the finding")
    if orders := _to_the_access(kept, warn):
        return _gdb(program, target, orders)
    symbol = _entry(kept, target)
    warn(f"stopping where the failing call enters {symbol}: `step` goes through it, `bt` shows the way there"
         if symbol else "running to where it fails: `bt` shows where that is")
    entering = ["-ex", "break failing_step", "-ex", "run", "-ex", f"tbreak {symbol}", "-ex", "continue"]
    return _gdb(program, target, entering if symbol else ["-ex", "run"])


def _gdb(program: Path, target: ForeignTarget, orders: list[str]) -> int:
    told = [word for name, value in target.environment.items() for word in ("-ex", f"set environment {name} {value}")]
    return children.exit_code(children.watched(
        ["gdb", "-q", "-ex", "set breakpoint pending on", *told, *orders, program.resolve()],
        env={**os.environ, "GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=65536"}))


def _to_the_access(kept: Kept, warn: Callable[[str], None]) -> list[str]:
    """What takes gdb to the access that the finding comes from, in the step that makes it; nothing if none is known."""
    place = kept.finding.place
    if place is None or not (place.line or place.address):
        return []
    knows_steps = "step_now" in (kept.folder / "repro.c").read_text(encoding="utf-8", errors="replace")
    in_step = knows_steps and 0 <= place.step < len(kept.finding.trace)
    when = f" if step_now == {place.step}" if in_step else ""
    said = f"in step {place.step + 1}, `{kept.finding.trace[place.step]}`" if in_step else "each time it is reached"
    if place.line:
        warn(f"stopping at {place.file}:{place.line}, the line that it comes from, {said}: `continue` goes on")
        return ["-ex", f"break {Path(place.file).name}:{place.line}{when}", "-ex", "run"]
    if not knows_steps:
        return []
    warn(f"stopping at {place.function}, the instruction that it comes from, {said}: `x/i $pc` shows it")
    return ["-ex", "break allocator_loaded", "-ex", "run", "-ex", "finish", "-ex",
            f"break *(loaded_at + {place.address}){when}", "-ex", "continue"]


def _entry(kept: Kept, target: ForeignTarget) -> str:
    """The target's function that the step which fails calls; empty if the program makes no such step."""
    recipe = read_recipe(kept.finding.trace)
    return target.symbols.get(recipe.trace[-1].verb, "") if recipe and recipe.trace else ""
