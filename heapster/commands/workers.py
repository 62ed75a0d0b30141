"""Who does the work of a command: children of it, or the workers of a cluster."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from heapster.checkers.jobs.local import Local
from heapster.checkers.jobs.pool import Pool, cores
from heapster.results import UsageError


def pool_of(given: Mapping[str, Any], usual: int = 0, needs: Iterable[Path] = ()) -> Pool:
    """As many children as --jobs says; `usual` if it says nothing, and the cores there are if that is 0.

    With --scheduler the workers of that, until the command ends; the files that are needed travel to them.
    """
    if not given.get("scheduler"):
        return Local(given.get("jobs") or usual or cores())
    if given.get("jobs"):
        raise UsageError("--jobs is for this machine, and --scheduler for others: leave out one of them")
    from heapster.checkers.jobs.cluster import Cluster  # noqa: PLC0415  loads distributed
    from heapster.checkers.jobs.travel import packed  # noqa: PLC0415
    cluster = Cluster(given["scheduler"], packed(needs, Path.cwd()))
    click.get_current_context().call_on_close(cluster.close)
    return cluster
