"""Files that hold no sequence of calls but are taken for traces: what each is, and what to use instead."""

import re

RECORD = "record the program itself: heapster record -- COMMAND"
PROFILES = (
    (rb"heap_v2/\d+", "jemalloc's heap profile, which holds sums by call site"),
    (rb"heap profile: ", "gperftools' heap profile, which holds sums by call site"),
    (rb"desc: .*\ncmd: ", "massif's profile, which holds snapshots of sizes"),
    (rb'\{"dhatFileVersion"', "DHAT's profile, which holds sums by call site"),
    (rb"Attaching \d+ probes?|@\w*(?:\[|:)", "bpftrace's output, which holds what its script prints"),
    (rb"(?:\d+ +)?(?:execve|brk|openat|mmap)\(", "strace's log, which holds system calls and no malloc"),
    (rb"# cmdline: |\S+ +\d+ +(?:\[\d+\] +)?\d+\.\d+: +.*probe_", "perf's output, which holds samples"),
)


def profile(start: bytes) -> str:
    """The kind of profile that starts so, and what to use instead; nothing if it is no profile."""
    for pattern, what in PROFILES:
        if re.match(pattern, start.lstrip()):
            return f"this is {what}, and no sequence of calls; {RECORD}"
    return ""
