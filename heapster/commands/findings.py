"""`heapster findings`: what is kept between runs."""

import json
from collections.abc import Iterator
from pathlib import Path

from heapster.checkers.findings.store import Kept, Store
from heapster.checkers.targets import grammar
from heapster.commands.delivery import check_writable
from heapster.commands.targets import current
from heapster.files import write_whole
from heapster.reports.output import Line, say, warn
from heapster.reports.terminal import BAD, FAINT, GOOD, PLAIN, finding_lines
from heapster.results import UsageError
from heapster.wording import counted

DAY = len("2026-01-01")


def list_(store: str, target: str | None = None) -> int:
    """A line for each."""
    wanted = grammar.parse(current(target)) if target else None
    kept = [one for one in _kept_in(store).all() if wanted in (None, one.target)]
    say(_listed(kept, store))
    return 0


def show(store: str, identity: str) -> int:
    """All of one."""
    kept = found(store, identity)
    say([*finding_lines(kept.finding), *_about(kept)])
    return 0


def drop(store: str, identities: tuple[str, ...], mended: bool) -> int:
    """Forget some."""
    if not identities and not mended:
        raise UsageError("say which: heapster findings drop ID..., or --mended")
    findings = _kept_in(store)
    going = [found(store, identity) for identity in identities]
    going += [kept for kept in findings.all() if mended and kept.state().mended]
    for identity in dict.fromkeys(kept.finding.id for kept in going):
        findings.drop(identity)
        say([(f"dropped {identity}", PLAIN)])
    return 0


def baseline(store: str, output: str, identities: tuple[str, ...]) -> int:
    """Write what a run is to accept."""
    check_writable(Path(output))
    kept = ([found(store, identity) for identity in identities]
            or [one for one in _kept_in(store).all() if not one.state().mended])
    if not kept:
        raise UsageError(f"nothing is kept in {store} that still fails")
    value = [{"id": one.finding.id, "code": one.finding.code, "target": str(one.target),
              "trace": list(one.finding.trace)} for one in kept]
    write_whole(Path(output), json.dumps(value, indent=2) + "\n")
    say([(f"{output}: {counted(len(kept), 'finding')}", PLAIN)])
    return 0


def found(store: str, identity: str) -> Kept:
    """The kept finding whose id starts so; UsageError if there is none."""
    kept = _kept_in(store).find(identity)
    if kept is None:
        raise UsageError(f"{identity} is no finding that is kept in {store} (heapster findings lists them)")
    return kept


def _listed(kept: list[Kept], store: str) -> Iterator[Line]:
    if not kept:
        yield f"nothing is kept in {store}", PLAIN
    for one in kept:
        state = one.state()
        word, style = ("mended", GOOD) if state.mended else ("fails", BAD)
        yield f"{one.finding.id:<12}  {word:<6}  since {state.since[:DAY]}  {one.finding.code} on {one.target}", style
        yield f"  {one.finding.title}", FAINT


def _about(kept: Kept) -> Iterator[Line]:
    state = kept.state()
    passed = "did not fail" if state.mended else "failed"
    yield f"  on {kept.target}; kept since {state.since}; {passed} when it was last run, {state.seen}", PLAIN
    for path in sorted(kept.folder.iterdir()):
        yield f"  {path}", FAINT


def _kept_in(store: str) -> Store:
    """What is kept there; UsageError for what can keep nothing."""
    if Path(store).exists() and not Path(store).is_dir():
        raise UsageError(f"--store {store} is no folder")
    return Store(Path(store), warn)
