"""A run that is ended from outside keeps its results, by whichever signal, in whichever command, however often."""

import gc
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from heapster import cli, signals
from heapster.commands import options
from heapster.commands.delivery import Delivery
from heapster.reports.progress import Meter
from heapster.results import Run, Verdict
from tests.processes import HEAPSTER, interruptible, wait_for_work

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
COMMANDS = ("fuzz", "fuzz libc", "races", "stress libc", "score --targets libc", "mutate", "prove block", "diff",
            "bench --targets libc --quick --workloads churn", "check", "prove --faults", "mutate --by races")


@pytest.fixture(autouse=True)
def _by_default() -> Iterator[None]:
    """Each test hears signals, also where a shell lets what runs in the background ignore them."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in signals.ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_writes_what_it_has(command: str, empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal comes when it first shows how far it is, and again when it winds up."""
    monkeypatch.setattr(Meter, "show", lambda *_: signal.raise_signal(signal.SIGTERM))
    monkeypatch.setattr(Meter, "close", lambda *_: signal.raise_signal(signal.SIGTERM))
    assert cli.main([*command.split(), "--json", "r.json"]) == 143
    run = json.loads((empty_folder / "r.json").read_text(encoding="utf-8"))
    assert (run["command"], run["interrupted"], run["verdict"]) == (command.split(maxsplit=1)[0], True, "inconclusive")


@pytest.mark.parametrize("number", CODES)
def test_each_signal_has_its_exit_code(number: signal.Signals, empty_folder: Path) -> None:
    with interruptible(*HEAPSTER, "fuzz", "--jobs", "2", "--seconds", "600", "--json", "r.json") as child:
        wait_for_work(child.pid)
        child.send_signal(number)
        assert child.wait(60) == CODES[number]
    assert json.loads((empty_folder / "r.json").read_text(encoding="utf-8"))["interrupted"]


def _is_interrupted() -> bool:
    try:
        gc.collect()
        signal.pause()
    except signals.Interrupted:
        return True
    return False


def test_a_signal_that_comes_in_a_callback_is_heard_after_it() -> None:
    """What the garbage collector calls cannot raise."""
    coming = [signal.SIGTERM]

    def callback(*_: object) -> None:
        if coming:
            signal.raise_signal(coming.pop())

    gc.callbacks.append(callback)
    try:
        with signals.heard():
            assert _is_interrupted()
    finally:
        gc.callbacks.remove(callback)
    assert signals.exit_code() == 143


def test_a_run_that_has_no_results_yet_says_that_it_was_interrupted(
        empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> Run:
        signal.raise_signal(signal.SIGHUP)
        raise AssertionError

    monkeypatch.setattr("heapster.commands.score.score", interrupted)
    assert cli.main(["score", "--json", "r.json", "--junit", "r.xml"]) == 129
    run = json.loads((empty_folder / "r.json").read_text(encoding="utf-8"))
    assert (run["command"], run["ops"], run["interrupted"]) == ("score", 0, True)
    assert "interrupted" in (empty_folder / "r.xml").read_text(encoding="utf-8")


def test_a_command_that_was_not_loaded_yet_says_that_it_was_interrupted(
        empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "import_module", lambda _: signal.raise_signal(signal.SIGTERM))
    assert cli.main(["fuzz", "sim", "--json", "r.json"]) == 143
    run = json.loads((empty_folder / "r.json").read_text(encoding="utf-8"))
    assert (run["command"], run["target"], run["verdict"], run["ops"]) == ("fuzz", "sim", "inconclusive", 0)


def test_nothing_interrupts_the_writing(empty_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes meanwhile is heard afterwards."""
    write = Path.replace

    def replace(path: Path, target: Path) -> Path:
        signal.raise_signal(signal.SIGTERM)
        return write(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    with signals.heard():
        with pytest.raises(KeyboardInterrupt):
            Delivery("r.json").write(Run("fuzz", "sim", 1, Verdict.PASSED, 1.0, 5))
        assert signals.exit_code() == 143
    assert json.loads((empty_folder / "r.json").read_text(encoding="utf-8"))["verdict"] == "passed"


def test_the_third_signal_gives_up(capsys: pytest.CaptureFixture[str]) -> None:
    with signals.heard():
        for heard in (True, False, True):
            if heard:
                with pytest.raises(KeyboardInterrupt):
                    signal.raise_signal(signal.SIGINT)
            else:
                signal.raise_signal(signal.SIGTERM)
        assert signals.exit_code() == 130
    assert capsys.readouterr().err == signals.AGAIN


def test_what_is_ignored_stays_ignored() -> None:
    """nohup, and shells that start something in the background, ignore signals for it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.heard():
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_handlers_of_whoever_calls_us_come_back() -> None:
    before = [signal.getsignal(number) for number in signals.ENDING]
    assert cli.main(["explain", "no_such_code"]) == 2
    assert [signal.getsignal(number) for number in signals.ENDING] == before


def test_what_was_interrupted_has_not_passed() -> None:
    run = Run("fuzz", "sim", 1, Verdict.PASSED, 1.0, 5, extra={"interrupted": True})
    assert run.verdict is Verdict.INCONCLUSIVE


def test_a_recorded_program_is_told_and_its_trace_kept(empty_folder: Path) -> None:
    program = "import time\nopen('ready', 'w').close()\nwhile True:\n    time.sleep(60)"
    with interruptible(*HEAPSTER, "record", "-o", "t", "--", sys.executable, "-c", program) as child:
        while not (empty_folder / "ready").exists() and child.poll() is None:
            pass_time()
        child.send_signal(signal.SIGTERM)
        assert child.wait(60) == 143
    assert (empty_folder / "t").stat().st_size > 0


def pass_time() -> None:
    """A moment."""
    signal.sigtimedwait([], 0.02)


def test_two_signals_at_once_while_none_is_heard_are_heard_as_one() -> None:
    def twice() -> None:
        with signals.held():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)

    with signals.heard(), pytest.raises(signals.Interrupted):
        twice()
