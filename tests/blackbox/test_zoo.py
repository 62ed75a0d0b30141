"""Every faulty allocator of the zoo is found out, by its code; no correct one is accused."""

import re
from pathlib import Path

import pytest

from heapster.checkers.blackbox.build import Compiler, judge_program
from heapster.checkers.blackbox.campaign import Campaign
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve

HERE = Path(__file__).parent
ZOO = sorted(HERE.glob("zoo/*.c"))
CORRECT = sorted([*HERE.glob("correct/[!p]*.c"), *HERE.glob("correct/*.toml")])
QUICK = {"calloc_zeroes_one", "copies_half", "keeps_lock", "misaligned", "free_of_null",
         "alignment_ignored", "usable_too_small", "alignment_between", "eighty_fifth", "shrinks_to_nothing"}
SECONDS = 20                    # of a campaign that has to find something; most need one


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def found(target: Path, seconds: float, wanted: frozenset[str] = frozenset(), flags: tuple[str, ...] = (),
          threads: int = 0) -> list[str]:
    """The codes that are found in that time, or until one that is wanted."""
    codes: list[str] = []

    resolved = resolve(ForeignOptions(target=grammar.parse(str(target)), compiler=Compiler("cc", flags)))
    with Judge(judge_program(resolved.bits), resolved) as judge:
        for shown in Campaign(judge, seconds, 1, threads=threads).found():
            codes.append(shown.finding.code)
            if shown.finding.code in wanted:
                break
    return codes


def told(path: Path) -> tuple[frozenset[str], int]:
    """What an animal's first lines say: the codes it may be found by, and whether it needs threads."""
    text = path.read_text()
    match = re.search(r"expect: ([a-z_ ]+)", text)
    assert match
    return frozenset(match[1].split()), 4 if "options: threads" in text else 0


@pytest.mark.parametrize("animal", [pytest.param(path, id=path.stem, marks=() if path.stem in QUICK else
                                                 pytest.mark.faults) for path in ZOO])
def test_a_faulty_allocator_is_found_out(animal: Path) -> None:
    expected, threads = told(animal)
    assert expected & set(found(animal, SECONDS, expected, threads=threads))


@pytest.mark.faults
@pytest.mark.parametrize("animal", ZOO, ids=lambda path: path.stem)
def test_its_fixed_twin_passes(animal: Path) -> None:
    assert found(animal, 4, flags=("-DFIXED",), threads=told(animal)[1]) == []


@pytest.mark.parametrize("allocator", CORRECT, ids=lambda path: path.stem)
def test_a_correct_allocator_passes(allocator: Path) -> None:
    assert found(allocator, 2) == []


def test_libc_passes() -> None:
    assert found(Path("libc"), 3, threads=2) == []
