"""Replay strings: `r1:m24,f0|m24;s:0*3,1*2,0;o:2*1`, a program and a schedule counted in switch points.

A schedule names threads in the order in which they run: `0*3` passes three switch points of thread 0,
`1` runs thread 1 until it ends or has to wait. After `o` stand the atomic accesses that met an old write: `2*1` is
the second of those that could, and it met the write before the newest. After `v` stands the version of the source
that it was found in. Nothing in it depends on addresses, hashes or clocks.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from heapster.checkers.races.programs import MOST_THREADS, Program, format_program, parse_program
from heapster.machine.traced import Old, Segment
from heapster.results import UsageError
from heapster.wording import counted

PREFIX = "r1:"
SEGMENT = re.compile(r"(\d{1,2})(?:\*(\d{1,9}))?", re.ASCII)


OLD = re.compile(r"([1-9]\d{0,8})\*([1-9]\d{0,8})", re.ASCII)
STARTED = range(MOST_THREADS, 15)       # threads that a target starts itself
VERSION = re.compile(r"[0-9a-f]{8}", re.ASCII)
FORM = f"{PREFIX}PROGRAM;s:SCHEDULE, with ;o:OLD or ;v:VERSION after it or without"


class ScheduleReplay(NamedTuple):
    """A program and one of its schedules."""

    program: Program
    segments: tuple[Segment, ...]
    old: tuple[Old, ...] = ()
    version: str = ""           # of the source that it was found in; empty: not known


def format_replay(replay: ScheduleReplay) -> str:
    """The string that says so."""
    return ";".join(_parts(replay))


def _parts(replay: ScheduleReplay) -> Iterator[str]:
    yield f"{PREFIX}{format_program(replay.program)}"
    yield f"s:{format_schedule(replay.segments)}"
    if replay.old:
        yield "o:" + ",".join(f"{each.question}*{each.back}" for each in replay.old)
    if replay.version:
        yield f"v:{replay.version}"


def format_schedule(segments: Iterable[Segment]) -> str:
    """The schedule as text."""
    return ",".join(str(s.thread) if s.points is None else f"{s.thread}*{s.points}" for s in segments)


def parse_replay(text: str) -> ScheduleReplay:
    """What the string says, or UsageError."""
    program, *parts = text.removeprefix(PREFIX).split(";")
    found = {part[:1]: part[2:] for part in parts}
    if not text.startswith(PREFIX) or any(part[1:2] != ":" for part in parts) or len(found) < len(parts) \
            or "s" not in found or not found.keys() <= {"s", "o", "v"}:
        raise UsageError(f"'{text}' is no replay string: write {FORM}")
    parsed = parse_program(program)
    segments = tuple(_parse_segment(word, len(parsed.lanes)) for word in _words(found["s"]))
    if "v" in found and VERSION.fullmatch(found["v"]) is None:
        raise UsageError(f"'{found['v']}' is no version of a source: eight digits, 0 to f")
    return ScheduleReplay(parsed, segments, tuple(map(_parse_old, _words(found.get("o", "")))), found.get("v", ""))


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _parse_old(word: str) -> Old:
    match = OLD.fullmatch(word)
    if match is None:
        raise UsageError(f"'{word}' among old writes is not access*back, such as 2*1, both from 1")
    return Old(int(match[1]), int(match[2]))


def _parse_segment(word: str, threads: int) -> Segment:
    match = SEGMENT.fullmatch(word)
    if match is None:
        raise UsageError(f"'{word}' in the schedule is neither a thread nor thread*points")
    thread, points = int(match[1]), match[2]
    if thread >= threads and thread not in STARTED or points == "0":
        raise UsageError(f"'{word}' in the schedule: there are {counted(threads, 'thread')}, and a stretch has points")
    return Segment(thread, None if points is None else int(points))
