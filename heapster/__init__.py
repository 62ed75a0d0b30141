"""Heapster: a memory allocator in one source, read five ways, and a judge of any malloc."""

__all__ = ["__version__"]

__version__ = "0.1.0"
