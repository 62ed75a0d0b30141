"""What can be run again: traces, kept findings, schedules."""
