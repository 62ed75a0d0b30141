"""What it costs to hand out work on a cluster: pieces that only wait, as if somebody far away were at them.

    python -m tests.jobs.handing_out        the table of docs/campaigns.md

A piece sleeps for as long as a piece of `fuzz sim` works, and a moment more for a network that is not there. All
workers are threads of one process here, each with a hand of its own as anywhere, so that 64 of them fit on a small
machine. What scheduler, workers and command then work is the cost.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from heapster.checkers.jobs import cluster as jobs_cluster
from heapster.checkers.jobs.cluster import BUNDLE_SECONDS, Cluster
from heapster.checkers.jobs.travel import Goods, digest_of
from heapster.results import TargetError

NOTHING = Goods({}, digest_of({}), "")
PIECE, LATENCY = 0.27, 0.05     # seconds of work that a piece of fuzz sim has, and of waiting for a network
ROUNDS = 12                     # pieces for each worker
WORKERS = (2, 8, 64)
STARTS = 240                    # times that workers are waited for, half a second each
TICKS = os.sysconf("SC_CLK_TCK")


class HandingOut(NamedTuple):
    """What handing out took, in ms of processor time a piece."""

    workers: int
    pieces: int
    scheduler: float
    worker: float
    command: float

    @property
    def share(self) -> float:
        """Of what a piece works."""
        return (self.scheduler + self.worker + self.command) / (1000 * PIECE)


def waits(piece: int) -> int:
    """A piece whose work is done elsewhere."""
    time.sleep(PIECE + LATENCY)
    return piece


def measured(workers: int) -> HandingOut:
    """Hand out pieces to so many workers; what that took. Starting them is not counted."""
    at_once = int(BUNDLE_SECONDS / PIECE)       # as if they worked
    with cluster(workers) as (pool, pids), patch.object(jobs_cluster, "bundled", lambda _: at_once):
        warm = list(pool.in_order(range(workers), waits))
        before, pieces = [worked(pid) for pid in pids], ROUNDS * workers
        own = time.process_time()
        answers = list(pool.in_order(range(pieces), waits))
        own = time.process_time() - own
        took = [worked(pid) - was for pid, was in zip(pids, before, strict=True)]
    assert (warm, answers) == (list(range(workers)), list(range(pieces)))
    scheduler, worker, command = (1000 * seconds / pieces for seconds in (*took, own))
    return HandingOut(workers, pieces, scheduler, worker, command)


@contextmanager
def cluster(workers: int) -> Iterator[tuple[Cluster, list[int]]]:
    """A scheduler and so many workers, and the pids of the two processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        running = [started("scheduler", "--host", "127.0.0.1", "--port", str(port)),
                   started("worker", address, "--nthreads", str(workers), "--no-nanny", "--local-directory", folder)]
        try:
            pool = awaited(address)
            yield pool, [process.pid for process in running]
            pool.close()
        finally:
            for process in running:
                process.kill()
                process.wait()


def started(*words: str) -> "subprocess.Popen[bytes]":
    """A command of Dask, as a user starts it; it finds the pieces of work that are of here."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen([sys.executable, "-m", "dask", *words, "--no-dashboard"], env=environment,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def awaited(address: str) -> Cluster:
    """The cluster, once it is there with its workers."""
    for _ in range(STARTS):
        try:
            return Cluster(address, NOTHING)
        except TargetError:
            time.sleep(0.5)
    raise AssertionError("no workers came")


def worked(pid: int) -> float:
    """Seconds of processor time of a process, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def main() -> None:
    """Write the table to stdout, a line as soon as it is known."""
    tell(f"| workers | pieces | scheduler, ms | workers, ms | command, ms | of a piece of {1000 * PIECE:.0f} ms |")
    tell("|---|---|---|---|---|---|")
    for workers in WORKERS:
        one = measured(workers)
        tell(f"| {one.workers} | {one.pieces} | {one.scheduler:.1f} | {one.worker:.1f} | {one.command:.1f} | "
             f"{one.share:.1%} |")


def tell(line: str) -> None:
    """Write a line."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    import_module("tests.jobs.handing_out").main()      # workers know its pieces by this name
