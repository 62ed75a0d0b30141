"""Misuse of an allocator, a small program each: told, survived, or an attack."""
