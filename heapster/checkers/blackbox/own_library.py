"""Our own compiled library, judged as a stranger's is: by compiled checks in great number, in every setting.

    native/best_fit/64      best fit, and 64 bytes of each size kept by a thread; 0 for no caches
"""

import re
from collections.abc import Iterable
from itertools import product
from pathlib import Path

from heapster.checkers.blackbox.symbols import read_shared_object
from heapster.checkers.blackbox.target import ForeignTarget, symbols_for
from heapster.impl.layout import DEFAULT_CACHE

PREFIX = "heapster_"
CHECK = "heapster_stress_check"
CACHES = (0, 64, DEFAULT_CACHE)           # bytes of a size: none, so few that bins are often full, and as shipped
SETTING = re.compile(r"native/([a-z]+_fit)/(\d{1,7})", re.ASCII)


def settings(policies: Iterable[str], caches: Iterable[int] = CACHES) -> tuple[str, ...]:
    """The names of the library under each policy with each size of caches."""
    return tuple(f"native/{policy}/{cache}" for policy, cache in product(policies, caches))


def from_setting(name: str, library: Path | None = None) -> ForeignTarget | None:
    """The compiled library, or a changed one, as such a name says; None for other names."""
    match = SETTING.fullmatch(name)
    if match is None:
        return None
    if library is None:
        from heapster.checkers.stress.build import native  # noqa: PLC0415  compiles the library
        library = native()
    found = read_shared_object(library)
    symbols = symbols_for(PREFIX, found.functions) | {"check": CHECK}
    return ForeignTarget(name, str(library), symbols, "prefixed", found.bits, check_means=True,
                         environment={"HEAPSTER_POLICY": match[1], "HEAPSTER_CACHE": match[2]})
