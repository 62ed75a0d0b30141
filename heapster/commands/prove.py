"""`heapster prove`."""

from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Any

from heapster.checkers.findings.store import Store
from heapster.checkers.jobs.pool import cores
from heapster.checkers.mutation import hunt_proofs
from heapster.checkers.mutation.fault import Kill
from heapster.checkers.mutation.missed import missed
from heapster.checkers.mutation.proof_faults import FAULTS
from heapster.checkers.proofs import Proof
from heapster.checkers.proofs.catalogue import ASSUMED, PROOFS, is_known, selected, theorems
from heapster.checkers.proofs.counterexample import parse, refuted, replays
from heapster.checkers.proofs.kept import kept_proofs
from heapster.checkers.proofs.replay import PathReplay
from heapster.checkers.proofs.runner import Proved, Runner, TheoremResult, target_of
from heapster.checkers.proofs.source import check_source
from heapster.checkers.proofs.unproved import UNPROVED
from heapster.checkers.targets.source import holds_source, root_in
from heapster.checkers.targets.target import UNSET, Target, built
from heapster.commands.any_heap_page import any_heap_lines
from heapster.commands.delivery import Delivery
from heapster.commands.targets import names_target
from heapster.commands.targets import target_of as named
from heapster.commands.usage.prove import LONGEST, TIMEOUT
from heapster.commands.workers import pool_of
from heapster.extras import install
from heapster.files import write_whole
from heapster.reports.output import say, warn
from heapster.reports.progress import Meter
from heapster.reports.proofs import (
    assumed_lines,
    count_line,
    cross_check_lines,
    cross_checked,
    markdown,
    theorem_lines,
    unproved_lines,
)
from heapster.reports.terminal import BAD, GOOD, OPEN, PLAIN, finding_lines
from heapster.results import Finding, Run, TargetError, UsageError, Verdict
from heapster.wording import counted

MOST_SHOWN = 4                  # findings, the rest in a line each
NOT_MET = "no program was found that meets this, of the counterexamples' heaps and numbers and of 60 generated ones"
COVERS_WHAT = ("--covers takes a trace or --fuzz SECONDS, and measures the source that ships, or it without spans: "
               "heapster prove --covers --fuzz 60")
FAULTS_WHERE = ("--faults plants faults in the source that ships, and asks z3 alone, on this machine: leave out the "
                "folder or the setting, --cross-check and --scheduler")


def command(words: tuple[str, ...], timeout: float | None, write: Path | None, json: str | None,
            junit: str | None, store: str, covers: str | None, fuzz: float | None, *, only_list: bool, thorough: bool,
            with_faults: bool, fresh: bool, cross_check: bool, compiled: bool, **given: Any) -> int:
    """Prove with z3 what the docstrings of impl promise, on the source that ships or on a copy of it."""
    folder, spans, names = aimed(words)
    if compiled:
        _check_solvers(cross_check=False)
        from heapster.commands.prove_compiled import validate  # noqa: PLC0415  loads z3
        others = folder, write, covers, fuzz, thorough or None, with_faults or None, fresh or None, cross_check or None
        return validate(names, timeout, Delivery(json, junit), given, spans=spans, only_list=only_list, others=others)
    if covers is not None or fuzz is not None:
        if folder or names or covers is None or covers and fuzz:
            raise UsageError(COVERS_WHAT)
        from heapster.commands.prove_coverage import measure  # noqa: PLC0415  loads Hypothesis
        return measure(covers, fuzz, Delivery(json, junit), Path(store), spans=spans)
    proofs = selected(names, thorough=thorough, spans=spans)
    timeout, jobs = timeout or (LONGEST if thorough else TIMEOUT), given["jobs"] or cores()
    if write:
        write_whole(write, page())
        return 0
    if only_list:
        say(chain(theorem_lines(_listed(proofs)), assumed_lines(_assumed()), unproved_lines(UNPROVED)))
        return 0
    _check_solvers(cross_check=cross_check)
    delivery = Delivery(json, junit)
    delivery.check()
    if with_faults:
        if folder or spans is not UNSET.has_spans or cross_check or given["scheduler"]:
            raise UsageError(FAULTS_WHERE)
        return delivery.write(_hunted(proofs, jobs, timeout))
    if folder:
        check_source(folder)
    target = target_of(folder, spans=spans)
    with kept_proofs(folder, spans=spans, fresh=fresh or cross_check) as kept:
        pool = pool_of(given, needs=target.paths) if given["scheduler"] else None
        run = proved(proofs, Runner(timeout, jobs, folder, kept=kept, cross_check=cross_check, pool=pool, spans=spans))
    if kept.trouble:
        warn(kept.trouble)
    return delivery.write(_told(met(run, target), target, Store(Path(store), warn)))


