"""`heapster bisect`."""

from pathlib import Path

from heapster.checkers.findings.store import Kept, Store
from heapster.checkers.nightly.bisecting import Bisected, Bisection, Trial
from heapster.checkers.targets.target import SIM, Target
from heapster.reports.output import say, warn
from heapster.reports.progress import Meter
from heapster.reports.terminal import BAD, FAINT, OPEN, PLAIN
from heapster.results import UsageError, Verdict
from heapster.wording import counted

STYLES = {Trial.GOOD: PLAIN, Trial.BAD: BAD, Trial.UNBUILT: OPEN}


def command(identity: str, good: str, bad: str, build: tuple[str, ...], target: str | None, store: str) -> int:
    """Find the commit that a finding came with."""
    kept = Store(Path(store), warn).find(identity)
    if kept is None:
        raise UsageError(f"no finding in {store} has an id that starts with {identity}: heapster findings lists them")
    with Meter(f"bisect {kept.finding.id}") as meter:
        def tell(commit: str, trial: Trial) -> None:
            meter.show(None, commit)
            say([(f"  {trial.value}: {commit}", STYLES[trial])])

        with Bisection(Path.cwd(), replay_words(kept, target), build, tell) as bisection:
            found = bisection.search(good, bad)
        meter.close(f"{counted(found.tried, 'revision')} tried")
    return _told(kept, found)


def replay_words(kept: Kept, target: str | None) -> list[str]:
    """The words of `heapster` that try the finding in the folder of a revision; UsageError if none can."""
    finding = kept.finding
    if not finding.trace or finding.counterexample or all(line.startswith("#") for line in finding.trace):
        raise UsageError(f"{finding.id} is no trace of one thread: bisect it with git bisect run and {finding.replay}")
    name = target or _in_revision(kept.target)
    return ["replay", str((kept.folder / "min.trace").resolve()), "--target", name]


def _in_revision(target: Target) -> str:
    """What stands for the target in the folder of a revision."""
    if target == SIM:
        return "."
    if any(path.is_absolute() for path in target.paths) or not target.paths:
        raise UsageError(f"{target} is the same in every revision: say what the build makes with --target")
    return str(target)


def _told(kept: Kept, found: Bisected) -> int:
    if found.first_bad:
        say([(f"{kept.finding.code} ({kept.finding.id}) came with {found.first_bad}", BAD)])
        return Verdict.PASSED.exit_code
    say([(f"{kept.finding.code} ({kept.finding.id}) came with one of these; the others cannot be built or run:", OPEN),
         *((f"  {line}", FAINT) for line in found.left)])
    return Verdict.INCONCLUSIVE.exit_code


