"""Faults that nobody noticed, as findings: a run that has any has failed."""

import shlex
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from heapster.checkers.mutation.fault import Kill
from heapster.results import Finding


def missed(kills: Iterable[Kill]) -> tuple[Finding, ...]:
    """The planted faults that were not found by the check that must find them."""
    return tuple(_finding("fault_missed", f"the planted fault '{kill.fault.title}' is found as "
                          f"{' or '.join(kill.found) or 'nothing'}, not by {kill.fault.caught_by}",
                          f"heapster mutate --by {kill.fault.by} {shlex.quote(kill.fault.title)}")
                 for kill in kills if not kill.as_expected)


def survived(rows: Iterable[Mapping[str, Any]], again: str) -> tuple[Finding, ...]:
    """The drawn changes that no hunter noticed; `again` is the command that hunts them."""
    return tuple(_finding("fault_survived", f"nothing notices a change of {row['file']}, line {row['line']}: "
                          f"{row['kind']}", again, (f"- {row['before']}", f"+ {row['after']}"))
                 for row in rows if row["verdict"] == "survived")


def _finding(code: str, title: str, replay: str, details: tuple[str, ...] = ()) -> Finding:
    identity = sha256(repr((code, title, details)).encode()).hexdigest()[:8]
    return Finding(identity, code, title, (), replay, details=details)
