"""Call sites: which stacks of a recorded program made its blocks, and which hold the memory at the peak.

Bytes are those that the program asked for. The peak is the first step after which most of them are live.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from heapster.checkers.targets.lines import Lines
from heapster.checkers.traces.compact import RELEASES, Compact
from heapster.checkers.traces.raw import DEEPEST, Stacks
from heapster.model.operation import NO_HANDLE
from heapster.model.operations import requested

MOST_STACKS = 4_000             # that are told one by one
ELF_TYPE, ET_EXEC = 16, 2       # where an ELF header says what kind of object it is; one that lies where it says
UNKNOWN = "an unknown caller"
DEEPER = f"callers above {DEEPEST} frames"


class Use(NamedTuple):
    """What the calls from one stack asked for."""

    calls: int = 0
    bytes: int = 0
    peak_blocks: int = 0        # of them, live at the peak
    peak_bytes: int = 0
    left_blocks: int = 0        # live at the end
    left_bytes: int = 0

    def __add__(self, other: Any) -> "Use":
        return Use(*map(sum, zip(self, other, strict=True)))


class Peak(NamedTuple):
    """When most was live."""

    step: int                   # counted from 1; 0: nothing ever was
    blocks: int
    bytes: int


def uses(trace: Compact, stacks: Stacks) -> tuple[Peak, dict[int, Use]]:
    """The peak, and what the calls from each stack asked for."""
    peak, total = Peak(0, 0, 0), dict[int, list[int]]()
    live: _Live = {}
    held = 0
    for number, change in enumerate(_changes(trace, stacks), 1):
        held += _follow(live, change)
        if change.result != NO_HANDLE:
            counts = total.setdefault(change.stack, [0, 0])
            counts[0] += 1
            counts[1] += change.size
            if held > peak.bytes:
                peak = Peak(number, len(live), held)
    at_peak, left = _held(_live_after(trace, stacks, peak.step)), _held(live)
    return peak, {stack: Use(calls, size, *at_peak[stack], *left[stack]) for stack, (calls, size) in total.items()}


class _Change(NamedTuple):
    """What a step does to live blocks."""

    stack: int
    result: int                 # handle of the block that it makes, if any
    size: int                   # bytes of that
    released: int               # handle of the block that it takes, if any


_Live = dict[int, tuple[int, int]]      # by handle: stack and bytes


def _changes(trace: Compact, stacks: Stacks) -> Iterator[_Change]:
    for stack, step, verb in zip(stacks.numbers, trace, trace.columns.verbs, strict=True):
        made = step.result != NO_HANDLE
        yield _Change(stack, step.result, requested(step) if made else 0, step.operand if RELEASES[verb] else NO_HANDLE)


def _follow(live: _Live, change: _Change) -> int:
    """Take a step: by how many bytes more is live."""
    _, less = live.pop(change.released, (0, 0))
    if change.result != NO_HANDLE:
        live[change.result] = change.stack, change.size
    return change.size - less


def _live_after(trace: Compact, stacks: Stacks, steps: int) -> _Live:
    live: _Live = {}
    for change in islice(_changes(trace, stacks), steps):
        _follow(live, change)
    return live


def _held(live: _Live) -> dict[int, tuple[int, int]]:
    """Blocks and bytes by stack."""
    found: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for stack, size in live.values():
        blocks, total = found[stack]
        found[stack] = blocks + 1, total + size
    return found


def as_value(trace: Compact, stacks: Stacks) -> dict[str, Any]:
    """The call sites as JSON has them: frames by name, and stacks of places among these, outermost first."""
    peak, found = uses(trace, stacks)
    named = _names(stacks, {frame for number in found for frame in stacks.frames.get(number, ())})
    joined: dict[tuple[str, ...], Use] = defaultdict(Use)       # of two calls in one line, one stack is told
    for number, use in found.items():
        frames_in = stacks.frames.get(number, [])
        path = (*[DEEPER] * (len(frames_in) >= DEEPEST),
                *[name for frame in reversed(frames_in) for name in reversed(named[frame])])
        joined[path or (UNKNOWN,)] += use
    frames: dict[str, int] = {}
    told = [{"frames": [frames.setdefault(name, len(frames)) for name in path], **use._asdict()}
            for path, use in _largest(joined)]
    return {"peak": peak._asdict(), "stacks": told, "frames": list(frames)}


def _largest(found: Mapping[tuple[str, ...], Use]) -> Iterator[tuple[tuple[str, ...], Use]]:
    """The stacks with most at the peak, then those with most calls; the smallest of very many in one."""
    ordered = sorted(found.items(), key=lambda one: (-one[1].peak_bytes, -one[1].calls, one[0]))
    yield from ordered[:MOST_STACKS]
    if rest := ordered[MOST_STACKS:]:
        yield (f"{len(rest):,} other stacks",), sum((use for _, use in rest), Use())


def _names(stacks: Stacks, addresses: Iterable[int]) -> dict[int, tuple[str, ...]]:
    """The functions and lines at return addresses, innermost first."""
    bases = sorted(stacks.objects)
    inside: dict[int, list[int]] = {}
    for address in sorted(addresses):
        while len(bases) > 1 and bases[1] <= address:
            del bases[0]
        inside.setdefault(bases[0] if bases and bases[0] <= address else 0, []).append(address)
    named: dict[int, tuple[str, ...]] = {}
    for base, some in inside.items():
        named.update(_named_in(stacks.objects.get(base), base, some))
    return named


def _named_in(path: Path | None, base: int, addresses: list[int]) -> Iterator[tuple[int, tuple[str, ...]]]:
    if path is None or not path.is_file():
        yield from ((address, (path.name if path else UNKNOWN,)) for address in addresses)
        return
    lines, shift = Lines(path), 0 if _lies_where_it_says(path) else base
    lines.look_up(address - shift for address in addresses)
    for address in addresses:
        yield address, tuple(_words(frame.function, frame.file, frame.line, path)
                             for frame in lines.at(address - shift))


def _words(function: str, file: str, line: int, path: Path) -> str:
    if line:
        return f"{function}, {Path(file).name}:{line}"
    return f"{function} in {path.name}" if function else path.name


def _lies_where_it_says(path: Path) -> bool:
    """Whether addresses in the object are those of memory, rather than distances from its first byte."""
    with path.open("rb") as file:
        file.seek(ELF_TYPE)
        return file.read(1) == bytes([ET_EXEC])
