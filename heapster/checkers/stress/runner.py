"""`stress`: the harness in child processes with limits, pattern by pattern, and what came of it."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from shlex import quote
from time import monotonic

from heapster import children
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.jobs.local import ALONE
from heapster.checkers.jobs.pool import Pool
from heapster.checkers.stress import build, growing
from heapster.checkers.stress.growing import RestSample
from heapster.checkers.stress.patterns import OURS_ALONE, PATTERNS
from heapster.checkers.targets.opening import threads_of
from heapster.checkers.targets.target import NATIVE, Target
from heapster.impl.layout import DEFAULT_KEEP, DEFAULT_POLICY
from heapster.impl.run_layout import RESERVED
from heapster.model.placement import POLICY_NAMES
from heapster.native.operations_header import HARNESS_FAULT
from heapster.results import Finding, HarnessError, Run, TargetError, UsageError, Verdict
from heapster.suggest import instead_of
from heapster.wording import counted, legible

MOST_THREADS = 64
GRACE = 240.0                       # seconds that the harness may take longer before it is killed: it watches itself
BARE_SHARE = 0.05                   # of the time, for the same loop without verification
OWN_PREFIX = "heapster_"
RATED = "churn"                     # the pattern whose rates are compared
MOST_STACK_LINES = 12
USAGE, UNUSABLE = 2, 4          # exit codes of the harness
CHECKS = ("payloads", "alignment", "usable_size", "zeroed", "overlap", "progress")


@dataclass(frozen=True)
class StressPlan:
    """A plan: the target, its threads, patterns and time."""

    target: Target = NATIVE
    threads: int = 2
    seconds: float = 20.0
    pattern: str = "all"
    seed: int = 0
    library: Path | None = None     # instead of the one that `target` names: a changed native one
    options: ForeignOptions | None = None       # how it is compiled and named, if that is said

    def check(self) -> None:
        """UsageError for what makes no sense."""
        if not 1 <= self.threads <= MOST_THREADS:
            raise UsageError(f"--threads is 1 to {MOST_THREADS}, not {self.threads}")
        if self.seconds <= 0:
            raise UsageError("--seconds must be positive")
        if self.pattern not in (*PATTERNS, "all"):
            raise UsageError(f"unknown pattern '{self.pattern}': {instead_of(self.pattern, (*PATTERNS, 'all'))}")
        if self.pattern in OURS_ALONE and self.target.kind != NATIVE.kind:
            raise UsageError(f"the pattern {self.pattern} needs functions that only native has")

    def patterns(self) -> tuple[str, ...]:
        """The patterns to run, in order."""
        if self.pattern != "all":
            return (self.pattern,)
        return tuple(name for name in PATTERNS if self.target.kind == NATIVE.kind or name not in OURS_ALONE)


@dataclass
class Report:
    """The report of a child."""

    ops: int = 0
    seconds: float = 0.0
    pauses: int = 0
    walks: int = 0
    cached: int = 0                 # blocks that waited to be used again at a barrier, at most
    forks: int = 0
    lives: int = 0                  # threads that ended
    samples: list[RestSample] = field(default_factory=list)
    digests: dict[int, str] = field(default_factory=dict)
    code: str = ""                  # of a finding
    message: str = ""
    stacks: list[str] = field(default_factory=list)


Progress = Callable[[str, int, int], None]      # a pattern, its number, of how many


def stress(plan: StressPlan, progress: Progress | None = None, pool: Pool = ALONE) -> Run:
    """Run the patterns until one fails or all have had their time, as many at once as the pool has jobs."""
    plan.check()
    begun = monotonic()
    reports: dict[str, Report] = {}
    bare, interrupted = Report(), False
    names = plan.patterns()
    try:
        if progress is not None:
            progress(names[0], 0, len(names))
        for name, report, unverified in pool.in_order(names, Stresser(plan, pool.jobs)):
            reports[name], bare = report, unverified or bare
            if report.code:
                break
            if progress is not None:
                progress(name, len(reports), len(names))
    except KeyboardInterrupt:
        interrupted = True
    return _run(plan, reports, bare, monotonic() - begun, interrupted)


@dataclass(frozen=True)
class Stresser:
    """Runs a pattern, wherever it is sent; so many of them run at once, each for longer."""

    plan: StressPlan
    jobs: int

    def __call__(self, name: str) -> tuple[str, Report, Report | None]:
        """The pattern and how it went; of that whose rate is compared, how the bare loop did as well."""
        command, environment = _harness(self.plan)
        seconds, names = self.plan.seconds, self.plan.patterns()
        bare = None
        if name == RATED:
            bare = _child(self.plan, command, environment, name, seconds * BARE_SHARE, "bare")
        share = seconds * (1 - BARE_SHARE) * min(self.jobs, len(names)) / len(names)
        return name, _verified(self.plan, command, environment, name, share), bare


def _harness(plan: StressPlan) -> tuple[list[str], dict[str, str]]:
    """The harness's last arguments and its environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HEAPSTER_", "LD_"))}
    if plan.library:
        return [str(plan.library), OWN_PREFIX], environment
    found = threads_of(plan.options or ForeignOptions(plan.target))
    environment |= found.environment
    if found.own or found.prefix:
        return [found.library, found.prefix or OWN_PREFIX], environment
    if found.library:
        environment["LD_PRELOAD"] = found.library
        return [found.library], environment
    return [], environment


