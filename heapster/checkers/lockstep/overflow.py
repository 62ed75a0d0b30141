"""Words that notice overflow: Python's integers grow where a machine's wrap.

The interpreted reading gets them for large arguments, and whatever is computed from those is one too.
"""

from typing import Any

from heapster.machine.protocol import MachineFault

LEAST, MOST = -(1 << 63), (1 << 63) - 1
LARGE = 1 << 30                 # smaller arguments cannot overflow before they are refused


class CheckedWord(int):
    """A signed 64-bit integer; arithmetic that leaves 64 bits is a fault."""


def _checked(name: str) -> Any:
    plain = getattr(int, name)

    def operate(self: CheckedWord, other: int) -> CheckedWord:
        result = plain(self, other)
        if not LEAST <= result <= MOST:
            raise MachineFault("word_overflow",
                               f"{name.strip('_')} of {int(self):#x} and {int(other):#x} leaves 64 bits")
        return CheckedWord(result)

    return operate


for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "lshift", "rlshift", "rshift", "and", "rand", "or", "ror"):
    setattr(CheckedWord, f"__{_name}__", _checked(f"__{_name}__"))


def word(number: int) -> int:
    """The number as an argument: one that notices overflow, if it is large."""
    return CheckedWord(number) if abs(number) >= LARGE else number
