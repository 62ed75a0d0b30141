"""How large a size each function of a description can be passed whole: what C would cut is the compiler's to say.

    malloc = "pool_take(instance, size)"        where pool_take takes a uint16_t: 65,535
"""

import os
import re
from pathlib import Path
from typing import Any

from heapster import children
from heapster.checkers.blackbox.build import Compiler
from heapster.files import write_whole
from heapster.model.geometry import PTRDIFF_MAX, SIZE_MAX
from heapster.model.operations import CALLS, OPERATIONS
from heapster.wording import counted

LIMITS = (SIZE_MAX, PTRDIFF_MAX, 2**32 - 1, 2**31 - 1, 2**16 - 1, 2**15 - 1, 2**8 - 1, 2**7 - 1)
LONGEST = 20                    # seconds that the compiler may take for it
SIZES = ("size", "count")       # parameters, as expressions name them
NAMED = re.compile(r"(?<![.>\w])(size|count)\b")
CUTS = re.compile(r"^heapster (\w+) (\d+):\d+:\d+: warning: .*\[-W[\w-]*(?:conversion|shorten)[\w-]*\]", re.MULTILINE)


def narrow(adapter: str, told: dict[str, Any], made: Path, compiler: Compiler) -> dict[str, int]:
    """For each call whose sizes are cut when they are passed on, the largest that is not.

    `adapter` is the text of the description's adapter, and `made` a place beside which a file may be written.
    """
    calls = [verb for verb in CALLS if verb in told and sizes_of(verb) and OPERATIONS[verb].answers == "void *"]
    probe = made.with_name(f"{made.stem}-sizes{made.suffix}")
    write_whole(probe, adapter + "".join(_passing(verb, told[verb], limit) for verb in calls for limit in LIMITS))
    try:
        said = children.run([*compiler.command, *compiler.flags, "-fsyntax-only", "-Wconversion", "-Wsign-conversion",
                             str(probe)], capture_output=True, text=True, errors="replace", timeout=LONGEST,
                            env={**os.environ, "LC_ALL": "C"}).stderr
    except children.TimeoutExpired:
        return {}
    cut = {(verb, int(limit)) for verb, limit in CUTS.findall(said)}
    whole = {verb: next((limit for limit in LIMITS if (verb, limit) not in cut), SIZE_MAX) for verb in calls}
    return {verb: limit for verb, limit in whole.items() if limit < SIZE_MAX}


def sizes_of(verb: str) -> list[str]:
    """The parameters of a call that are numbers of bytes or of members."""
    return [name for name in SIZES if f"size_t {name}" in OPERATIONS[verb].declared]


def _passing(verb: str, expression: str, limit: int) -> str:
    """A function that passes on no size beyond the limit; its line has the name that its warnings are told by."""
    parameters = re.sub(rf"\b(?=(?:{'|'.join(SIZES)})\b)", "heapster_", OPERATIONS[verb].declared)
    passed = NAMED.sub(rf"(heapster_\1 & (size_t){limit}u)", expression)
    return (f'#line 1 "heapster {verb} {limit}"\n'
            f"void *heapster_{verb}_{limit}({parameters}) {{ return (void *)({passed}); }}\n")


def words(limits: dict[str, int]) -> tuple[str, ...]:
    """What is said of them."""
    def most(limit: int) -> str:
        return "PTRDIFF_MAX bytes" if limit == PTRDIFF_MAX else counted(limit, "byte")
    return tuple(f"{verb} can be told {most(limit)} at most: "
                 "the type in which its description passes a size holds no more; what is larger is refused in its stead"
                 for verb, limit in limits.items())
