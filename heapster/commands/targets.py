"""The targets by name."""

from heapster.results import UsageError
from heapster.suggest import instead_of

IN_PROCESS = {
    "sim": "the simulated machine: every access checked, every step repeatable",
    "process": "the real memory of this process, beside its C library",
}


def check_target(target: str) -> None:
    """UsageError unless there is such a target."""
    if target not in IN_PROCESS:
        raise UsageError(f"unknown target '{target}': {instead_of(target, IN_PROCESS)}")
