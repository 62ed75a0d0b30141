"""Kept findings where a command takes a trace."""

from pathlib import Path

from heapster.checkers.findings.store import TRACE, Store
from heapster.checkers.replay.source import traced
from heapster.reports.output import warn


def trace_named(text: str, store: str) -> str:
    """The file of a kept finding's trace, if the text is its id or the start of it and no file's name; else the text.

    UsageError for a finding that is no trace.
    """
    kept = None if _is_file(text) else Store(Path(store), warn).find(text)
    return str(traced(kept).folder / TRACE) if kept else text


def _is_file(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):           # too long for a name
        return False
