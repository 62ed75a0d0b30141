"""Tests of `heapster exhaust`."""
