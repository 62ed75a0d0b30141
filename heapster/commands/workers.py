"""Who does the work of a command: children of it, as many as are asked for."""

from collections.abc import Mapping
from typing import Any

from heapster.checkers.jobs.local import Local
from heapster.checkers.jobs.pool import Pool, cores


def pool_of(given: Mapping[str, Any], usual: int = 0) -> Pool:
    """As many children as --jobs says; `usual` if it says nothing, and the cores there are if that is 0."""
    return Local(given.get("jobs") or usual or cores())
