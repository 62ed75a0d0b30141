"""C++ as a target: classes, templates, an operator new of its own, several files; sources, projects and objects."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.campaign import Campaign
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.model.trace import parse
from heapster.results import Place, TargetError
from tests.hunts import first_hunted

pytestmark = pytest.mark.skipif(shutil.which("c++") is None, reason="there is no compiler of C++")
CORRECT = Path(__file__).parent / "correct"
FILES = ("bins.cpp", "bins.hpp", "pages.cpp")
OVERLAPS = ("bins.hpp", "at += Size)", "at += Size / 2)")
WRONG_BIN = ("bins.cpp", "if (need <= size)", "if (need >= size)")
SHOWS_OVERLAP = "a = malloc(10)\nb = malloc(10)\nc = malloc(10)\nfree(b)\nd = malloc(10)"
SHOWS_BIN = "a = malloc(100)\nb = malloc(100)\nc = malloc(100)"
MAKEFILE = "libbins.so: bins.o pages.o\n\tc++ -shared -o $@ $^\n%.o: %.cpp\n\tc++ -std=c++17 -Wall -fPIC -c -o $@ $<\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sources, here."""
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        Path(name).write_text((CORRECT / name).read_text())


def planted(fault: tuple[str, str, str]) -> tuple[str, int]:
    """Plant a fault; its file, and its line."""
    name, right, wrong = fault
    text = Path(name).read_text()
    assert text.count(right) == 1
    Path(name).write_text(text.replace(right, wrong))
    return name, text[:text.index(right)].count("\n") + 1


def place_of(target: str, steps: str, seconds: float = 20) -> Place | None:
    """What a trace shows, if it fails."""
    found = resolve(ForeignOptions(grammar.parse(target)))
    with Judge(judge_program(found.bits), found) as judge:
        campaign = Campaign(judge, seconds, 1, lines=True)
        campaign.judge_trace(parse(steps))
        assert campaign.explainer
        campaign.explainer.close()
        return campaign.shown[0].finding.place if campaign.shown else None


@pytest.mark.parametrize("steps", [SHOWS_OVERLAP, SHOWS_BIN])
def test_a_correct_one_shows_nothing(steps: str) -> None:
    assert place_of("bins.cpp pages.cpp", steps) is None


@pytest.mark.parametrize(("fault", "steps", "function"), [
    (OVERLAPS, SHOWS_OVERLAP, "fill"), pytest.param(WRONG_BIN, SHOWS_BIN, "rounded", marks=pytest.mark.faults)],
    ids=["in_a_template", "in_a_function"])
@pytest.mark.parametrize("given", first_hunted(["database", "makefile", "sources"]))
def test_the_line_of_its_source_is_named(given: str, fault: tuple[str, str, str], steps: str, function: str) -> None:
    name, line = planted(fault)
    if given == "makefile":
        Path("Makefile").write_text(MAKEFILE)
    if given == "database":
        Path("compile_commands.json").write_text(json.dumps([
            {"directory": ".", "command": f"c++ -std=c++17 -c {source}", "file": source}
            for source in ("bins.cpp", "pages.cpp")]))
    place = place_of("bins.cpp pages.cpp" if given == "sources" else ".", steps)
    assert place and (place.file, place.line) == (name, line) and function in place.function


@pytest.mark.parametrize("flags", [("-O1",), ("-O0", "-gdwarf-4", "-fsanitize=thread")], ids=["plain", "instrumented"])
def test_an_object_names_a_line_of_its_source(flags: tuple[str, ...]) -> None:
    name, _ = planted(WRONG_BIN)
    for source in ("bins", "pages"):
        subprocess.run(["c++", "-g", "-fPIC", "-std=c++17", *flags, "-c", f"{source}.cpp"], check=True)
    subprocess.run(["c++", "-shared", "bins.o", "pages.o", "-o", "bins.so"], check=True)
    place = place_of("./bins.so", SHOWS_BIN)
    assert place and place.file == name and place.line and place.excerpt


def test_malloc_of_c_plus_plus_alone_is_told_in_a_line() -> None:
    Path("own.cpp").write_text('#include <cstddef>\nnamespace own { void *malloc(std::size_t) { return nullptr; }\n'
                               'void free(void *) {} }\n')
    with pytest.raises(TargetError, match='declare them extern "C"'):
        place_of("./own.cpp", SHOWS_BIN)
