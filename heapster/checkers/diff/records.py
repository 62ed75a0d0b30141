"""Traces as the compiled drivers read them: an operation in 32 bytes."""

from array import array

from heapster.checkers.traces.compact import Compact
from heapster.native.operations_header import OP


def records(trace: Compact) -> bytes:
    """The whole trace."""
    verbs, results, operands, firsts, seconds, _ = trace.columns
    units = array("i", bytes(OP.size * len(trace)))
    every = OP.size // units.itemsize
    units[0::every] = array("i", verbs)
    units[1::every] = results
    units[2::every] = operands
    words = array("Q")
    words.frombytes(units.tobytes())
    every = OP.size // words.itemsize
    words[2::every] = firsts
    words[3::every] = seconds
    return words.tobytes()
