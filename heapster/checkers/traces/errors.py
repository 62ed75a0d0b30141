"""Errors in a file of traces, with their place."""

from pathlib import Path

from heapster.results import UsageError


class TraceFileError(UsageError):
    """A file that is no trace, or stops being one; `where` is a line, a byte or a chunk."""

    def __init__(self, path: Path | str, where: str, message: str) -> None:
        super().__init__(f"{path}, {where}: {message}")
