"""What may be said of a heap in `build` and `run` alike."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from heapster.config import MOST_ARENAS, POLICIES
from heapster.native.library import Options

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
MOST_BYTES = 1 << 46            # the largest request that an allocator of ours takes


def library_options(function: Decorated) -> Decorated:
    """--policy, --arenas and --mmap-threshold."""
    for option in (
            click.option("--mmap-threshold", type=click.IntRange(0, MOST_BYTES), metavar="B",
                         help="Requests of at least B bytes get their own mapping; below 4096 means 4096."),
            click.option("--arenas", type=click.IntRange(1, MOST_ARENAS), metavar="N",
                         help="Arenas that threads are spread over."),
            click.option("--policy", type=click.Choice(POLICIES), metavar="P",
                         help=f"Placement policy: {', '.join(POLICIES)}.")):
        function = option(function)
    return function


def options_of(policy: str | None, arenas: int | None, mmap_threshold: int | None) -> Options:
    """The options, as the library takes them."""
    return Options(policy, arenas, mmap_threshold)
