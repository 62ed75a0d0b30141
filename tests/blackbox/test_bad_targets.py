"""Targets that misbehave beyond their duty, and files that are none: one line, or a finding; nothing stays behind."""

import signal
import struct
from pathlib import Path

import pytest

from heapster.checkers.blackbox.build import Compiler, judge_program
from heapster.checkers.blackbox.campaign import Campaign
from heapster.checkers.blackbox.generator import narrowed
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.protocol import Mode
from heapster.checkers.blackbox.reproducer import Reproducer, prove
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.model.spec import Promises
from heapster.model.trace import parse
from heapster.results import TargetError

ZOO = Path(__file__).parent / "zoo"
LOUD = """
#include <stdio.h>
#define ON_MALLOC(size) for (int i = 0; i < 4096; i++) fputs("many and many and many words\\n", stderr)
"""
DEAF = """
#include <signal.h>
#include <unistd.h>
#define ON_MALLOC(size) \\
    if ((size) == 24) { signal(SIGTERM, SIG_IGN); signal(SIGALRM, SIG_IGN); fork(); for (;;) pause(); }
"""


FLEES = """
#include <stdio.h>
#include <unistd.h>
static void flee(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        for (;;) pause();
    }
    for (int i = 0; i < 1000 && getsid(pid) != pid; i++)
        usleep(1000);
    FILE *file = fopen(FLED, "a");
    fprintf(file, "%d\\n", (int)pid);
    fclose(file);
    *(volatile int *)0 = 1;
}
#define ON_MALLOC(size) if ((size) == 24) flee()
"""


def campaign(folder: Path, text: str, seconds: float) -> tuple[list[str], int]:
    """The codes found, and the process group of the last case."""
    source = folder / "target.c"
    source.write_text(f'{text}\n#include "firstfit.h"\n')
    target = resolve(ForeignOptions(grammar.parse(str(source)), compiler=Compiler("cc", (f"-I{ZOO}",))))
    with Judge(judge_program(target.bits), target) as judge:
        run = Campaign(judge, seconds, 1)
        list(run.found())
        child = judge.header.child
    return [shown.finding.code for shown in run.shown], child


def still_there(group: int) -> list[str]:
    """The processes of a group that are still running."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(str(stat))
    return found


def test_a_target_that_prints_megabytes_is_judged_all_the_same(tmp_path: Path) -> None:
    assert campaign(tmp_path, LOUD, 1)[0] == []


def test_a_target_that_forks_and_ignores_signals_hangs_and_leaves_nothing(tmp_path: Path) -> None:
    codes, group = campaign(tmp_path, DEAF, 1)
    assert codes == ["hang"]
    assert still_there(group) == []


@pytest.mark.parametrize(("machine", "called"), [(40, "32-bit ARM"), (8, "machine 8")])
def test_an_object_for_another_machine_is_named(tmp_path: Path, machine: int, called: str) -> None:
    path = tmp_path / "other.so"
    path.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, *[0] * 10))
    with pytest.raises(TargetError, match=f"is made for {called}"):
        resolve(ForeignOptions(grammar.parse(str(path))))


def test_numbers_near_an_edge_stay_near_it_in_32_bits() -> None:
    assert narrowed((1 << 64) - 9) == (1 << 32) - 9
    assert narrowed((1 << 63) + 1) == (1 << 31) + 1
    assert narrowed(1 << 33) == 1 << 31
    assert narrowed(4096) == 4096


def test_what_flees_from_its_process_group_is_ended_too(tmp_path: Path) -> None:
    fled = tmp_path / "fled"
    source = tmp_path / "target.c"
    source.write_text(f'#define FLED "{fled}"\n{FLEES}\n#include "firstfit.h"\n')
    target = resolve(ForeignOptions(grammar.parse(str(source)), compiler=Compiler("cc", (f"-I{ZOO}",))))
    trace = parse("a = malloc(24)")
    with Judge(judge_program(target.bits), target) as judge:
        assert judge.run(Mode.PRECISE, judge.set_steps(trace)).code == signal.SIGSEGV
    program = Reproducer(target, trace, "crash", Promises(), "it flees").program(tmp_path)
    assert prove(program, tmp_path, target, Compiler())
    pids = [int(line) for line in fled.read_text().split()]
    assert len(pids) == 2
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_a_judge_that_does_not_start_is_told(tmp_path: Path) -> None:
    alien = tmp_path / "judge"
    alien.write_bytes(b"\x7fELF\x01 of another kind")
    alien.chmod(0o755)
    with pytest.raises(TargetError, match="programs of 64 bits do not run on this machine"):
        Judge(alien, resolve(ForeignOptions(grammar.parse("libc"))))
