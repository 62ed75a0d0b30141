"""Findings are kept whole, found by the start of their id, and a disk that says no is told once."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from heapster.checkers.findings.store import FINDING, STATE, TRACE, Store
from heapster.checkers.targets import grammar
from heapster.checkers.targets.target import SIM
from heapster.results import UsageError
from tests.reports.samples import FINDING as SAMPLE

OTHER = replace(SAMPLE, id="3f99aaaa")


class Warnings(list[str]):
    """What was warned of."""


def store(folder: Path) -> tuple[Store, Warnings]:
    warnings = Warnings()
    return Store(folder / "kept", warnings.append), warnings


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    kept, warnings = store(tmp_path)
    kept.keep(SAMPLE, SIM)
    assert kept.stored(SIM) == (SAMPLE,)
    assert kept.stored(grammar.parse("process")) == ()
    assert (tmp_path / "kept" / SAMPLE.id / TRACE).read_text(encoding="utf-8").splitlines() == list(SAMPLE.trace)
    assert warnings == []


def test_a_finding_is_replaced_by_a_later_state_of_it(tmp_path: Path) -> None:
    kept, _ = store(tmp_path)
    kept.keep(SAMPLE, SIM)
    kept.keep(replace(SAMPLE, title="better"), SIM)
    assert [finding.title for finding in kept.stored(SIM)] == ["better"]


def test_findings_come_oldest_first(tmp_path: Path) -> None:
    kept, _ = store(tmp_path)
    for age, finding in ((1, SAMPLE), (2, OTHER)):
        kept.keep(finding, SIM)
        os.utime(tmp_path / "kept" / finding.id / FINDING, (1000 - age, 1000 - age))
    assert kept.stored(SIM) == (OTHER, SAMPLE)


def test_a_dropped_finding_is_gone_and_may_be_dropped_again(tmp_path: Path) -> None:
    kept, warnings = store(tmp_path)
    kept.keep(SAMPLE, SIM)
    for _ in range(2):
        kept.drop(SAMPLE.id)
    assert kept.stored(SIM) == ()
    assert warnings == []


def test_a_finding_is_found_by_the_start_of_its_id(tmp_path: Path) -> None:
    kept, _ = store(tmp_path)
    for finding in (SAMPLE, OTHER):
        kept.keep(finding, SIM)
    for prefix in (SAMPLE.id, "3f2a"):
        found = kept.find(prefix)
        assert found is not None
        assert found.finding == SAMPLE
    for unknown in ("ffff", "3f", "3f2a90c1f", "../3f2a", "policy"):
        assert kept.find(unknown) is None


def test_a_start_of_several_ids_is_refused(tmp_path: Path) -> None:
    kept, _ = store(tmp_path)
    kept.keep(SAMPLE, SIM)
    kept.keep(replace(SAMPLE, id="3f2a0000"), SIM)
    with pytest.raises(UsageError, match="3f2a may be any of"):
        kept.find("3f2a")


def test_an_id_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    kept, _ = store(tmp_path)
    for identity in ("../../etc", "", "a/b"):
        with pytest.raises(ValueError, match="no finding's id"):
            kept.keep(replace(SAMPLE, id=identity), SIM)
        with pytest.raises(ValueError, match="no finding's id"):
            kept.drop(identity)


@pytest.mark.parametrize("text", [
    "", "{", "[]", "{}", '{"target": "sim"}', '{"target": "sim", "trace": 3}', "\x00\xff",
])
def test_a_damaged_finding_is_passed_over(tmp_path: Path, text: str) -> None:
    kept, warnings = store(tmp_path)
    for finding in (SAMPLE, OTHER):
        kept.keep(finding, SIM)
    (tmp_path / "kept" / SAMPLE.id / FINDING).write_text(text, encoding="latin-1")
    assert kept.stored(SIM) == (OTHER,)
    assert len(warnings) == 1


def test_a_folder_that_cannot_be_is_told_once(tmp_path: Path) -> None:
    kept, warnings = store(tmp_path)
    (tmp_path / "kept").write_text("in the way", encoding="utf-8")
    for finding in (SAMPLE, OTHER):
        kept.keep(finding, SIM)
    assert kept.stored(SIM) == ()
    assert kept.find(SAMPLE.id) is None
    assert len(warnings) == 1


def test_version_control_passes_over_the_folder(tmp_path: Path) -> None:
    kept, _ = store(tmp_path)
    kept.keep(SAMPLE, SIM)
    assert (tmp_path / "kept" / ".gitignore").read_text(encoding="utf-8") == "*\n"


def test_a_finding_has_a_since_and_is_mended_once(tmp_path: Path) -> None:
    kept, _ = store(tmp_path)
    kept.keep(SAMPLE, SIM)
    first = kept.all()[0].state()
    assert (first.since, first.mended) == (first.seen, False)
    written = tmp_path / "kept" / SAMPLE.id / STATE
    written.write_text('{"since": "2020-01-01T00:00:00Z", "seen": "2020-01-02T00:00:00Z", "mended": false}')
    assert (kept.mend(SAMPLE.id), kept.mend(SAMPLE.id)) == (True, False)
    assert kept.all()[0].state()[::2] == ("2020-01-01T00:00:00Z", True)
    kept.keep(SAMPLE, SIM)
    assert kept.all()[0].state()[::2] == ("2020-01-01T00:00:00Z", False)


def test_what_an_older_version_kept_is_as_old_as_its_file(tmp_path: Path) -> None:
    kept, _ = store(tmp_path)
    kept.keep(SAMPLE, SIM)
    (tmp_path / "kept" / SAMPLE.id / STATE).unlink()
    os.utime(tmp_path / "kept" / SAMPLE.id / FINDING, (86400, 86400))
    assert kept.all()[0].state() == ("1970-01-02T00:00:00Z", "1970-01-02T00:00:00Z", False)