def _check_solvers(*, cross_check: bool) -> None:
    if find_spec("z3") is None:
        raise TargetError(f"proofs need z3: {install('prove')}")
    if cross_check and find_spec("cvc5") is None:
        raise TargetError(f"--cross-check needs cvc5: {install('cross-check')}")


def aimed(words: Sequence[str]) -> tuple[Path | None, bool, tuple[str, ...]]:
    """The folder to prove, None for what ships, whether with spans, and the names; the first word may be a target."""
    if not words or not _is_target(words[0]):
        return None, UNSET.has_spans, tuple(words)
    target = named(words[0], "prove")
    folder = next(iter(target.paths), None)
    if folder:
        root_in(folder)
    return folder, target.settings.has_spans, tuple(words[1:])


def _is_target(word: str) -> bool:
    """Whether the word names a target, and not what is proved; a folder that holds a copy of impl does."""
    if Path(word).is_dir() and holds_source(Path(word)):
        return True
    return not is_known(word) and names_target(word)


def page() -> str:
    """The page of the docs."""
    return markdown(_listed(PROOFS), _assumed(), [kill_row(Kill(fault)) for fault in FAULTS], any_heap_lines())


def _listed(proofs: Sequence[Proof]) -> list[dict[str, Any]]:
    return [theorem._asdict() for theorem in theorems(tuple(proofs))]


def _assumed() -> list[dict[str, Any]]:
    return [assumption._asdict() for assumption in ASSUMED]


def proved(proofs: Sequence[Proof], runner: Runner) -> Run:
    """Run the proofs and show how far it is."""
    started, interrupted = monotonic(), False
    rows: list[dict[str, Any]] = []
    findings: list[Finding] = []
    with Meter("prove") as meter:
        try:
            for done, outcomes in enumerate(runner.run(proofs)):
                meter.show((done + 1) / len(proofs), outcomes[0].theorem.of)
                rows += [_row(outcome) for outcome in outcomes]
                findings += [outcome.finding for outcome in outcomes if outcome.finding]
        except KeyboardInterrupt:
            interrupted = True
        seconds = monotonic() - started
        meter.close(f"{counted(len(rows), 'theorem')} in {seconds:.1f} s" + (", interrupted" if interrupted else ""))
    order = {theorem.name: place for place, theorem in enumerate(theorems())}
    rows.sort(key=lambda row: order[row["name"]])
    target = target_of(runner.origin, spans=runner.spans)
    return Run("prove", str(target), 0, _verdict(rows), seconds, len(rows), tuple(findings),
               checks={row["name"]: row["paths"] for row in rows},
               extra={"theorems": rows, "assumed": _assumed(), "interrupted": interrupted,
                      "not_checked": [a.claim for a in ASSUMED],
                      **({"cross_check": cross_checked(rows)} if runner.cross_check else {})})


def met(run: Run, target: Target) -> Run:
    """The run, and what a program meets of what it refuted: the first finding then."""
    shown = [parse(finding.counterexample) for finding in run.findings if finding.counterexample]
    if not shown or run.extra["interrupted"]:
        return run
    try:
        with Meter("prove: programs that meet it"):
            found = _first_seen(replays(shown, target), target)
    except KeyboardInterrupt:
        return replace(run, extra={**run.extra, "interrupted": True})
    except TargetError as error:
        return replace(run, extra={**run.extra, "not_met": f"no program can run: {error}"})
    if found is None:
        return replace(run, extra={**run.extra, "not_met": NOT_MET})
    return replace(run, findings=(found, *run.findings))


def _first_seen(replayed: Sequence[tuple[Proof, PathReplay]], target: Target) -> Finding | None:
    """What a program meets first: where there are spans, of what is proved of them."""
    from heapster.checkers.proofs.programs import seen_by_programs  # noqa: PLC0415  loads Hypothesis
    for spans in (False, True):
        paths = [path for proof, path in replayed if proof.spans is spans]
        on = replace(target, settings=built(with_spans=True)) if spans else target
        if paths and (found := seen_by_programs(paths, on)):
            return found
    return None


