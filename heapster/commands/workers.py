"""Who does the work of a command: children of it, or the workers of a cluster."""

from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from heapster.checkers.jobs.local import Local
from heapster.checkers.jobs.pool import Pool, cores
from heapster.checkers.jobs.travel import Goods, packed
from heapster.checkers.targets.target import Target
from heapster.reports.output import note
from heapster.results import UsageError

HERE = "local"


def pool_of(given: Mapping[str, Any], usual: int = 0, needs: Iterable[Path] = (),
            carried: Callable[[], Goods] | None = None) -> Pool:
    """As many children as --jobs says; `usual` if it says nothing, and the cores there are if that is 0.

    With --scheduler the workers of that, until the command ends; the files that are needed travel to them, or
    what is carried in their stead. `local` is a scheduler of its own on this machine, with a dashboard.
    """
    scheduler, jobs = given.get("scheduler"), given.get("jobs")
    if not scheduler:
        return Local(jobs or usual or cores())
    if jobs and scheduler != HERE:
        raise UsageError("--jobs is for this machine, and --scheduler for others: leave out one of them")
    from heapster.checkers.jobs.cluster import Cluster, LocalScheduler  # noqa: PLC0415  loads distributed
    goods, end = carried() if carried else packed(needs, Path.cwd()), click.get_current_context().call_on_close
    if scheduler == HERE:
        local = LocalScheduler(jobs or usual or cores())
        end(local.close)
        scheduler = local.address
        note(f"dashboard: {local.dashboard}" if find_spec("bokeh") else "a dashboard needs bokeh: pip install bokeh")
    cluster = Cluster(scheduler, goods)
    end(cluster.close)
    return cluster


def needed(traces: Iterable[str], targets: Iterable[Target]) -> list[Path]:
    """The files that play traces on targets need."""
    return [*(Path(trace) for trace in traces if Path(trace).is_file()),
            *(path for target in targets for path in target.paths)]
