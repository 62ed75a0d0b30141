"""Traces scored as a malloc lab's driver would, and better checked."""