def replay_counterexample(text: str, target: Target, delivery: Delivery) -> int:
    """Run what a counterexample says again, on the source of the target."""
    started, shown = monotonic(), parse(text)
    [(proof, path)] = replays([shown], target)
    failed = shown.theorem in path.failed
    findings = (refuted(proof, shown, path, "", target),) if failed else ()
    say(chain(*map(finding_lines, findings)))
    say([(f"STILL FAILS: {shown.theorem} on {target}", BAD) if failed else
         (f"PASSES: {shown.theorem} holds of these words on {target}", GOOD)])
    return delivery.write(Run("replay", str(target), 0, Verdict.FAILED if failed else Verdict.PASSED,
                              monotonic() - started, 1, findings))


def _told(run: Run, target: Target, store: Store) -> Run:
    """The run, whose findings are kept, shown."""
    for finding in run.findings:
        if finding.trace or finding.counterexample:
            store.keep(finding, target)
    _show(run)
    return run


def _show(run: Run) -> None:
    rows = run.extra["theorems"]
    say(theorem_lines(rows))
    say(assumed_lines(_assumed()))
    for finding in run.findings[:MOST_SHOWN]:
        say([("", PLAIN), *finding_lines(finding)])
    say((f"  also: {finding.title}: {finding.replay}", BAD) for finding in run.findings[MOST_SHOWN:])
    if not_met := run.extra.get("not_met"):
        say([(f"  {not_met}", OPEN)])
    if told := run.extra.get("cross_check"):
        say(cross_check_lines(told))
    text, style = count_line(rows)
    say([(f"prove: {text}" + (", interrupted" if run.extra["interrupted"] else ""), style)])


def _row(outcome: TheoremResult) -> dict[str, Any]:
    theorem = outcome.theorem
    return {"name": theorem.name, "of": theorem.of, "claim": theorem.claim, "bound": theorem.bound,
            "spans": theorem.spans, "verdict": outcome.verdict.value, "paths": outcome.paths,
            "seconds": round(outcome.seconds, 3), "encoding": outcome.encoding, "reason": outcome.reason,
            "kept": outcome.kept, "asked": outcome.asked, "agreed": outcome.agreed}


def _verdict(rows: list[dict[str, Any]]) -> Verdict:
    found = {row["verdict"] for row in rows}
    if found & {Proved.REFUTED.value, Proved.VACUOUS.value}:
        return Verdict.FAILED
    return Verdict.PASSED if found == {Proved.PROVED.value} else Verdict.INCONCLUSIVE


def _hunted(proofs: Sequence[Proof], jobs: int, timeout: float) -> Run:
    """The kill table: each fault is refuted by its theorem."""
    names = {theorem.name for theorem in theorems(tuple(proofs))}
    faults = [fault for fault in FAULTS if fault.caught_by in names]
    kills: list[Kill] = []
    started, interrupted = monotonic(), False
    with Meter("prove --faults") as meter:
        try:
            for fault in faults:
                meter.show(len(kills) / len(faults), fault.title)
                kills.append(hunt_proofs.hunt(fault, runner=Runner(timeout, jobs)))
        except KeyboardInterrupt:
            interrupted = True
        meter.close(f"{counted(len(kills), 'fault')} planted")
    say((f"{kill.fault.module + '.py':14}{kill.fault.title}: {_hit(kill)}{kill.fault.caught_by}",
         PLAIN if kill.as_expected else BAD) for kill in kills)
    findings = missed(kills)
    refuted = len(kills) - len(findings)
    say([(f"{refuted} of {counted(len(kills), 'planted fault')} refuted by the theorem that names them",
          BAD if findings else GOOD)])
    verdict = Verdict.FAILED if findings else Verdict.PASSED
    return Run("prove", "sim", 0, verdict, monotonic() - started, len(kills), findings, extra={
        "interrupted": interrupted, "missed": [kill.fault.title for kill in kills if not kill.as_expected],
        "kills": list(map(kill_row, kills))})


def _hit(kill: Kill) -> str:
    return "" if kill.as_expected else "MISSED by "


def kill_row(kill: Kill) -> dict[str, Any]:
    """A planted fault of one edit, as the page and the JSON have it."""
    fault = kill.fault
    return {"title": fault.title, "module": fault.module, "old": fault.edits[0].old, "new": fault.edits[0].new,
            "caught_by": fault.caught_by, "steps": fault.budget}
