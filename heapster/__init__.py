"""Heapster: a memory allocator in one source, read five ways, and a judge of any malloc."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heapster.face import Heap, Misused

__all__ = ["Heap", "Misused", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import the face only where it is wanted: the command line must start quickly."""
    if name in ("Heap", "Misused"):
        from heapster import face  # noqa: PLC0415

        return getattr(face, name)
    raise AttributeError(f"module 'heapster' has no attribute '{name}'")
