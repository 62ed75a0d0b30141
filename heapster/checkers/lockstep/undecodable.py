"""What is said of words that describe no heap."""

from heapster.results import HeapsterError


class Undecodable(HeapsterError):
    """The words do not describe a heap."""
