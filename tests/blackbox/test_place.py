"""The line of a finding, wherever it is told: terminal, SARIF, GitHub, JSON, the store; and what cannot be told."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from heapster.checkers.blackbox.build import Compiler, judge_program
from heapster.checkers.blackbox.campaign import Campaign
from heapster.checkers.blackbox.judge import Judge, StartError
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.starting import located
from heapster.checkers.findings.store import Store
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.reports import github, jsonfile, sarif
from heapster.reports.terminal import finding_lines
from heapster.results import Finding, Place, Run, Verdict

HERE = Path(__file__).parent
MM = (HERE / "correct" / "mm.c").read_text()
PLACE = Place("src/my mm.c", 29, "merge", "writes into a, at byte 8 of 8", ("merge, mm.c:29", "mm_free, mm.c:70"),
              ("     28 | x", ">    29 | size_t left = *(size_t *)(b - 16);"), "size_t left = *(size_t *)(b - 8);")
FINDING = Finding("1f", "contents_damaged", "free(a): byte 8 changed", ("a = malloc(8)", "free(a)"),
                  "heapster replay 1f", 1, 1, place=PLACE)
RUN = Run("fuzz", "./mm.c", 7, Verdict.FAILED, 2.0, 1000, (FINDING,), {}, {}, {"source": "mm.c", "lines": {"free": 60}})


def test_sarif_stands_on_the_line() -> None:
    (result,) = sarif.as_value(RUN, {})["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "src/my%20mm.c"}, "region": {"startLine": 29}}
    assert "size_t left = *(size_t *)(b - 8);" in result["message"]["text"]
    assert result["level"] == "error"


def test_an_annotation_stands_on_the_line_and_a_warning_is_one() -> None:
    assert github.annotations(RUN)[0].startswith("::error file=src/my mm.c,line=29,")
    warned = replace(RUN, findings=(replace(FINDING, severity="warning"),))
    assert github.annotations(warned)[0].startswith("::warning file=")


def test_without_a_line_it_is_the_function_that_failed() -> None:
    assert github.annotations(replace(RUN, findings=(replace(FINDING, place=None),)))[0].startswith(
        "::error file=mm.c,line=60,")
    unknown = replace(PLACE, line=0)
    assert sarif.place(RUN, replace(FINDING, place=unknown)) == ("mm.c", 60)


def test_the_terminal_shows_the_line_marked() -> None:
    lines = [text for text, _ in finding_lines(FINDING)]
    assert "  the line: src/my mm.c:29, in merge: writes into a, at byte 8 of 8" in lines
    assert "    >    29 | size_t left = *(size_t *)(b - 16);" in lines
    guessed = [text for text, _ in finding_lines(replace(FINDING, place=replace(PLACE, guess=True)))]
    assert "  the call comes by: src/my mm.c:29, in merge: writes into a, at byte 8 of 8" in guessed
    seen = [text for text, _ in finding_lines(replace(FINDING, place=replace(PLACE, mended="")))]
    assert "  seen at: src/my mm.c:29, in merge: writes into a, at byte 8 of 8" in seen
    assert "    for example: size_t left = *(size_t *)(b - 8);" in lines


def test_json_and_the_store_keep_it(tmp_path: Path) -> None:
    value = json.loads(jsonfile.as_text(RUN))
    jsonschema.validate(value, jsonfile.schema())
    assert value["findings"][0]["place"]["line"] == 29
    store = Store(tmp_path / "kept", pytest.fail)
    kept = replace(FINDING, id="1f00")
    store.keep(kept, grammar.parse("mm.c"))
    found = store.find("1f00")
    assert found and found.finding == kept


def campaign(source: Path, seconds: float = 3, flags: tuple[str, ...] = ()) -> Campaign:
    target = resolve(ForeignOptions(grammar.parse(str(source)), compiler=Compiler("cc", flags)))
    with Judge(judge_program(target.bits), target) as judge:
        made = Campaign(judge, seconds, 1, lines=True)
        list(made.found())
    return made


@pytest.mark.faults
def test_a_fault_that_shows_in_many_ways_is_one_finding_at_its_line(tmp_path: Path,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "mine.c"
    source.write_text(MM.replace("*(size_t *)(b - 8)", "*(size_t *)(b - 16)"))
    made = campaign(source, 6)
    (shown,) = made.shown
    assert shown.finding.place
    assert (shown.finding.place.file, shown.finding.place.line) == ("mine.c", 33)
    assert "*(size_t *)(b - 8)" in shown.finding.place.mended


def test_a_pool_that_writes_four_bytes_beyond_is_found_with_the_line(tmp_path: Path,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (HERE / "correct" / "pool.c").read_text()
    wrong = "    if (size > 8) ((char *)p)[16384 + 3] = 1;"
    take = "    void *block = size <= POOL_BLOCK ? p->list : NULL;"
    (tmp_path / "pool.c").write_text(text.replace(take, f"{take}\n{wrong}"))
    (tmp_path / "pool.h").write_text((HERE / "correct" / "pool.h").read_text())
    (tmp_path / "pool.toml").write_text((HERE / "correct" / "pool.toml").read_text().replace("65536", "16384"))
    found = [shown.finding for shown in campaign(tmp_path / "pool.toml").shown]
    assert any(finding.place and finding.place.excerpt and any(
        line.startswith(">") and wrong in line for line in finding.place.excerpt) for finding in found)


@pytest.mark.parametrize(("text", "says"), [
    ("void __tsan_init(void) {}\n" + MM, "brings its own __tsan_ functions"),
])
def test_what_cannot_be_instrumented_is_told_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str,
                                                       says: str) -> None:
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "mine.c"
    source.write_text(text)
    made = campaign(source, 0.5)
    assert made.explainer
    (note,) = made.explainer.notes
    assert says in note and "\n" not in note


def test_an_object_without_sources_is_told_in_a_line(tmp_path: Path) -> None:
    source, made = tmp_path / "mine.c", tmp_path / "mine.so"
    source.write_text((HERE / "correct" / "classes.c").read_text())
    subprocess.run(["cc", "-shared", "-fPIC", source, "-o", made], check=True)
    explainer = campaign(made, 0.5).explainer
    assert explainer and "no C source" in explainer.notes[0]


def test_an_object_that_its_owner_instrumented_is_taken_as_it_is(tmp_path: Path,
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source, unlinked, made = tmp_path / "mine.c", tmp_path / "mine.o", tmp_path / "mine.so"
    source.write_text((HERE / "correct" / "classes.c").read_text().replace(
        "    h->class = class;", "    h->class = class;\n    if (size == 1) ((char *)(h + 1))[-24] |= 1;"))
    subprocess.run(["cc", "-gdwarf-4", "-O0", "-fPIC", "-fsanitize=thread", "-c", source, "-o", unlinked], check=True)
    subprocess.run(["cc", "-shared", unlinked, "-o", made], check=True)
    found = campaign(made, 2)
    assert found.explainer and not found.explainer.notes
    lines = {shown.finding.place.line for shown in found.shown if shown.finding.place}
    assert lines == {source.read_text().splitlines().index("    if (size == 1) ((char *)(h + 1))[-24] |= 1;") + 1}


def test_a_target_that_dies_before_any_case_is_told_with_its_line(tmp_path: Path) -> None:
    source = tmp_path / "mine.c"
    source.write_text(MM.replace("*(size_t *)(p + 16) = 1;", "*(size_t *)(p - (1L << 40)) = 1;"))
    target = resolve(ForeignOptions(grammar.parse(str(source))))
    with pytest.raises(StartError, match="its mm_init dies of SIGSEGV") as dies:
        Judge(judge_program(target.bits), target)
    assert str(located(target, dies.value)) == f"{dies.value}, in mm_init, mine.c:23"
    written_for_32_bits = replace(target, low=True, as_built=("built for 64 bits, with its heap below 2 GiB",))
    told = str(located(written_for_32_bits, dies.value))
    assert "\n  built for 64 bits, with its heap below 2 GiB\n  (its own variables lie above: " in told
