"""`heapster harness`, and what fuzzers of others find, as traces."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from heapster.checkers.blackbox.counting import Floor
from heapster.checkers.blackbox.fuzzing import fuzz_foreign
from heapster.checkers.findings.store import Store
from heapster.checkers.harness.reading import trace_of
from heapster.checkers.harness.writing import FUZZERS, write_harness
from heapster.checkers.targets.target import Target
from heapster.commands.delivery import Delivery
from heapster.commands.foreign import options_of
from heapster.commands.targets import target_of
from heapster.reports.output import say
from heapster.reports.terminal import BAD, FAINT, GOOD, PLAIN, finding_lines
from heapster.wording import counted

NOTHING = Floor(0, 0, 0)         # that a run of one trace must have done


def command(target: str, more: tuple[str, ...], fuzzer: str, out: Path, corpus: str | None,
            **given: Any) -> int:
    """Write a C program that a fuzzer drives, with the judge's checks compiled in."""
    aimed = target_of(" ".join((target, *more)), "harness")
    options = options_of(aimed, given, corpus=Path(corpus) if corpus else None)
    _, seeds = write_harness(options, fuzzer, out)
    crash = f"{out}/{FUZZERS[fuzzer].crashes}/FILE"
    say([(f"{out}: harness.c, build.sh, dictionary and {counted(seeds, 'seed')} in corpus, for {fuzzer}", PLAIN),
         (f"  build it:   {out}/build.sh", FAINT), (f"  run it:     cd {out} && {FUZZERS[fuzzer].run}", FAINT),
         (f"  then:       heapster replay {crash} --target {aimed}{options.words} --bytes", FAINT)])
    return 0


def replay(path: str, target: Target, given: dict[str, Any], delivery: Delivery, store: Store) -> int:
    """Run what a fuzzer found: shrunk, shown and kept as any finding is, if it fails. The exit code."""
    options = options_of(target, given, seconds=0.0)
    trace = trace_of(path, options)
    run = fuzz_foreign(options, lambda finding: say([*finding_lines(finding), ("", PLAIN)]), lambda *_: None, store,
                       store.folder, NOTHING, first=(trace,))
    taken = f"{path} on {target}: {counted(len(trace), 'operation')}"
    say([(f"FAILS: {taken}", BAD) if run.findings else (f"PASSES: {taken}, nothing wrong", GOOD)])
    return delivery.write(replace(run, command="replay"))
