"""What we start has limits, and is gone when we are."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from heapster import children
from heapster.checkers.jobs.local import Local
from heapster.checkers.lockstep.subprocess import Died, Done, Journal, contained
from tests.layers import of_package
from tests.processes import HEAPSTER, children_of, descendants_of, interruptible, wait_for_child, wait_for_end
from tests.test_layers import ROOT

JUDGE = "exe"                   # it was compiled into memory
SLEEPER = "import subprocess, sys; subprocess.Popen(['sleep', '600']); print(flush=True); sys.stdin.read()"


def test_only_one_module_starts_programs() -> None:
    """Proofs are forked by multiprocessing, which settles them as `children` says."""
    starting = {found.importer for found in of_package(ROOT) if found.imported.split(".")[0] == "subprocess"}
    assert starting == {"heapster.children"}


def test_the_time_of_a_child_amid_a_piece_is_counted_and_that_of_a_piece_once() -> None:
    """Else who is given the next piece has more time than is left."""
    def spend(seconds: float) -> float:
        begun = time.process_time()
        while time.process_time() - begun < seconds:
            pass
        return time.process_time() - begun

    begun = children.processor_seconds()
    answers = Local(2).in_order([0.1, 1.0, 0.1], spend)
    spent = next(answers)
    while (amid := children.processor_seconds() - begun) < 0.8:
        time.sleep(0.01)
    spent += sum(answers)
    assert amid < spent <= children.processor_seconds() - begun < spent + 0.4


def test_a_killed_prove_leaves_no_worker(tmp_path: Path) -> None:
    with interruptible(*HEAPSTER, "prove", "api.realloc", "--fresh", cwd=tmp_path, stderr=subprocess.DEVNULL) as parent:
        worker = wait_for_child(parent.pid)
        parent.kill()
        wait_for_end(worker)


def test_a_killed_record_leaves_no_program(tmp_path: Path) -> None:
    with interruptible(*HEAPSTER, "record", "-o", "t", "--", "sleep", "600", cwd=tmp_path) as parent:
        while not (found := [pid for pid in children_of(parent.pid) if _name(pid) == "sleep"]):
            assert parent.poll() is None
        parent.kill()
        wait_for_end(found[0])


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_killed_judge_takes_its_case_along(jobs: str) -> None:
    """Its case is a child of the judge, which is ours, or of another process that is."""
    command = (*HEAPSTER, "fuzz", "libc", "--seconds", "600", "--jobs", jobs)
    with interruptible(*command, stderr=subprocess.DEVNULL) as parent:
        while not (judges := [pid for pid in descendants_of(parent.pid) if _name(pid) == JUDGE]):
            assert parent.poll() is None
        parent.kill()
        for judge in judges:
            wait_for_end(judge)


def test_what_a_child_has_started_ends_with_it() -> None:
    with children.started([sys.executable, "-c", SLEEPER], stdin=children.PIPE, stdout=children.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        sleeper = wait_for_child(child.pid)
    wait_for_end(sleeper)


@pytest.mark.parametrize("ending", [children.TimeoutExpired, KeyboardInterrupt])
def test_a_run_that_is_given_up_leaves_nobody(ending: type[BaseException], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def communicate(child: children.Child, **_: object) -> None:
        seen.append(child.pid)
        raise ending(["sleep"], 1) if ending is children.TimeoutExpired else ending

    monkeypatch.setattr(subprocess.Popen, "communicate", communicate)
    with pytest.raises(ending):
        children.run(["sleep", "600"])
    assert not Path(f"/proc/{seen[0]}").exists()


def test_every_child_has_limits() -> None:
    ask = ("import resource as r; print(r.getrlimit(r.RLIMIT_CORE)[0], r.getrlimit(r.RLIMIT_AS)[0], "
           "open('/proc/self/oom_score_adj').read())")
    said = children.run([sys.executable, "-c", ask], addresses=1 << 30, capture_output=True, text=True).stdout.split()
    assert said[:2] == ["0", str(1 << 30)]
    assert said[2] == children.FIRST_VICTIM.decode()


def test_a_child_has_a_session_of_its_own() -> None:
    said = children.run([sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid())"], capture_output=True,
                        text=True).stdout
    assert said == "True\n"


def test_a_forked_child_leaves_signals_to_us() -> None:
    """One that is sent to the whole group is no crash of what is judged."""
    def work() -> str:
        os.kill(os.getpid(), signal.SIGTERM)
        return "unharmed"

    assert contained(work, Journal(), 30) == Done("unharmed")


def test_a_target_that_takes_all_memory_is_an_answer() -> None:
    def work() -> int:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
        return len(bytearray(1 << 31))

    with pytest.raises(RuntimeError, match="MemoryError"):
        contained(work, Journal(), 30)
    killed = contained(lambda: os.kill(os.getpid(), signal.SIGKILL), Journal(), 30)
    assert isinstance(killed, Died)
