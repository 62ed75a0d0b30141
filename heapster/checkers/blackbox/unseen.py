"""What of a target neither hooks nor single steps show as it is: a line each, for what is not checked."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from heapster.checkers.blackbox.symbols import read_shared_object
from heapster.checkers.blackbox.target import ForeignTarget

OF_CPLUSPLUS = "_ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE"
STARTS_THREADS = frozenset({"pthread_create", "thrd_create", OF_CPLUSPLUS})
HANDLES_SIGNALS = frozenset({"sigaction", "signal", "bsd_signal", "sysv_signal", "__sysv_signal", "sigaltstack",
                             "sigset"})
NO_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)
ASSEMBLY = re.compile(r"\b(?:asm|__asm__|__asm)\b(?:\s+(?:volatile|__volatile__|goto|inline))*\s*\(\s*\"(?=[^\"]*\S)")


def unseen(target: ForeignTarget) -> Iterator[str]:
    """What is not seen of the target's accesses, where it is watched by its hooks."""
    needs = read_shared_object(target.code_path).needs
    sources = target.ingredients.sources if target.ingredients is not None and not target.stepped else ()
    if at := assembly(map(Path, sources)):
        yield f"inline assembly ({at}): what it loads and stores is not seen"
    if found := needs & STARTS_THREADS:
        yield f"threads that {target.name} starts itself ({min(found, key=len)}): what they load and store is not seen"
    if found := needs & HANDLES_SIGNALS:
        yield (f"signal handlers that {target.name} installs ({min(found)}): a crash that they catch shows as what "
               "they make of it")


def assembly(sources: Iterable[Path]) -> str:
    """The first place of the sources at which there is some that does something."""
    for source in sources:
        text = source.read_text(errors="replace")
        code = NO_CODE.sub(_blanked, text)
        for found in ASSEMBLY.finditer(text):
            if code[found.start()] == text[found.start()]:
                return f"{source.name}:{text.count(chr(10), 0, found.start()) + 1}"
    return ""


def _blanked(match: "re.Match[str]") -> str:
    return re.sub(r"[^\n]", " ", match.group())
