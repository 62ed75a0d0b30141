"""Targets: a copy of the allocator's source, a shared object, the compiled library."""
