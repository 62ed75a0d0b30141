"""`heapster explain`."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from textwrap import wrap

from heapster.checkers.findings.codes import Explanation, explanations
from heapster.checkers.findings.store import Store
from heapster.reports.output import Line, say, warn
from heapster.reports.terminal import FAINT, PLAIN, STRONG
from heapster.results import UsageError
from heapster.suggest import instead_of

WIDTH = 100


def command(code: str | None, store: str) -> int:
    """What a finding's code means, how it usually arises, what to look at. Without CODE: all codes."""
    known = explanations()
    if code is None:
        say(_all(known.values()))
        return 0
    kept = None if code in known else Store(Path(store), warn).find(code)
    if kept is not None:
        say([(f"{kept.finding.id} on {kept.target}: {kept.finding.title}", PLAIN)])
        code = kept.finding.code
    if code not in known:
        raise UsageError(f"unknown code '{code}': {_instead(code, known)}")
    say(_one(known[code]))
    return 0


def _instead(code: str, known: Iterable[str]) -> str:
    meant = instead_of(code, known)
    return meant if meant.startswith("did") else "heapster explain lists all"


def _all(known: Iterable[Explanation]) -> Iterator[Line]:
    for one in known:
        yield one.code, STRONG
        yield from _wrapped("", one.means)


def _one(one: Explanation) -> Iterator[Line]:
    yield one.code, STRONG
    yield from _wrapped("", one.means)
    yield from _wrapped("how it arises: ", one.arises)
    yield from _wrapped("what to look at: ", one.look_at)
    if one.source:
        yield from _wrapped("the rule: ", one.source, FAINT)


def _wrapped(title: str, text: str, style: str = PLAIN) -> Iterator[Line]:
    for line in wrap(f"{title}{text}", WIDTH, initial_indent="  ", subsequent_indent="    "):
        yield line, style
