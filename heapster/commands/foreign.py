"""`heapster fuzz` and `heapster replay` for targets that somebody else wrote."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from random import SystemRandom
from typing import Any

from heapster.checkers.blackbox.build import Compiler
from heapster.checkers.blackbox.campaign import SECONDS
from heapster.checkers.blackbox.corpus import Corpus
from heapster.checkers.blackbox.fuzzing import fuzz_foreign
from heapster.checkers.blackbox.minimising import minimise as minimised
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.replaying import replay_foreign
from heapster.checkers.blackbox.severity import is_grave
from heapster.checkers.blackbox.tally import Tally
from heapster.checkers.findings.store import Kept, Store
from heapster.checkers.targets.target import Target
from heapster.commands.delivery import Delivery
from heapster.commands.workers import pool_of
from heapster.reports import github
from heapster.reports.output import say, warn
from heapster.reports.progress import Meter
from heapster.reports.terminal import FAINT, OPEN, PLAIN, finding_lines, index_lines, run_lines, verdict_line
from heapster.results import Finding, Run, UsageError
from heapster.wording import counted

SEEDS = 1 << 32


def fuzz(target: Target, given: dict[str, Any], delivery: Delivery, store: Store) -> int:
    """Judge the target; findings are printed as they come. The exit code."""
    options, told, heard = _options(target, given), list[Finding](), set[str]()
    with Meter(f"fuzz {options.target}") as meter:

        def announce(finding: Finding) -> None:
            if is_grave(finding) and delivery.selection.takes(finding):
                told.append(finding)
                say([*finding_lines(finding), ("", PLAIN)])

        def noticed(finding: Finding) -> None:
            if not told and finding.id not in heard and delivery.selection.takes(finding):
                heard.add(finding.id)
                what = f": {finding.title}" if is_grave(finding) else ", by a call that few programs make"
                meter.tell(f"found: {finding.code}{what}; now its line is looked for")

        def progress(tally: Tally, findings: int) -> None:
            whole = options.seconds * pool.shares
            meter.show(tally.spent / whole if whole else None,
                       f"{counted(tally.ops, 'operation')}, {counted(findings, 'finding')}")

        pool = pool_of(given, needs=_needed(options, given))
        run = delivery.selection.applied(fuzz_foreign(options, announce, progress, store, store.folder, pool=pool,
                                                      noticed=noticed))
        rate = run.extra["compiled_ops_per_second"]
        meter.close(f"{counted(run.ops, 'operation')} in {run.seconds:.1f} s"
                    + (f"; compiled checks: {rate:,} a second" if rate else ""))
    for finding in run.findings:
        if finding not in told:
            say([*finding_lines(finding), ("", PLAIN)])
    say([*_learnt(run), *run_lines(replace(run, findings=()))[:-1], *index_lines(run), verdict_line(run)])
    github.publish(run)
    return delivery.write(run)


def _needed(options: ForeignOptions, given: Mapping[str, Any]) -> Iterator[Path]:
    """The files that a run needs wherever it is; UsageError for what has to be done here."""
    if options.coverage is not None and given.get("scheduler"):
        raise UsageError("--coverage counts on this machine what is run here: leave out --scheduler")
    more = (options.corpus, Path(options.adapter) if options.adapter else None)
    return iter((*options.target.paths, *filter(None, more)))


def minimise(target: Target, given: dict[str, Any]) -> int:
    """Make the corpus small, and say what became of it. The exit code."""
    options = _options(target, given)
    if options.corpus is None:
        raise UsageError("--minimise makes a corpus small: say which (--corpus DIR)")
    done = minimised(options, Corpus(options.corpus))
    before, after = done.before, done.after
    what = f"{after.traces} of {counted(before.traces, 'trace')}, {after.steps:,} of {counted(before.steps, 'step')}"
    say([(f"{options.corpus}: {what}; the same {counted(done.edges, 'edge')}", PLAIN)])
    return 0


def _learnt(run: Run) -> list[tuple[str, str]]:
    lines = [(f"  policy: {words}", FAINT) for words in run.extra["policies_learnt"]]
    lines += [(f"  known deviation, not counted: {why}", FAINT) for why in run.extra["known_deviations"]]
    if accepted := run.extra.get("accepted"):
        lines.append((f"  accepted by the baseline: {', '.join(accepted)}", FAINT))
    if unknown := run.extra.get("not_met"):
        lines.append((f"  in the baseline, neither met nor run again: {', '.join(unknown)}", OPEN))
    return lines


def options_of(target: Target, given: Mapping[str, Any], **more: Any) -> ForeignOptions:
    """How a target is compiled, named and judged, as far as the options of the command say so."""
    return ForeignOptions(
        target, prefix=given.get("prefix"), alignment=given.get("alignment"), compiler=_compiler_of(given),
        heap_limit=given.get("heap_limit"), adapter=given.get("adapter"), sandbox=bool(given.get("sandbox")),
        strict=bool(given.get("strict")), build=given.get("build"), **more)


def _compiler_of(given: Mapping[str, Any]) -> Compiler:
    """What --cc and --cflags say."""
    try:
        return Compiler(given.get("cc") or "cc", tuple(shlex.split(given.get("cflags") or "")))
    except ValueError as error:
        raise UsageError(f"--cflags {given['cflags']}: {error}") from None


def _options(target: Target, given: dict[str, Any]) -> ForeignOptions:
    """All that a run of fuzz is told."""
    seed = given["seed"]
    folders = {name: Path(given[name]) for name in ("baseline", "coverage", "corpus") if given.get(name)}
    return options_of(target, given, seconds=SECONDS if given["seconds"] is None else given["seconds"],
                      seed=SystemRandom().randrange(SEEDS) if seed is None else seed,
                      threads=given.get("threads") or 0, **folders)


def replay(kept: Kept, *, gdb: bool) -> int:
    """Run a kept finding again; or stop a debugger at its failing call."""
    return replay_foreign(kept, gdb=gdb, say=lambda text: say([(text, PLAIN)]), warn=warn)
