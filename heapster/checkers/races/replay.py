"""Replay strings: `r1:m24,f0|m24;s:0*3,1*2,0`, a program and a schedule counted in switch points.

A schedule names threads in the order in which they run: `0*3` passes three switch points of thread 0,
`1` runs thread 1 until it ends or has to wait. Nothing in it depends on addresses, hashes or clocks.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from heapster.checkers.races.programs import Program, format_program, parse_program
from heapster.machine.traced import Segment
from heapster.results import UsageError

PREFIX = "r1:"
SEGMENT = re.compile(r"(\d{1,2})(?:\*(\d{1,9}))?", re.ASCII)


class Replay(NamedTuple):
    """A program and one of its schedules."""

    program: Program
    segments: tuple[Segment, ...]


def format_replay(replay: Replay) -> str:
    """The string that says so."""
    return f"{PREFIX}{format_program(replay.program)};s:{format_schedule(replay.segments)}"


def format_schedule(segments: Iterable[Segment]) -> str:
    """The schedule as text."""
    return ",".join(str(s.thread) if s.points is None else f"{s.thread}*{s.points}" for s in segments)


def parse_replay(text: str) -> Replay:
    """What the string says, or UsageError."""
    program, mark, schedule = text.removeprefix(PREFIX).partition(";s:")
    if not text.startswith(PREFIX) or not mark:
        raise UsageError(f"'{text}' is no replay string: write {PREFIX}PROGRAM;s:SCHEDULE")
    parsed = parse_program(program)
    segments = tuple(_parse_segment(word.strip(), len(parsed.lanes)) for word in schedule.split(",") if word.strip())
    return Replay(parsed, segments)


def _parse_segment(word: str, threads: int) -> Segment:
    match = SEGMENT.fullmatch(word)
    if match is None:
        raise UsageError(f"'{word}' in the schedule is neither a thread nor thread*points")
    thread, points = int(match[1]), match[2]
    if thread >= threads or points == "0":
        raise UsageError(f"'{word}' in the schedule: there are {threads} threads, and a stretch has points")
    return Segment(thread, None if points is None else int(points))
