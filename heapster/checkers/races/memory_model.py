"""What is explored of weak memory, and what is not, in words."""

from collections.abc import Iterable
from typing import Any

EXPLORED = (
    "atomic loads answer any write that their thread's view allows",
    "atomic stores come before others that were made earlier",
    "acquire, release and read-modify-writes order as C11 says, and nothing else does",
)
LOAD_BUFFERING = "load buffering: no load answers a store that is yet to come (RC11 has none, some machines do)"


def memory_model(explored: Iterable[str], not_explored: Iterable[str]) -> dict[str, Any]:
    """The model, as results tell it."""
    return {"model": "RC11", "explored": list(explored), "not_explored": list(not_explored)}
