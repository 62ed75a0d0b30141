"""Blocks on pages of their own with guards around them, for whoever debugs a program: `heapster run --guard`."""
