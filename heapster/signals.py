"""The signals that end a run: the first stops it, and what it has found is still written.

SIGINT, SIGTERM and SIGHUP raise `Interrupted` where the program is. A second one is passed over, so that
nobody loses results by pressing a key twice; a third gives up. While files are written none is heard: see `held`.
"""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Timer, main_thread
from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SOON = 0.01                     # seconds after which a signal that was lost is heard again
PASSED_OVER = 2                 # which signal, counted from the first

AGAIN = "heapster: stopping, and writing what was found; once more gives it up\n"


class Interrupted(KeyboardInterrupt):
    """One of the signals has come."""


class _State:
    """Which have come so far, and whether they may be heard now."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.count = self.holding = 0
        self.waiting = False            # one came while they were held


_state = _State()


@contextmanager
def heard() -> Iterator[None]:
    """Hear the signals in here, also those that come while a callback runs that cannot raise."""
    _state.__init__()                   # type: ignore[misc]  # a new run in the same process
    with _handled(_hear), _lost_to(_hear_again):
        yield


@contextmanager
def _lost_to(hear_again: Callable[[], None]) -> Iterator[None]:
    """Call `hear_again` where a callback, of the garbage collector say, could not raise `Interrupted`."""
    told = sys.unraisablehook

    def hook(lost: "sys.UnraisableHookArgs") -> None:
        if isinstance(lost.exc_value, Interrupted):
            hear_again()
        else:
            told(lost)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = told


def _hear_again() -> None:
    """Hear the first signal once more, when the callback in which it was lost is over."""
    _state.count -= 1
    again = Timer(SOON, signal.pthread_kill, (main_thread().ident, _state.first or signal.SIGINT))
    again.daemon = True
    again.start()


@contextmanager
def _handled(hear: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let `hear` have the signals in here, but for those that whoever started us wants ignored, as nohup does."""
    before = {}
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            with suppress(ValueError):  # not in the main thread: nobody sends us any
                before[number] = signal.signal(number, hear)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _hear(number: int, _frame: FrameType | None) -> None:
    _state.count += 1
    _state.first = _state.first or number
    if _state.holding:
        _state.waiting |= _state.count < PASSED_OVER
    elif _state.count == PASSED_OVER:
        with suppress(OSError, RuntimeError):       # it may have come in the middle of a write
            sys.stderr.write(AGAIN)
    else:
        raise Interrupted


@contextmanager
def held() -> Iterator[None]:
    """Nothing in here is interrupted; what comes meanwhile is raised at the end, unless an error is."""
    _state.holding += 1
    try:
        yield
    finally:
        _state.holding -= 1
    if _state.waiting and not _state.holding:
        _state.waiting = False
        raise Interrupted


@contextmanager
def left_to(pass_on: Callable[[int], None], kill: Callable[[], None]) -> Iterator[None]:
    """In here the keyboard's interrupts are a child's affair; the first other signal is passed on, the second kills."""
    def hear(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            return
        _state.count += 1
        if _state.count < PASSED_OVER:
            pass_on(number)
        else:
            kill()

    with _handled(hear):
        yield


def stop_if_heard() -> None:
    """Raise again what somebody below has caught, to keep the results that he had."""
    if _state.count:
        raise Interrupted


def exit_code() -> int:
    """That of a run that was interrupted: 130, 143 or 129, as a shell has it."""
    return 128 + (_state.first or signal.SIGINT)


def leave_to_parent() -> None:
    """In a forked child: the signals are the parent's to act on, who ends its children."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
