"""Harnesses for fuzzers of others."""
