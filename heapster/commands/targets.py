"""The targets by name; a folder is a copy of impl."""

from pathlib import Path

from heapster.results import UsageError
from heapster.suggest import instead_of

IN_PROCESS = {
    "sim": "the simulated machine: every access checked, every step repeatable",
    "process": "the real memory of this process, beside its C library",
    "native": "the compiled library, in a process of its own",
}


def is_ours(target: str) -> bool:
    """Whether the target is our allocator, on some machine or in a copy of its source."""
    return target in IN_PROCESS or Path(target).is_dir()


def check_target(target: str) -> None:
    """UsageError unless there is such a target."""
    if not is_ours(target):
        raise UsageError(f"unknown target '{target}': {instead_of(target, IN_PROCESS)}")
