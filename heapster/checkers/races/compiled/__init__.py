"""Schedules of instrumented targets: threads of their own under a scheduler in C, a child for each schedule."""
