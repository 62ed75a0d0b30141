"""The grammar of targets, what each command can take, old spellings, and that every kind opens as its row says."""

from importlib import import_module
from pathlib import Path
from re import escape

import pytest

from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.findings.store import Store
from heapster.checkers.lockstep.run_trace import rerun
from heapster.checkers.targets import grammar, kinds, opening
from heapster.checkers.targets.capabilities import TAKES, spellings, told, view_of
from heapster.checkers.targets.target import LIBC, NATIVE, SIM, Target, TargetSettings, View
from heapster.cli import main
from heapster.model.trace import parse
from heapster.results import Finding, TargetError, UsageError

OF_KIND = {"sim": "sim", "process": "process", "native": "native", "libc": "libc", "jemalloc": "peer",
           "./x.so": "object",
           "libx.so.2": "object", "./mm.c": "source", "mm.c": "source", "pool.toml": "description",
           "mm.c memlib.c": "source", "copy": "folder", "./copy": "folder", "lab": "sources"}

MALLOC = """void *my_malloc(size_t n) { return more(n); }
void my_free(void *p) { (void)p; }
"""
LAB = {                                 # a folder of C sources: the driver and memlib.c are none of the allocator's
    "Makefile": "all: driver\n",
    "driver.c": '#include "mm.h"\nint\nmain(void) { return 0; }\n',
    "memlib.c": "void *mem_sbrk(int n) { (void)n; return (void *)-1; }\n",
    "mm.c": f'#include "mm.h"\n#include "memlib.h"\n{MALLOC}',
    "mm.h": '#include <stddef.h>\n#include "more.h"\n',
    "more.c": '#include "mm.h"\nvoid *more(size_t n) { (void)n; return NULL; }\n',
    "more.h": "void *more(size_t);\n",
    "other.c": "int other(void);\n"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a folder in it, and one of a malloc lab."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "copy").mkdir()
    (tmp_path / "lab").mkdir()
    for name, text in LAB.items():
        (tmp_path / "lab" / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(("text", "kind"), OF_KIND.items())
def test_a_name_is_of_one_kind(text: str, kind: str) -> None:
    found = grammar.parse(text)
    assert (found.kind, str(found)) == (kind, text)


def test_every_kind_is_among_those() -> None:
    assert {kind.name for kind in kinds.KINDS} == set(OF_KIND.values())


@pytest.mark.parametrize(("text", "settings", "spelled"), [
    ("native:policy=best_fit:cache=64:arenas=2", TargetSettings("best_fit", 64, 2),
     "native:best_fit:cache=64:arenas=2"),
    ("sim:next_fit", TargetSettings("next_fit"), "sim:next_fit"),
    ("native:arenas=2:best_fit", TargetSettings("best_fit", None, 2), "native:best_fit:arenas=2"),
    ("copy:cache=0", TargetSettings(cache=0), "copy:cache=0"),
    ("native/best_fit/64", TargetSettings("best_fit", 64), "native:best_fit:cache=64"),
    ("best_fit", TargetSettings("best_fit"), "native:best_fit")])
def test_settings_follow_colons(text: str, settings: TargetSettings, spelled: str) -> None:
    found = grammar.parse(text)
    assert (found.settings, str(found)) == (settings, spelled)
    assert grammar.parse(spelled) == found


def test_settings_are_told_to_the_library_and_as_steps() -> None:
    settings = grammar.parse("native:best_fit:cache=64:arenas=2:retained=0").settings
    assert settings.environment == {"HEAPSTER_POLICY": "best_fit", "HEAPSTER_CACHE": "64", "HEAPSTER_ARENAS": "2",
                                    "HEAPSTER_KEEP": "0"}
    assert settings.steps == parse("policy best_fit; cache 64; arenas 2; keep 0")


@pytest.mark.parametrize(("text", "key"), [
    ("native:best_fit", "best_fit"), ("native:best_fit:cache=0", "native/best_fit/0"), ("native", "native"),
    ("native:best_fit:arenas=2", "native:best_fit:arenas=2"), ("sim:best_fit", "sim:best_fit"), ("./x.so", "./x.so")])
def test_tables_of_the_json_have_the_names_of_the_version_before(text: str, key: str) -> None:
    target = grammar.parse(text)
    assert target.key == key
    assert grammar.parse(key) == target


@pytest.mark.parametrize(("word", "is_target"), [
    ("mm.c", True), ("./x.so", True), ("libx.so.2", True), ("libc", True), ("native:best_fit", True),
    ("jemalloc", True), ("best_fit", True), ("pool.toml", True), ("lab", True), ("t", False), ("./t", False),
    ("gcc", False), ("adversary-best_fit", False), ("copy", False), ("process", False)])
def test_a_trace_is_told_from_a_target(folder: Path, word: str, is_target: bool) -> None:
    (folder / "t").touch()
    (folder / "process").touch()
    assert grammar.is_clearly_target(word) is is_target


@pytest.mark.parametrize("command", ["score", "diff"])
def test_a_target_among_the_traces_is_told_with_what_would_do(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "mm.c"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"write heapster {command} [TRACE]... --targets mm.c" in said


def test_a_file_may_have_a_colon_in_its_name(folder: Path) -> None:
    (folder / "a:b.so").touch()
    assert grammar.parse("./a:b.so").path == Path("a:b.so")


def test_a_list_has_each_target_once() -> None:
    assert grammar.parse_list("libc, native,libc,best_fit,native:best_fit") == (
        LIBC, NATIVE, grammar.parse("native:best_fit"))


@pytest.mark.parametrize(("text", "said"), [
    ("nativ", "did you mean native?"), ("", "choose from sim"), ("native:", "unknown policy ''"),
    ("x" * 5000, "unknown target"), ("a\0b", "unknown target"),
    ("native:bst_fit", "did you mean best_fit?"), ("native:cash=1", "did you mean cache?"),
    ("native:cache=x", "give a number from 0 to 1048576"), ("native:arenas=65", "from 1 to 64"),
    ("native:retained=-1", "give a number from 0 to 70368744177664"), ("native:cache=٣", "give a number"),
    ("native:best_fit:next_fit", "policy is set twice"), ("libc:best_fit", "leave out ':best_fit'"),
    ("./x.so:cache=1", "has no settings")])
def test_what_means_nothing_is_mended_in_one_line(text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        grammar.parse(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("command", TAKES)
def test_a_command_takes_what_it_says_and_refuses_the_rest_in_the_same_words(command: str) -> None:
    for text, kind in OF_KIND.items():
        row, target = kinds.BY_NAME[kind], grammar.parse(text)
        if row.spelled in spellings(command):
            assert view_of(target, command) in row.opened
            assert row.spelled in told(command)
        else:
            with pytest.raises(UsageError, match=f"{command} cannot take .*, {escape(row.about)}: it needs .*; name "):
                view_of(target, command)


@pytest.mark.parametrize(("text", "command", "view"), [
    ("native:best_fit", "fuzz", View.LOCKSTEP), ("native:cache=0", "fuzz", View.CALLS),
    ("sim:cache=0", "fuzz", View.LOCKSTEP), ("native:best_fit", "diff", View.ENGINE),
    ("native:best_fit:cache=0", "diff", View.CALLS)])
def test_a_compiled_library_has_its_settings_from_outside(text: str, command: str, view: View) -> None:
    assert view_of(grammar.parse(text), command) is view


@pytest.mark.parametrize(("text", "command"), [("sim:best_fit", "races"), ("sim:cache=1", "diff")])
def test_a_setting_that_would_be_lost_is_refused(text: str, command: str) -> None:
    with pytest.raises(UsageError, match="leave that out"):
        view_of(grammar.parse(text), command)


def test_every_row_names_functions_that_are_there() -> None:
    for kind in kinds.KINDS:
        for opened in kind.opened.values():
            module, _, function = opened.partition(":")
            assert callable(getattr(import_module(f"heapster.checkers.targets.{module}"), function))


def test_what_is_not_there_is_a_target_that_cannot_be_used() -> None:
    for text in ("./no.so", "./no.c", "no.toml"):
        with pytest.raises(TargetError, match="No such file"):
            opening.resolve(opening_options(text))
    with pytest.raises(TargetError, match="copy holds no C sources, no Makefile and no copy of impl"):
        opening.make_for(grammar.parse("copy"))
    with pytest.raises(TargetError, match="is this machine's C library"):
        opening.make_for(LIBC)


def opening_options(text: str) -> ForeignOptions:
    """The options of a target, and no others."""
    return ForeignOptions(grammar.parse(text))


@pytest.mark.parametrize("text", ["sim:best_fit:cache=64", "native:best_fit"])
def test_a_lockstep_begins_in_the_settings(text: str) -> None:
    outcome = rerun(parse("a = malloc(40); free(a)"), opening.make_for(grammar.parse(text)))
    assert outcome.problems == ()
    assert outcome.last == 1
    assert outcome.after is not None
    assert outcome.after.policy == "best_fit"


def test_kept_findings_of_the_version_before_have_the_targets_of_today(folder: Path) -> None:
    store, identity = Store(folder / "kept", print), "3f2a90c1"
    store.keep(Finding(identity, "overlap", "", ("a = malloc(8)",), ""), SIM)
    file = folder / "kept" / identity / "finding.json"
    for old, now in (("native/best_fit/64", "native:best_fit:cache=64"), ("libc", "libc"), ("gone", "gone")):
        file.write_text(file.read_text().replace('"target": "sim"', f'"target": "{old}"'))
        assert [str(kept.target) for kept in store.all()] == [now]
        file.write_text(file.read_text().replace(f'"target": "{old}"', '"target": "sim"'))
    file.write_text(file.read_text().replace('"target": "sim"', '"target": "native/best_fit/64"'))
    assert store.stored(Target("native", "native", TargetSettings("best_fit", 64)))


@pytest.mark.parametrize(("arguments", "now"), [
    (["replay", "a = malloc(8)", "--target", "native/best_fit/0"], "write native:best_fit:cache=0"),
    (["diff", "t", "--policies", "best_fit"], "write --policy best_fit")])
def test_an_old_spelling_runs_and_a_line_says_the_new_one(folder: Path, arguments: list[str], now: str,
                                                          capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "t").write_text("a = malloc(8)\n")
    assert main(arguments) == 0
    assert now in capsys.readouterr().err


@pytest.mark.parametrize("text", ["lab/mm.c lab/more.c", "lab"])
def test_several_sources_make_one_allocator(text: str) -> None:
    found = opening.resolve(opening_options(text))
    assert found.symbols == {"malloc": "my_malloc", "free": "my_free"}
    assert " lab/mm.c lab/more.c -o" in found.build[0]


@pytest.mark.parametrize(("changes", "said"), [
    ({"mm-old.c": MALLOC},
     "2 sources in lab define a malloc (mm-old.c, mm.c): name the one that is meant, as in lab/mm.c"),
    ({"mm.c": "int nothing;\n"}, "no source in lab defines a malloc"),
    ({"mm.c": MALLOC + "int main(void) { return 0; }\n"},
     "name the sources that make the allocator, as in lab/memlib.c lab/more.c")])
def test_a_folder_of_which_several_things_could_be_meant_says_what_to_type(
        folder: Path, changes: dict[str, str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in changes.items():
        (folder / "lab" / name).write_text(text)
    assert main(["fuzz", "lab", "--seconds", "1"]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
