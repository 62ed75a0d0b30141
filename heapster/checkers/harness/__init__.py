"""Harnesses for fuzzers of others: the judge's checks in C, compiled with a target, driven by bytes."""
