"""Checkers: hold the implementation, or any allocator, against the model."""
