"""The constants: what is proved of `impl/layout.py`."""

from functools import partial
from typing import Any

from heapster.checkers.proofs import ALL_WORDS, Proof
from heapster.checkers.proofs.layout_spec import LAYOUT


def drawing(source: Any, path: Any) -> None:
    """Each constant is the number in the drawing."""
    m = path.machine()
    for place, (name, value) in enumerate(LAYOUT.items()):
        constant = getattr(source.layout, name, -1)
        path.claim("the_layout_is_as_drawn", partial(bool, constant == value))
        m.put((1 << 16) + 8 * place, constant, name)


PROOFS = (
    Proof("layout.constants", ALL_WORDS, drawing, more={
        "the_layout_is_as_drawn": "every constant is the number that the drawings fix",
    }),
)