def _verified(plan: StressPlan, command: list[str], environment: dict[str, str], name: str, seconds: float) -> Report:
    """One pattern; what grows under it must grow on in a longer run, unless that was enough."""
    report = _child(plan, command, environment, name, seconds, "verified")
    if not growing.grown(report.samples) or report.code not in ("", "spurious_null"):
        return report
    for _ in range(growing.TRIES * (not report.code and not growing.is_enough(report.samples))):
        longer = _child(plan, command, environment, name, seconds * growing.LONGER, "verified")
        if longer.code or not growing.goes_on(report.samples, longer.samples):
            return longer
        if growing.is_longer(report.samples, longer.samples):
            report = longer
            break
    bytes_grown, end = growing.grown(report.samples), f"; then {report.message}" if report.code else ""
    report.code, report.message = growing.CODE, growing.told(report.samples, bytes_grown, report.lives) + end
    return report


def _child(plan: StressPlan, command: list[str], environment: dict[str, str], pattern: str, seconds: float,
           mode: str) -> Report:
    arguments = [str(build.harness()), pattern, str(plan.threads), f"{seconds:.3f}", str(plan.seed), mode, *command]
    addresses = children.ADDRESSES + RESERVED * plan.target.settings.has_spans
    with children.started(arguments, addresses=addresses, env=environment, stdout=children.PIPE,
                          stderr=children.PIPE, text=True, errors="replace") as child:
        try:
            out, err = child.communicate(timeout=seconds + GRACE)
        except children.TimeoutExpired:
            children.end(child)
            return _hung(child.communicate()[0])
    if child.returncode == UNUSABLE or "cannot be preloaded" in err:
        raise TargetError(f"{plan.target} cannot be used: it does not load, or has no malloc, free, calloc and realloc")
    if child.returncode == HARNESS_FAULT:
        raise HarnessError(f"the harness of stress gave back a block that it did not hold, in pattern {pattern}: "
                           "that is no fault of the target's")
    report = parse(out.splitlines())
    if child.returncode and not report.code:
        how = f"signal {-child.returncode}" if child.returncode < 0 else f"exit code {child.returncode}"
        report.code, report.message = "crash", f"the harness ended with {how}: {legible(err.strip()[-200:])}"
    elif report.code == "abort" and err.strip():
        report.message += f"; it said: {legible(err.strip().splitlines()[-1])}"
    return report


def _hung(out: str) -> Report:
    report = parse(out.splitlines())
    report.code = report.code or "hang"
    report.message = report.message or f"the harness did not end within {GRACE:.0f} s of its time"
    return report


def parse(lines: list[str]) -> Report:
    """Read the lines of the harness."""
    report = Report()
    feed = iter(lines)
    for line in feed:
        if report.stacks or line.startswith("stack "):      # of a forked child, before the finding
            report.stacks.append(line)
        word, _, rest = line.partition(" ")
        if word == "finding":
            report.code, report.message = rest, next(feed, "")
            report.stacks = [*report.stacks[:-1], *feed] if report.stacks else list(feed)
        elif word in ("ops", "pauses", "walks", "cached", "forks", "lives"):
            setattr(report, word, int(rest))
        elif word == "sample":
            report.samples.append(RestSample(*map(int, rest.split())))
        elif word == "seconds":
            report.seconds = float(rest)
        elif word == "digest":
            thread, _, digest = rest.partition(" ")
            report.digests[int(thread)] = digest
    return report


