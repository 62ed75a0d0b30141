"""`heapster describe`."""

from pathlib import Path

from heapster.checkers.blackbox.drafting import drafted
from heapster.files import write_whole
from heapster.reports.output import note, say_whole
from heapster.results import UsageError


def command(file: Path, output: Path | None) -> int:
    """Draft the description of a pool or a region allocator."""
    text = drafted(file)
    if output is None:
        say_whole(text)
        return 0
    if output.exists():
        raise UsageError(f"{output} is there already: name another file, or remove it")
    write_whole(output, text)
    note(f"correct {output}, then: heapster fuzz {output}")
    return 0
