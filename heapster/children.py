"""Programs that we start: each in a session of its own, with limits, and gone when we are.

A child dies with us, however we end; what it has started itself is ended with it, as far as it has stayed in its
session. The system that runs out of memory ends a child before anything else.
"""

import ctypes
import os
import resource
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from time import clock_gettime, process_time
from typing import Any

from heapster.signals import leave_to_parent, left_to

RESIDENT = 3 << 30              # bytes that a child may hold; on a small machine half of what there is
ADDRESSES = 8 << 30             # bytes of address space, of children that reserve no more than they use
PR_SET_PDEATHSIG = 1
SCHEDULED = 2                   # of the clocks that clock_getcpuclockid(3) names, the one of all of its threads
FIRST_VICTIM = b"1000"          # of the system that is out of memory

Child = subprocess.Popen[Any]
Command = Sequence[str | Path]
DEVNULL, PIPE, STDOUT = subprocess.DEVNULL, subprocess.PIPE, subprocess.STDOUT
TimeoutExpired = subprocess.TimeoutExpired

SANDBOX = ("bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp",  # noqa: S108
           "--dir", "/tmp/own", "--chdir", "/tmp/own", "--unshare-all", "--die-with-parent", "--new-session")  # noqa: S108

_libc = ctypes.CDLL(None)


def _die_with(parent: int) -> None:
    """In a child that was just forked: end as soon as `parent`, who forked us, has."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(128 + signal.SIGKILL)


def fork() -> int:
    """Like `os.fork`; the child dies with us, leaves signals to us, and is the first to go if memory runs out."""
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        settle(parent)
    return child


def processor_seconds() -> float:
    """Processor time of this process, of its children that serve or have ended, and of other machines: user and system.

    Of a child that serves it is what it has told, or what its clock says where that is more: it may be amid a piece.
    """
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    serving = sum(max(told, seconds_of(child)) for child, told in _serving.items())
    return process_time() + ended.ru_utime + ended.ru_stime + serving + sum(_elsewhere)


_serving: dict[int, float] = {}     # children that do piece after piece: seconds that they have told


def serves(child: int, told: float) -> None:
    """A child does piece after piece, and has told of so many seconds by now."""
    _serving[child] = told


def serves_no_longer(child: int) -> None:
    """The child has ended, and was waited for."""
    _serving.pop(child, None)


def seconds_of(process: int) -> float:
    """Processor time of a child that is not waited for yet: user and system."""
    return clock_gettime(~process << 3 | SCHEDULED)


_elsewhere: list[float] = [0.0]     # seconds that other machines have worked for us


def worked_elsewhere(seconds: float) -> None:
    """Count processor time of another machine as that of a child which has ended."""
    _elsewhere[0] += seconds


def settle(parent: int) -> None:
    """In a child that was just forked and runs on: take on what holds for every child, and leave signals to us."""
    _serving.clear()                # our children are not its own
    leave_to_parent()
    _limit(parent, 0, 0)


def _limit(parent: int, addresses: int, seconds: int) -> None:
    """In a child that was just forked: what holds until its end, whatever it runs."""
    _die_with(parent)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for limit, most in ((resource.RLIMIT_AS, addresses), (resource.RLIMIT_CPU, seconds)):
        hard = resource.getrlimit(limit)[1]
        if most and (hard == resource.RLIM_INFINITY or most <= hard):
            resource.setrlimit(limit, (most, most if limit == resource.RLIMIT_AS else hard))
    with suppress(OSError):
        descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(descriptor, FIRST_VICTIM)
        os.close(descriptor)


def start(command: Command, *, addresses: int = 0, seconds: int = 0, **how: Any) -> Child:
    """Start a program, in so many bytes and seconds of processor time if they are limited. Raises OSError."""
    parent = os.getpid()
    how.setdefault("start_new_session", True)
    return subprocess.Popen(command, preexec_fn=lambda: _limit(parent, addresses, seconds), **how)  # noqa: PLW1509


def end(child: Child) -> None:
    """End a child and whatever is left in its session."""
    members = _session(child.pid) if child.poll() is None else ()
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.kill()                        # it may be in our own session
    for member in members:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(member, signal.SIGKILL)
    child.wait()


def _session(leader: int) -> tuple[int, ...]:
    """The processes of a session, whatever groups they have made."""
    found = []
    for process in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if os.getsid(int(process.name)) == leader:
                found.append(int(process.name))
    return tuple(found)


def dismiss(child: Child) -> None:
    """End a child, whatever is left in its session, and our ends of its pipes."""
    end(child)
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe:
            pipe.close()


@contextmanager
def started(command: Command, *, addresses: int = 0, **how: Any) -> Iterator[Child]:
    """A program that runs meanwhile: nothing of it stays behind."""
    child = start(command, addresses=addresses, **how)
    try:
        yield child
    finally:
        dismiss(child)


def run(command: Command, *, timeout: float | None = None, addresses: int = 0,
        **how: Any) -> "subprocess.CompletedProcess[Any]":
    """Run a program to its end; raises OSError, and TimeoutExpired after it was ended."""
    if how.pop("capture_output", False):
        how.update(stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    how.setdefault("stdin", subprocess.DEVNULL)
    with started(command, addresses=addresses, **how) as child:
        out, err = child.communicate(timeout=timeout)
        return subprocess.CompletedProcess(command, child.returncode, out, err)


def watched(command: Command, **how: Any) -> Child:
    """Run a program in our place at the terminal, to its end. Raises OSError.

    An interrupt from the keyboard reaches it without us. What else is to end us ends it: the first signal is
    passed on, the second kills it.
    """
    child = start(command, start_new_session=False, **how)
    try:
        with left_to(child.send_signal, child.kill):
            child.wait()
    finally:
        end(child)
    return child


def exit_code(child: Child) -> int:
    """How a child ended, as a shell has it."""
    return int(child.returncode if child.returncode >= 0 else 128 - child.returncode)


def sandboxed(command: Command, *shown: str | Path, written: Path | None = None) -> list[str | Path]:
    """The command in a sandbox of bubblewrap: the system is read-only, and the network and other processes are away.

    It has a folder of its own, which goes with it. What is `shown` can be read wherever it lies, and in the folder
    that is to be `written` it can write.
    """
    again = [word for path in shown if Path(path).exists() for word in ("--ro-bind", path, path)]
    folder = ("--bind", written, written) if written else ()
    return [*SANDBOX, *folder, *again, "--", *command]


def resident_limit() -> int:
    """Bytes that a child may hold: `RESIDENT`, or half of this machine's memory if that is less."""
    return min(RESIDENT, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2)