def _run(plan: StressPlan, reports: dict[str, Report], bare: Report, seconds: float, interrupted: bool) -> Run:
    findings = tuple(_finding(plan, name, report) for name, report in reports.items() if report.code)
    ops = sum(report.ops for report in reports.values())
    walks = sum(report.walks for report in reports.values())
    forks = sum(report.forks for report in reports.values())
    rests = sum(len(report.samples) for report in reports.values() if growing.is_judged(report.samples))
    checks = dict.fromkeys(CHECKS, ops) | {"heap_at_barriers": walks, growing.CODE: rests, "fork": forks}
    witnesses = {"blocks_were_cached": sum(report.cached for report in reports.values()),
                 "threads_ended": sum(report.lives for report in reports.values()), "forks": forks}
    extra: dict[str, object] = {
        "threads": plan.threads, "patterns": {name: _figures(report) for name, report in reports.items()},
        **_rates(reports, bare), **_settings(plan.target), "not_checked": list(_not_checked(plan, reports, walks)),
    }
    if interrupted:
        extra["interrupted"] = True
    verdict = Verdict.FAILED if findings else Verdict.INCONCLUSIVE if not ops else Verdict.PASSED
    return Run("stress", str(plan.target), plan.seed, verdict, seconds, ops, findings, checks, witnesses, extra=extra)


def _settings(target: Target) -> dict[str, object]:
    """Those of ours that were in force: as the target sets them, else as it ships; caches are turned at each pause."""
    if target.kind != NATIVE.kind:
        return {}
    given = target.settings
    return {"settings": {
        "policy": [given.policy or f"{POLICY_NAMES[DEFAULT_POLICY]} (shipped)", "all in the pattern settings"],
        "cache": list(build.CACHES) if given.cache is None else [given.cache],
        "retained": [f"{DEFAULT_KEEP} (shipped)" if given.retained is None else given.retained],
        **({"arenas": [given.arenas]} if given.arenas else {})}}


def _figures(report: Report) -> dict[str, object]:
    return {"ops": report.ops, "seconds": report.seconds, "pauses": report.pauses, "forks": report.forks,
            "threads_ended": report.lives, "resident": [sample.resident for sample in report.samples][-1:],
            "ops_per_second": round(report.ops / report.seconds) if report.seconds else 0,
            "digests": {str(thread): digest for thread, digest in report.digests.items()}}


def _rates(reports: dict[str, Report], bare: Report) -> dict[str, object]:
    """The verified and the bare rate of one loop, if both were run."""
    rated = reports.get(RATED)
    if rated is None or not rated.seconds or not bare.seconds:
        return {}
    verified, unverified = rated.ops / rated.seconds, bare.ops / bare.seconds
    return {"verified_per_second": round(verified), "unverified_per_second": round(unverified),
            "verified_share": round(verified / unverified, 3) if unverified else 0.0}


def _not_checked(plan: StressPlan, reports: dict[str, Report], walks: int) -> Iterator[str]:
    skipped = [name for name in PATTERNS if name not in reports]
    if skipped:
        yield f"patterns {', '.join(skipped)}"
    if brief := [name for name, report in reports.items() if not report.code and not growing.is_judged(report.samples)]:
        yield f"growth under {', '.join(brief)}: fewer than {growing.LEAST_RESTS} rests (--seconds)"
    if not walks:
        yield "the inside of the heap, which only native shows"
    if plan.threads == 1:
        yield "threads that run at the same time (--threads)"


def _finding(plan: StressPlan, name: str, report: Report) -> Finding:
    options = f"--pattern {name} --threads {plan.threads} --seconds {plan.seconds:g} --seed {plan.seed}"
    said = plan.options.words if plan.options else ""
    command = f"heapster stress {quote(str(plan.target))} {options}{said}"
    return Finding(
        id=sha256(f"{report.code} {command}".encode()).hexdigest()[:12], code=report.code,
        title=f"{report.message} (pattern {name}, {counted(plan.threads, 'thread')}, seed {plan.seed})",
        trace=(f"pattern {name}: {PATTERNS[name]}",), replay=command,
        details=tuple(_readable(report.stacks)[:MOST_STACK_LINES]))


def _readable(lines: list[str]) -> list[str]:
    """Stacks without the paths and addresses of this machine."""
    return [line.rsplit("/", 1)[-1].split(" [")[0].replace("stack ", "stack of thread ") for line in lines if line]
