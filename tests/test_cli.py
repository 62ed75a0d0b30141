"""The command line as people and programs meet it: one line for an error, and the exit code that it promises."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import jsonschema
import pytest

from heapster import __version__, cli
from heapster.cli import EXIT_CODES, main
from heapster.commands import COMMANDS, GROUPS
from heapster.commands.delivery import exit_code
from heapster.reports import jsonfile
from heapster.results import TargetError
from tests.processes import HEAPSTER, interruptible, wait_for_work
from tests.reports.samples import FAILED, INTERRUPTED, NOTHING, PASSED

pytestmark = pytest.mark.usefixtures("empty_folder")
DOUBLE_FREE = "a = malloc(40); free(a); free(a)"


class Done(NamedTuple):
    """How a call of the command ended."""

    code: int
    out: str
    err: str


class Command:
    """Calls `heapster` in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Done:
        code = main(arguments)
        return Done(code, *self._capsys.readouterr())


@pytest.fixture
def heapster(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


def assert_one_line(done: Done, code: int, said: str) -> None:
    assert done.code == code, done
    assert done.out == ""
    assert done.err.startswith("heapster: ") and done.err.count("\n") == 1
    assert said in done.err


# The command itself.

def test_help_names_every_command_and_exit_code(heapster: Command) -> None:
    done = heapster("--help")
    assert done.code == 0
    assert all(name in done.out for name in COMMANDS)
    assert all(f"{code} " in done.out for code in EXIT_CODES)


def test_help_has_three_examples_and_every_group(heapster: Command) -> None:
    said = heapster("--help").out
    assert said[said.index("Examples:"):said.index("Exit codes:")].count("  heapster ") == 3
    assert all(f"{title}:" in said for title in GROUPS)


def test_a_shell_completes_commands_and_options(heapster: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_HEAPSTER_COMPLETE", "bash_complete")
    for words, expected in (("heapster fuz", "plain,fuzz"), ("heapster fuzz --sand", "plain,--sandbox")):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
        assert heapster().out.splitlines()[0] == expected
    monkeypatch.setenv("_HEAPSTER_COMPLETE", "bash_source")
    assert "complete -o nosort -F _heapster_completion heapster" in heapster().out


@pytest.mark.parametrize("command", ["--help", "explain", "doctor"])
def test_a_reader_may_go_away(command: str) -> None:
    with subprocess.Popen([sys.executable, "-m", "heapster", command], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stderr is not None
        child.stdout.close()
        assert (child.wait(), child.stderr.read()) == (0, b"")


def test_without_a_command_it_says_how_it_is_used(heapster: Command) -> None:
    done = heapster()
    assert (done.code, done.out) == (2, "")
    assert "Usage:" in done.err


def test_the_version_is_printed(heapster: Command) -> None:
    assert heapster("--version") == Done(0, f"heapster {__version__}\n", "")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(heapster: Command, name: str) -> None:
    done = heapster(name, "--help")
    assert done.code == 0
    assert done.out.startswith(f"Usage: heapster {name}")


@pytest.mark.parametrize(("arguments", "said"), [
    (["fuz"], "unknown command 'fuz': did you mean fuzz?"),
    (["fuzz", "sym"], "unknown target 'sym': did you mean sim?"),
    (["fuzz", "--polcy", "all"], "--policy"),
    (["fuzz", "--policy", "best"], "unknown policy 'best': did you mean best_fit?"),
    (["fuzz", "--seconds", "soon"], "'soon' is not a number of seconds"),
    (["fuzz", "--examples", "-1"], "-1"),
    (["fuzz", "--arenas", "65"], "65 is not a whole number from 1 to 64"),
    (["fuzz", "--seconds", "1", "--examples", "1"], "--seconds and --examples exclude each other"),
    (["fuzz", "--json", "no/such/folder/r.json"], "there is no folder no/such/folder"),
    (["fuzz", "--junit", "."], "is a folder"),
    (["fuzz", "libc", "--sarif", "no/such/folder/r.sarif"], "there is no folder no/such/folder"),
    (["fuzz", "libc", "--examples", "3"], "--examples says nothing here: libc is judged by its calls alone"),
    (["fuzz", "sim", "--threads", "3"], "--threads says nothing here: sim is our own allocator"),
    (["fuzz", "libc", "--cflags", "'"], "--cflags ': No closing quotation"),
    (["fuzz", "sim", "process"], "process"),
    (["explain", "prefix_lots"], "unknown code 'prefix_lots': did you mean prefix_lost?"),
    (["explain", "zzzzzz"], "heapster explain lists all"),
    (["replay", "ffff0000"], "'ffff0000' is no file, no trace, and no finding in .heapster"),
    (["replay", "a = mallc(4)"], "unknown operation 'mallc'; did you mean malloc?"),
    (["replay", "free(a)"], "handle 'a' is not defined"),
    (["replay", "a = malloc(4"], "not a step"),
    (["replay", "x" * 5000], "is no file"),
    (["replay", DOUBLE_FREE, "--at", "4"], "the trace has steps 1 to 3"),
    (["replay", DOUBLE_FREE, "--at", "0"], "the trace has steps 1 to 3"),
    (["replay", DOUBLE_FREE, "--target", "sym"], "did you mean sim?"),
    (["replay"], "Missing argument"),
])
def test_a_wrong_call_is_one_line_that_says_how_to_mend_it(heapster: Command, arguments: list[str], said: str) -> None:
    done = heapster(*arguments)
    assert_one_line(done, 2, said)
    assert len(done.err) < 600


@pytest.mark.parametrize(("content", "said"), [
    (b"", "there is no step"), (b"# nothing\n", "there is no step"), (b"\x7fELF\x00\xff", "this is not text"),
    (b"a = malloc(4)\nfree(", "line 2: not a step"),
])
def test_a_trace_file_that_is_none_is_named_with_its_line(heapster: Command, content: bytes, said: str) -> None:
    Path("t.trace").write_bytes(content)
    assert_one_line(heapster("replay", "t.trace"), 2, said)


def test_a_file_that_cannot_be_read_is_named(heapster: Command) -> None:
    assert_one_line(heapster("replay", "."), 2, ". cannot be read: Is a directory")


def test_settings_are_taken_from_file_environment_and_command_line(
        heapster: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The later of these three wins."""
    Path("heapster.toml").write_text("seed = 1\nexamples = 1\n", encoding="utf-8")
    assert "seed 1:" in heapster("fuzz").out
    monkeypatch.setenv("HEAPSTER_SEED", "2")
    assert "seed 2:" in heapster("fuzz").out
    assert "seed 3:" in heapster("fuzz", "--seed", "3").out


def test_a_budget_on_the_command_line_replaces_the_files(heapster: Command) -> None:
    Path("heapster.toml").write_text("seconds = 600\n", encoding="utf-8")
    assert "in 1 example" in heapster("fuzz", "--examples", "1").out


def test_wrong_settings_are_one_line(heapster: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("heapster.toml").write_text("sede = 1\n", encoding="utf-8")
    assert_one_line(heapster("fuzz"), 2, "heapster.toml: unknown key 'sede': did you mean seed?")
    Path("heapster.toml").unlink()
    monkeypatch.setenv("HEAPSTER_SEDE", "1")
    assert_one_line(heapster("fuzz"), 2, "HEAPSTER_SEDE: did you mean HEAPSTER_SEED?")
    monkeypatch.delenv("HEAPSTER_SEDE")
    monkeypatch.setenv("HEAPSTER_SEED", "x")
    assert_one_line(heapster("fuzz"), 2, "HEAPSTER_SEED")


@pytest.mark.parametrize(("error", "code", "said"), [
    (TargetError("libfoo.so exports no malloc"), 4, "libfoo.so exports no malloc"),
    (ModuleNotFoundError("No module named 'z3'", name="z3"), 4,
     "z3 is not installed: pip install 'heapster[prove]'; heapster doctor says"),
    (ValueError("a\nbug"), 70, "internal error: ValueError: a bug (traceback in "),
    (KeyboardInterrupt(), 130, "interrupted"),
])
def test_errors_are_one_line_with_their_exit_code(
        heapster: Command, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(cli, "check_environment", fail)
    assert_one_line(heapster("doctor"), code, said)


def test_the_traceback_of_an_internal_error_is_kept(heapster: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(cli, "check_environment", fail)
    saved = Path(heapster("doctor").err.split("traceback in ")[1].split(";")[0])
    assert "in fail" in saved.read_text(encoding="utf-8")
    saved.unlink()
    monkeypatch.setenv("HEAPSTER_DEBUG", "1")
    assert "in fail" in heapster("doctor").err


def test_exit_codes_follow_the_verdict() -> None:
    assert [exit_code(run) for run in (PASSED, FAILED, INTERRUPTED, NOTHING)] == [0, 1, 130, 5]


# The commands.

def test_fuzz_passes_and_writes_what_it_did(heapster: Command) -> None:
    done = heapster("fuzz", "--examples", "3", "--seed", "5", "--json", "r.json", "--junit", "r.xml")
    assert done.code == 0
    assert done.out.splitlines()[-1].startswith("PASSED: nothing found in ")
    run = json.loads(Path("r.json").read_text(encoding="utf-8"))
    jsonschema.validate(run, jsonfile.schema())
    assert (run["command"], run["target"], run["seed"], run["verdict"]) == ("fuzz", "sim", 5, "passed")
    assert all(run["checks"][name] for name in ("specification", "reference", "contents"))
    assert Path("r.xml").read_text(encoding="utf-8").startswith("<")


def test_two_runs_with_one_seed_print_the_same(heapster: Command) -> None:
    runs = [heapster("fuzz", "--examples", "3", "--seed", "9").out for _ in range(2)]
    assert runs[0] == runs[1]


def test_fuzz_without_a_budget_ran_nothing(heapster: Command) -> None:
    done = heapster("fuzz", "--examples", "0", "--json", "r.json")
    assert (done.code, done.out.splitlines()[-1]) == (5, "NOTHING RAN")
    assert json.loads(Path("r.json").read_text(encoding="utf-8"))["verdict"] == "inconclusive"


def test_fuzz_says_what_it_did_not_check(heapster: Command) -> None:
    done = heapster("fuzz", "--examples", "1", "--policy", "best_fit", "--no-faults")
    assert "NOT checked: policies first_fit, next_fit, worst_fit, segregated_fit (--policy all)" in done.out
    assert "NOT checked: refusals of the system (--faults)" in done.out


def test_fuzz_runs_on_this_process(heapster: Command) -> None:
    assert heapster("fuzz", "process", "--examples", "2").code == 0


def test_replay_says_that_a_trace_passes_or_misuses_the_heap(heapster: Command) -> None:
    assert heapster("replay", "a = malloc(40); free(a)") == Done(
        0, "PASSES: the trace on sim: 2 of 2 steps, nothing wrong\n", "")
    done = heapster("replay", DOUBLE_FREE)
    assert done.code == 0
    assert "MISUSED: the trace on sim: 3 of 3 steps; the last one misuses the heap: noticed, as double_free" in done.out


def test_replay_takes_a_file(heapster: Command) -> None:
    Path("t.trace").write_text("a = malloc(40)\nfree(a)  # done\n", encoding="utf-8")
    assert "PASSES: t.trace on sim: 2 of 2 steps" in heapster("replay", "t.trace").out
    assert "PASSES: t.trace on process" in heapster("replay", "t.trace", "--target", "process").out


def test_replay_draws_the_heap_around_a_step(heapster: Command) -> None:
    done = heapster("replay", "a = malloc(40); b = malloc(8); free(a)", "--at", "3")
    assert done.out.splitlines()[0] == "step 3: free(a)"
    assert done.out.count("arena 0:") == 2
    assert "#48=a" in done.out.split("after:")[0]
    assert ".48=a" in done.out.split("after:")[1]


def test_explain_says_what_a_code_means_and_lists_all(heapster: Command) -> None:
    done = heapster("explain", "prefix_lost")
    assert done.code == 0
    assert "what to look at:" in done.out
    assert "C17 7.22.3.5p2" in done.out
    assert "fault_unmapped" in heapster("explain").out


def test_doctor_finds_what_is_required(heapster: Command) -> None:
    done = heapster("doctor")
    assert done.code == 0
    assert all(name in done.out for name in ("python", "hypothesis", "click", "z3-solver", "cc"))


# A fault in a copy, as a stranger would plant one.

@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of impl in which coalescing forgets the left neighbour."""
    folder = tmp_path_factory.mktemp("faulty") / "impl"
    folder.mkdir()
    for path in (Path(cli.__file__).parent / "impl").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        (folder / path.name).write_text(text.replace("    if left_is_free(m, b):", "    if b == 0:"), encoding="utf-8")
    return folder


def test_a_planted_fault_is_found_kept_replayed_and_forgotten(heapster: Command, faulty: Path) -> None:
    done = heapster("fuzz", str(faulty), "--examples", "12", "--seed", "1", "--json", "r.json")
    assert done.code == 1
    assert done.out.splitlines()[-1] == "FAILED: 1 finding"
    (finding,) = json.loads(Path("r.json").read_text(encoding="utf-8"))["findings"]
    jsonschema.validate(json.loads(Path("r.json").read_text(encoding="utf-8")), jsonfile.schema())
    assert finding["code"] in ("flags_agree_with_neighbours", "no_two_free_neighbours")
    assert len(finding["trace"]) <= 8
    kept = Path(".heapster", finding["id"], "min.trace").read_text(encoding="utf-8")
    assert kept.splitlines() == finding["trace"]

    again = heapster("replay", finding["id"][:4])
    assert again.code == 1
    assert "STILL FAILS" in again.out
    assert finding["code"] in again.out

    second = heapster("fuzz", str(faulty), "--examples", "0")
    assert (second.code, second.out.splitlines()[-1]) == (1, "FAILED: 1 finding"), "what failed is tried first"


def test_a_folder_for_findings_that_cannot_be_is_one_warning(heapster: Command, faulty: Path) -> None:
    Path("kept").write_text("in the way", encoding="utf-8")
    done = heapster("fuzz", str(faulty), "--examples", "12", "--seed", "1", "--store", "kept")
    assert done.code == 1
    assert done.out.splitlines()[-1] == "FAILED: 1 finding"
    assert done.err.count("warning: findings cannot be kept in kept") == 1


def test_results_that_cannot_be_written_are_told_and_never_pass(heapster: Command) -> None:
    Path("full").symlink_to("/dev/full")
    done = heapster("fuzz", "--examples", "1", "--json", "full")
    assert done.code == 2
    assert "warning: full cannot be written: No space left on device" in done.err


# Interruption.

def test_an_interrupted_run_writes_its_results() -> None:
    arguments = ("fuzz", "--jobs", "2", "--seconds", "600", "--seed", "1", "--json", "r.json")
    with interruptible(*HEAPSTER, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        wait_for_work(child.pid)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert out.splitlines()[-1] == "INCONCLUSIVE: interrupted"
    assert "Traceback" not in err
    run = json.loads(Path("r.json").read_text(encoding="utf-8"))
    assert (run["interrupted"], run["verdict"]) == (True, "inconclusive")
