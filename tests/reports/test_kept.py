"""A page of what is kept: findings that still fail, by target; those that are mended are left out."""

import json
from pathlib import Path

import pytest

from heapster.checkers.findings.store import Store
from heapster.checkers.targets.grammar import parse
from heapster.cli import main
from heapster.results import Finding

FAILING = Finding("00000001", "overlap", "two share a byte", ("a = malloc(24)",), "heapster replay 00000001")
MENDED = Finding("00000002", "crash", "it died", ("a = malloc(25)",), "heapster replay 00000002")
OF_LIBC = Finding("00000003", "hang", "it stays", ("a = malloc(26)",), "heapster replay 00000003")


@pytest.fixture
def kept(empty_folder: Path) -> None:
    store = Store(Path(".heapster"), pytest.fail)
    store.keep(FAILING, parse("sim"))
    store.keep(MENDED, parse("sim"))
    store.keep(OF_LIBC, parse("libc"))
    store.mend(MENDED.id)


@pytest.mark.usefixtures("kept")
def test_what_still_fails_is_on_the_page_and_what_is_mended_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--kept", "--markdown", "-", "--json", "r.json"]) == 0
    said = capsys.readouterr().out
    assert FAILING.title in said
    assert OF_LIBC.title in said
    assert MENDED.title not in said
    assert "| findings | sim | failed | - | - | 1 |" in said, "nothing was run: neither is known"
    assert json.loads(Path("r.json").read_text())["target"] == "sim, libc"
    assert main(["report", "--kept", "--html", "kept.html"]) == 0
    page = Path("kept.html").read_text()
    assert FAILING.title in page
    assert MENDED.title not in page


def test_where_nothing_is_kept_it_says_so(empty_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--kept"]) == 2
    assert capsys.readouterr().err == "heapster: nothing is kept in .heapster that still fails\n"
