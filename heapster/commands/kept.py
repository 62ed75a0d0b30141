"""Kept findings where a command takes a trace."""

from pathlib import Path

from heapster.checkers.findings.store import TRACE, Kept, Store
from heapster.checkers.replay.source import traced
from heapster.checkers.targets.kinds import is_there
from heapster.checkers.targets.target import UNSET, TargetSettings
from heapster.commands.targets import target_of
from heapster.reports.output import warn
from heapster.results import UsageError


def trace_named(text: str, store: str) -> str:
    """The file of a kept finding's trace, if the text is its id or the start of it and no file's name; else the text.

    UsageError for a finding that is no trace.
    """
    kept = _named(text, store)
    return str(traced(kept).folder / TRACE) if kept else text


def settings_named(text: str, store: str, target: str | None, command: str) -> TargetSettings:
    """What is set of the target, whose heap is drawn; of none, that of the kept finding that the text names, if any.

    UsageError if there is no such target, or its heap is none that the reference predicts.
    """
    if target is None:
        kept = _named(text, store)
        return kept.target.settings._replace(harden=None) if kept else UNSET
    settings = target_of(target, command).settings
    if settings.harden:
        raise UsageError(f"{command} cannot take {target}: nobody predicts where the blocks of a hardened heap lie")
    return settings


def _named(text: str, store: str) -> Kept | None:
    return None if is_there(text) else Store(Path(store), warn).find(text)
