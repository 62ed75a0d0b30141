"""The compiled allocator, watched.

It runs on the real memory of this process, but what it asks of the system and of mutexes is answered,
checked and logged by a machine in Python.
Its loads and stores are its own, unchecked: one that hits nothing is a Fault, but one that hits what is
not the allocator's goes unnoticed or ends this process, so it belongs in a child.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

from heapster.results import HeapsterError, TargetError

from .process import Process
from .protocol import SYSTEM_CALLS, MachineFault, operands

WORD = ctypes.c_int64
ONLOOKER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, WORD, WORD, WORD, WORD, ctypes.POINTER(WORD), use_errno=True)
OPERATIONS = (*SYSTEM_CALLS, "lock", "unlock", "show", "abort", "renew")    # as observed.c numbers them
ARITIES = tuple(len(operands(name)) for name in OPERATIONS)
ABANDONED, STRAYED = 1, 2       # how a call may end otherwise than by an answer


class Library:
    """The observed library, loaded: entries by name, and the world that answers it."""

    def __init__(self, path: Path) -> None:
        try:
            self._library = ctypes.CDLL(str(path), use_errno=True)
        except OSError as error:
            raise TargetError(f"cannot load {path}: {error}") from None
        self._call = self._library.observed_call
        self._call.restype, self._call.argtypes = ctypes.c_int, (ctypes.c_void_p, WORD, WORD, WORD, ctypes.c_void_p)
        self.statics_bytes = WORD.in_dll(self._library, "observed_statics_bytes").value
        self._thread_place = ctypes.c_void_p.in_dll(self._library, "observed_thread_place").value or 0
        self._entries: dict[str, int | None] = {}
        self._machine: Any = None
        self._raised: Exception | None = None
        self._onlooker = ONLOOKER(self._answer)         # kept: C has only its address
        self._library.observed_begin(self._onlooker)

    def answer_with(self, machine: Any) -> None:
        """From here on, `machine` answers what the allocator asks."""
        self._machine = machine

    def use_thread(self, storage: int) -> None:
        """Let the calling thread's storage lie there."""
        WORD.from_address(self._thread_place).value = storage

    def call(self, name: str, *words: int) -> int:
        """Call the entry and return its answer; raise what its machine raised."""
        answer = WORD()
        padded = (*words, 0, 0, 0)[:3]
        outcome = self._call(self._entry(name), *padded, ctypes.addressof(answer))
        if outcome == STRAYED:
            raise MachineFault("unmapped", f"access to {answer.value:#x}, where nothing is mapped", answer.value)
        if outcome == ABANDONED and self._raised:
            raised, self._raised = self._raised, None
            raise raised
        return answer.value

    def _entry(self, name: str) -> int | None:
        if name not in self._entries:
            self._entries[name] = ctypes.c_void_p.in_dll(self._library, f"observed_{name}").value
        return self._entries[name]

    def _answer(self, operation: int, a: int, b: int, c: int, d: int, answer: Any) -> int:
        """Called by C: exceptions cannot pass through it, so they wait until it has returned."""
        try:
            answer[0] = getattr(self._machine, OPERATIONS[operation])(*(a, b, c, d)[:ARITIES[operation]]) or 0
        except HeapsterError as raised:
            self._raised = raised
            return 1
        return 0


class Observed(Process):
    """The process machine for a compiled allocator, whose statics are its own.

    One at a time: a new one starts with zeroed statics. Threads are logical, as for `Process`.
    """

    def __init__(self, library: Library) -> None:
        super().__init__()
        self.library = library
        library.answer_with(self)
        self._its_statics = library.call("statics")
        ctypes.memset(self._its_statics, 0, library.statics_bytes)
        library.use_thread(self.thread())
        self._windows.add(self._its_statics, self._its_statics + library.statics_bytes)
        self._fixed.append(self._its_statics)

    def statics(self) -> int:
        """Where the compiled allocator has its statics."""
        return self._its_statics

    def on_thread(self, thread: int) -> None:
        """Run what follows as another logical thread."""
        super().on_thread(thread)
        self.library.use_thread(self.thread())

