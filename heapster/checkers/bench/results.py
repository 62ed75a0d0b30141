"""From samples to a run: ratios to libc, means over workloads, findings, and what was not measured."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from shlex import quote
from statistics import median
from typing import Any

from heapster.checkers.bench.figures import Ratio, Rounds, deviation, geomean, paired, summed_up
from heapster.checkers.bench.machine import machine
from heapster.checkers.bench.measuring import BenchPlan, Measured
from heapster.checkers.bench.running import Sample
from heapster.checkers.bench.suite import NAME
from heapster.checkers.bench.targets import BASE
from heapster.checkers.bench.workloads import Workload
from heapster.results import Finding, Run, Verdict

DIGITS = 4
NANO = 1e9


def run_of(plan: BenchPlan, found: Measured, asked: frozenset[str]) -> Run:
    """The run. `asked` are the targets that someone named: without one of these it is inconclusive."""
    findings = tuple(_finding(workload, target, plan, found) for workload, target in found.failures)
    ops = sum(sample.ops for by_target in found.samples.values() for samples in by_target.values()
              for sample in samples.values())
    table = {workload.name: _workload(workload, plan, found) for workload in plan.workloads
             if workload.name in found.samples}
    extra: dict[str, Any] = {
        "rounds": _whole_rounds(plan, found), "share": plan.share, "machine": machine(),
        "libraries": {target.name: Path(target.library).resolve().name for target in plan.field.targets
                      if target.library},
        "geomean": _geomeans(plan, found), "workloads": table,
        "not_checked": list(_not_checked(plan, found)),
    }
    if plan.suite:
        extra["suite"] = NAME
    if found.interrupted:
        extra["interrupted"] = True
    verdict = Verdict.FAILED if findings else Verdict.PASSED if _is_whole(plan, found, asked) else Verdict.INCONCLUSIVE
    names = ",".join(target.name for target in plan.field.targets)
    return Run("bench", names, 0, verdict, found.seconds, ops, findings, extra=extra)


def _is_whole(plan: BenchPlan, found: Measured, asked: frozenset[str]) -> bool:
    """Whether all targets that were named were measured, on every workload that can be run here."""
    measured = all(workload.name in found.samples or workload.name in found.skipped for workload in plan.workloads)
    broken = any(not workload.installed for workload in plan.workloads if workload.name in found.skipped)
    return bool(found.samples) and measured and not broken and not found.interrupted \
        and not asked & plan.field.absent.keys()


def _not_checked(plan: BenchPlan, found: Measured) -> Iterator[str]:
    left_out = plan.suite.left_out if plan.suite else {}
    for name, reason in (*plan.field.absent.items(), *found.skipped.items(), *_by_reason(left_out)):
        yield f"{name}: {reason}"
    missing = [workload.name for workload in plan.workloads
               if workload.name not in found.samples and workload.name not in found.skipped]
    if missing:
        yield f"{', '.join(missing)}: {'interrupted' if found.interrupted else 'time was up'}"
    whole = _whole_rounds(plan, found)
    if found.samples and whole < plan.rounds:
        yield f"some rounds: {whole} of {plan.rounds} are whole"


def _by_reason(left_out: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The names that a reason has in common, and the reason."""
    for reason in dict.fromkeys(left_out.values()):
        yield ", ".join(name for name in left_out if left_out[name] == reason), reason


def _whole_rounds(plan: BenchPlan, found: Measured) -> int:
    """Rounds that took in all workloads which can be run."""
    return min((len(found.of(workload.name, BASE.name)) for workload in plan.workloads
                if workload.name not in found.skipped), default=0)


def _finding(workload: str, name: str, plan: BenchPlan, found: Measured) -> Finding:
    failure = found.failures[workload, name]
    target = next(target for target in plan.field.targets if target.name == name)
    suite = f"--suite {quote(plan.suite.folder)} " if plan.suite else ""
    replay = f"heapster bench {suite}--targets {quote(target.asked or name)} --workloads {workload} --rounds 1"
    return Finding(
        id=sha256(f"bench {failure.code} {workload} {name}".encode()).hexdigest()[:12], code=failure.code,
        title=f"{name} fails the workload {workload}: {failure.message}",
        trace=(f"workload {workload}",), replay=replay + (" --quick" if plan.share < 1 else ""),
        details=tuple(_beside(found.of(workload, BASE.name))))


def _beside(base: Mapping[int, Sample]) -> Iterator[str]:
    """What libc needed for the same work: a hang may be no more than slowness without measure."""
    if base:
        yield f"libc needs {median(_cpu(base).values()):.3f} s of processor time for the same work"


# The figures.

def _cpu(samples: Mapping[int, Sample]) -> Rounds:
    return {number: sample.cpu for number, sample in samples.items()}


def _memory(samples: Mapping[int, Sample]) -> Rounds:
    return {number: float(sample.memory) for number, sample in samples.items()}


def _workload(workload: Workload, plan: BenchPlan, found: Measured) -> dict[str, Any]:
    base = found.of(workload.name, BASE.name)
    loop = found.loops.get(workload.name, {})
    targets = {target.name: _figures(found.of(workload.name, target.name), base, loop)
               for target in plan.field.targets if found.of(workload.name, target.name)}
    return {"meaning": workload.meaning, "source": workload.source, "threads": workload.threads,
            "weight": plan.weight(workload.name), "targets": targets}


def _figures(samples: Mapping[int, Sample], base: Mapping[int, Sample], loop: Mapping[int, Sample]) -> dict[str, Any]:
    """What a target used on a workload, and as ratios to the base."""
    cpu, memory = list(_cpu(samples).values()), list(_memory(samples).values())
    figures: dict[str, Any] = {
        "cpu_seconds": round(median(cpu), 6), "cpu_spread": round(deviation(cpu), 6),
        "memory_kib": round(median(memory)), "memory_spread": round(deviation(memory)),
        **_ratio("cpu", summed_up(paired(_cpu(samples), _cpu(base)))),
        **_ratio("memory", summed_up(paired(_memory(samples), _memory(base)))),
        "samples": {"cpu_seconds": cpu, "memory_kib": [sample.memory for sample in samples.values()]},
    }
    costs = [NANO * (sample.cpu - loop[number].cpu) / sample.ops for number, sample in samples.items()
             if number in loop]
    if costs:
        figures["ns_per_op"] = round(median(costs), 2)
        figures["ns_spread"] = round(deviation(costs), 2)
    return figures


def _ratio(name: str, ratio: Ratio | None) -> dict[str, Any]:
    if ratio is None:
        return {}
    return {f"{name}_ratio": round(ratio.value, DIGITS), f"{name}_low": round(ratio.low, DIGITS),
            f"{name}_high": round(ratio.high, DIGITS), f"{name}_ratio_spread": round(ratio.spread, DIGITS),
            f"{name}_standing": ratio.standing.value}


def _geomeans(plan: BenchPlan, found: Measured) -> dict[str, Any]:
    """By target, over the workloads that it holds."""
    table = {}
    for target in plan.field.targets:
        held = [name for name in found.samples
                if found.of(name, target.name).keys() & found.of(name, BASE.name).keys()]
        pairs = [(found.of(name, target.name), found.of(name, BASE.name)) for name in held]
        weights = list(map(plan.weight, held))
        cpu = geomean([paired(_cpu(samples), _cpu(base)) for samples, base in pairs], weights)
        memory = geomean([paired(_memory(samples), _memory(base)) for samples, base in pairs], weights)
        if cpu and memory:
            table[target.name] = {**_ratio("cpu", cpu), **_ratio("memory", memory), "workloads": len(pairs)}
    return table
