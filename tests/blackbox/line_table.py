"""Which line is named for each of the faulty allocators: the table of docs/lines.md, made by `python -m` this."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.campaign import Campaign
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.results import Finding
from tests.blackbox.line_faults import BLIND_FAULTS, LINE_FAULTS, LineFault

DOC = Path(__file__).parents[2] / "docs" / "lines.md"
BLIND = "## Strangers"          # the heading of those that the ranking was not tuned on
HEAD = ("| fault | wrong line | found by | named line | |", "|---|---|---|---|---|")
SECONDS, SEED = 15, 1
BESIDE, FAR = 1, 1 << 30        # lines from the wrong one: in the same statement or block; nowhere


def first_finding(fault: LineFault, folder: Path) -> Finding | None:
    """What a campaign finds first; the folder is the one that it runs in."""
    target = resolve(ForeignOptions(grammar.parse(str(fault.plant(folder)))))
    with Judge(judge_program(target.bits), target) as judge, \
            closing(Campaign(judge, SECONDS, SEED, lines=True).found()) as found:
        return next((shown.finding for shown in found), None)


def row(fault: LineFault, finding: Finding | None) -> str:
    """A line of the table."""
    place = finding.place if finding else None
    named = f"{place.line}, {place.function}" if place else "none"
    away = abs(place.line - fault.line) if place else FAR
    mark = "the wrong one" if away == 0 else "beside it" if away <= BESIDE else "another"
    code = finding.code if finding else "nothing"
    return f"| {fault.name} | {fault.line} of {fault.base} | {code} | {named} | {mark} |"


def rows(faults: Iterable[LineFault], only: list[str]) -> Iterator[str]:
    """All of them, or some."""
    for fault in (fault for fault in faults if not only or fault.name in only):
        with TemporaryDirectory() as folder:
            os.chdir(folder)
            yield row(fault, first_finding(fault, Path(folder)))
            os.chdir("/")


def written(tuned: list[str], blind: list[str]) -> str:
    """The page with these tables in place of its own."""
    before, _, rest = DOC.read_text(encoding="utf-8").partition(HEAD[0])
    between = rest.partition(BLIND)[2].partition(HEAD[0])[0]
    return before + "\n".join([*HEAD, *tuned, "", BLIND + between]) + "\n".join([*HEAD, *blind]) + "\n"


if __name__ == "__main__":
    made = []
    for line in rows((*LINE_FAULTS, *BLIND_FAULTS), sys.argv[1:]):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        made.append(line)
    if not sys.argv[1:]:
        DOC.write_text(written(made[:len(LINE_FAULTS)], made[len(LINE_FAULTS):]), encoding="utf-8")
