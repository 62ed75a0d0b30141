"""The commands, a module each. Only the one that runs is imported, so that help is quick.

To add one: a line here, a module of that name in `usage` with its click command `command`, and what it does here.
"""

COMMANDS = {
    "bench": "Measure allocators on workloads: processor time and peak memory, against libc.",
    "bisect": "Find the commit that a finding came with.",
    "build": "Write libheapster for C and C++ programs: libraries, header, pkg-config, CMake.",
    "campaign": "Run checkers on targets in turn, for as long as you like: resumable, with a page.",
    "check": "Every checker at a small budget: for continuous integration.",
    "describe": "Draft the description of a pool or a region allocator, to be corrected.",
    "diff": "Play traces on each policy, in lock-step with the model: agreement, memory, work.",
    "doctor": "What Heapster needs, which versions are here, and what is missing.",
    "exhaust": "Run every program of at most so many calls: nothing small is left out.",
    "explain": "What a finding's code means, how it arises, what to look at.",
    "findings": "What is kept between runs: list it, show, drop or accept some of it.",
    "fuzz": "Hold an allocator against the model on generated programs.",
    "harness": "Write a C program with the judge's checks for libFuzzer, AFL++ or honggfuzz.",
    "mutate": "Plant faults in copies of the allocator and hunt them: who catches what.",
    "prove": "Prove with z3 what the docstrings of impl promise, on the source that ships.",
    "races": "Explore schedules of small programs: data races, deadlocks, broken promises.",
    "record": "Record every allocation of a real program as a trace.",
    "report": "Runs as a page, as Markdown or as one run: heaps to travel through, plots, figures.",
    "run": "Run any program on Heapster's allocator.",
    "replay": "Run a trace again and say whether it still fails.",
    "score": "Score policies and any malloc on traces: right or wrong, utilization, speed.",
    "shrink": "Go on shrinking a kept finding.",
    "stress": "Real threads on a compiled allocator, every block verified.",
    "view": "The heap of a trace in the terminal, step by step.",
    "trace": "Convert traces, show what is in them, make new ones.",
}
GROUPS = {                      # as help lists them
    "Judge any allocator": ("fuzz", "exhaust", "races", "stress", "score", "bench", "describe", "harness", "campaign"),
    "What was found": ("replay", "shrink", "findings", "bisect", "explain", "view", "report"),
    "Traces": ("record", "trace", "diff"),
    "Heapster's own allocator": ("run", "build", "prove", "check", "mutate"),
    "This installation": ("doctor",),
}
