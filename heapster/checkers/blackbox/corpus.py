"""A folder of traces that later runs start from: those that were first to take an edge, and whatever is put there.

A trace of ours is named by its digest; whatever else lies there is somebody's own, and is never removed.
"""

import re
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from heapster.checkers.traces.reading import read_trace
from heapster.files import write_whole
from heapster.model.operation import Trace
from heapster.model.operations import CALLS
from heapster.model.trace import format_trace
from heapster.results import UsageError
from heapster.wording import counted

OURS = re.compile(r"[0-9a-f]{16}\.trace")
MOST = 20_000                   # steps of a trace


class CorpusTrace(NamedTuple):
    """A trace of the corpus."""

    path: Path
    trace: Trace


class Corpus:
    """The folder, which is made if it is not there; UsageError if that cannot be, or a file in it is no trace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
        except OSError as error:
            raise UsageError(f"--corpus {folder}: {error.strerror}") from None
        self.traces = tuple(CorpusTrace(path, _read(path)) for path in files)

    def keep(self, trace: Trace) -> Path:
        """Write a trace; where. Raises Unwritable."""
        text = format_trace(trace)
        path = self.folder / f"{sha256(text.encode()).hexdigest()[:16]}.trace"
        write_whole(path, text)
        return path

    def replace_ours(self, traces: Iterable[Trace]) -> None:
        """Let these be there in place of those that runs have added."""
        written = {self.keep(trace) for trace in traces}
        for kept in self.traces:
            if is_ours(kept.path) and kept.path not in written:
                kept.path.unlink(missing_ok=True)

    def check_target(self, verbs: frozenset[str], name: str) -> list[str]:
        """What is to be told where the target lacks functions that traces call; UsageError if it has none of them."""
        lacks = [kept for kept in self.traces if _calls(kept.trace) - verbs]
        if lacks and not any(_calls(kept.trace) & verbs for kept in self.traces):
            raise UsageError(f"--corpus {self.folder} is of another target: no trace in it calls a function of {name}")
        if not lacks:
            return []
        missing = ", ".join(sorted(frozenset().union(*(_calls(kept.trace) for kept in lacks)) - verbs))
        some = f"{len(lacks)} of {counted(len(self.traces), 'trace')} of {self.folder}"
        return [f"{some} whole: they call what the target lacks ({missing})"]


def is_ours(path: Path) -> bool:
    """Whether a run of ours has written the file."""
    return OURS.fullmatch(path.name) is not None


def _calls(trace: Trace) -> frozenset[str]:
    return frozenset(step.verb for step in trace if step.verb in CALLS)


def _read(path: Path) -> Trace:
    trace = read_trace(path)
    if len(trace) > MOST:
        raise UsageError(f"{path} has {counted(len(trace), 'step')}, and a trace of a corpus at most {MOST:,}: cut it")
    return tuple(trace)
