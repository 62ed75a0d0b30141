"""Read a finding of another fuzzer as a trace."""

from pathlib import Path

from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.harness.coding import OP_BYTES, decoded, verbs_of
from heapster.checkers.targets.opening import resolve
from heapster.model.operation import Trace
from heapster.results import UsageError
from heapster.wording import counted


def trace_of(path: str, options: ForeignOptions) -> Trace:
    """The trace that a file of a harness stands for, on that target; UsageError if it is none."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    if len(data) < OP_BYTES:
        raise UsageError(f"{path} holds {counted(len(data), 'byte')}, and an operation takes {OP_BYTES}: "
                         "it is no file of a harness")
    return decoded(data, verbs_of(resolve(options).verbs))
