r"""Logs of a program's calls, as tools that it may have been run under write them: mtrace, valgrind, ltrace.

    mtrace(3)                   @ ./p:[0x11c0] + 0x5580 0x28        malloc, calloc or memalign of 40 bytes
                                @ ./p:[0x11e8] < 0x5580             realloc's old block
                                @ ./p:[0x11e8] > 0x5510 0x64        and its new one, or `! ADDRESS SIZE`: it failed
                                @ ./p:[0x1234] - 0x5510             free
    valgrind --trace-malloc=yes --7207-- calloc(3,16) = 0x4A410B0
    ltrace                      [pid 7] p->memalign(128, 300) = 0x5580; calls may be `<unfinished ...>`, then `resumed`
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from heapster.checkers.traces.addresses import Addresses
from heapster.checkers.traces.compact import Compact
from heapster.model.operations import ROWS, Does

TAKES = {row.name: len(row.numbers) for row in ROWS if row.does == Does.ALLOCATES and not row.out}
SAME = {"_Znwm": "malloc", "_Znam": "malloc", "_ZdlPv": "free", "_ZdaPv": "free", "cfree": "free",
        "reallocarray": "realloc"}
CALLS = "|".join([*TAKES, "free", "cfree", "realloc", "reallocarray", "posix_memalign", r"_Z(?:nw|na|dl|da)\w+"])

MTRACE = re.compile(rb"(?:@ .*)?(?<!\S)([-+<>!]) (0x[0-9a-f]+|\(nil\))(?: (0x[0-9a-f]+|0))?\s*")
VALGRIND = re.compile(rf"(?:--|\*\*)(\d+)(?:--|\*\*) ({CALLS})\(([^)]*)\)(?:free\([^)]*\))?(?:\s*= (\S+))?\s*".encode())
VALGRIND_ANSWER = re.compile(rb"--\d+--\s+= (\S+)\s*")
PID = r"(?:\[pid (\d+)\] )?"
LTRACE = re.compile(rf"{PID}(?:\S+->)?({CALLS})\((.*?)(?:\)\s+= (\S+)|( <unfinished \.\.\.>))\s*".encode())
LTRACE_RESUMED = re.compile(rf"{PID}<\.\.\. ({CALLS}) resumed> .*\)?\s+= (\S+)\s*".encode())
WORD = re.compile(r"0x[0-9a-fA-F]+|\d+")


def is_mtrace(start: bytes) -> bool:
    """Whether a file that starts so is a log of mtrace(3)."""
    return start.startswith(b"= Start") or _has(MTRACE, start)


def is_valgrind(start: bytes) -> bool:
    """Whether a file that starts so is valgrind's output."""
    return re.match(rb"(==|--)\d+\1 ", start) is not None


def is_ltrace(start: bytes) -> bool:
    """Whether a file that starts so is a log of ltrace."""
    return _has(LTRACE, start)


def read_mtrace(lines: Iterable[bytes], path: Path) -> Compact:
    """The trace in a log of mtrace(3); it does not tell calloc and memalign from malloc."""
    heap, old = Addresses(), 0
    for line in lines:
        if match := MTRACE.fullmatch(line):
            kind, address, size = match[1], _number(match[2]), _number(match[3])
            if kind == b"+":
                heap.allocate("malloc", (size,), address)
            elif kind == b"-":
                heap.free(address)
            elif kind == b"<":
                old = address
            elif kind == b">":
                heap.resize(old, size, address)
            else:
                heap.resize(address, size, 0)
        if heap.trace.is_full:
            break
    return heap.finish(str(path))


def read_valgrind(lines: Iterable[bytes], path: Path) -> Compact:
    """The trace in valgrind's output; of several processes, the first one's."""
    heap, process, waiting = Addresses(), b"", None
    for line in lines:
        if (answer := VALGRIND_ANSWER.fullmatch(line)) and waiting:
            _call(heap, *waiting, answer[1].decode())
            waiting = None
        elif (match := VALGRIND.fullmatch(line)) and match[1] == (process := process or match[1]):
            name, words = match[2].decode(), match[3].decode()
            if match[4] is None and not _is_free(name):
                waiting = name, words
            else:
                _call(heap, name, words, (match[4] or b"").decode())
        if heap.trace.is_full:
            break
    trace = heap.finish(str(path))
    if not len(trace):
        trace.warnings.append(f"{path}: valgrind writes calls only with --trace-malloc=yes")
    return trace


def read_ltrace(lines: Iterable[bytes], path: Path) -> Compact:
    """The trace in a log of ltrace; what a call that it shows calls itself is part of that call."""
    heap, open_calls = Addresses(), dict[bytes | None, tuple[str, str]]()
    for line in lines:
        if match := LTRACE.fullmatch(line):
            thread, name, words = match[1], match[2].decode(), match[3].decode()
            if thread in open_calls:
                continue
            if match[5]:
                open_calls[thread] = name, words
                continue
            answer = match[4]
        elif (match := LTRACE_RESUMED.fullmatch(line)) and open_calls.get(match[1], ("",))[0] == match[2].decode():
            thread, answer = match[1], match[3]
            name, words = open_calls.pop(thread)
        else:
            continue
        heap.switch_thread((thread or b"").decode())
        _call(heap, name, words, answer.decode())
        if heap.trace.is_full:
            break
    return heap.finish(str(path))


def _call(heap: Addresses, name: str, words: str, answer: str) -> None:
    """A call as valgrind and ltrace print it, with more arguments than there are where the tool knows no prototype."""
    numbers = [int(word, 0) for word in WORD.findall(words.replace("(nil)", "0"))]
    address = int(answer, 0) if WORD.fullmatch(answer) else 0
    verb = SAME.get(name, "free" if _is_free(name) else "malloc" if name.startswith("_Z") else name)
    if verb == "free":
        heap.free(numbers[0])
    elif verb == "realloc":
        size = numbers[1] * numbers[2] if name == "reallocarray" else numbers[1]
        heap.resize(numbers[0], size, address)
    elif verb == "posix_memalign":              # the answer is a status; the block's address is nowhere in the log
        heap.allocate_unseen(verb, numbers[1:3])
    else:
        heap.allocate(verb, numbers[:TAKES[verb]], address)


def _is_free(name: str) -> bool:
    return name in ("free", "cfree") or name.startswith(("_Zdl", "_Zda"))


def _has(pattern: re.Pattern[bytes], start: bytes) -> bool:
    return any(pattern.fullmatch(line) for line in start.splitlines()[:-1])


def _number(word: bytes | None) -> int:
    return 0 if word in (None, b"(nil)") else int(word, 16)


READERS: dict[str, tuple[Callable[[bytes], bool], Callable[[Iterable[bytes], Path], Compact]]] = {
    "mtrace": (is_mtrace, read_mtrace), "valgrind": (is_valgrind, read_valgrind), "ltrace": (is_ltrace, read_ltrace)}
