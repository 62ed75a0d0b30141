"""Pieces of work on the workers of a Dask cluster."""

import logging
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from importlib import metadata
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

from heapster import children
from heapster.checkers.jobs import travel
from heapster.checkers.jobs.forked import Raised, Tell, answered
from heapster.checkers.jobs.local import AHEAD
from heapster.checkers.jobs.pool import Answer, Piece, silent, unheard
from heapster.checkers.jobs.travel import Goods, version
from heapster.checkers.jobs.worker import Delivered, do_pieces
from heapster.results import HarnessError, TargetError, UsageError

PATIENCE = 10.0                 # seconds for a scheduler to answer
SMALL = 1 << 18                 # bytes of files that go with each piece
LOOPBACK = "127.0.0.1"
LOOK = 0.05                     # seconds between looks at what was told
BUNDLE_SECONDS = 1.0            # of work that is handed out at once, about: handing out costs the same for less
MOST_BUNDLED = 4                # pieces, whatever they take: who dies loses no more
LEAST_AHEAD = 2                 # bundles for each worker


class Cluster:
    """See `Pool`: the workers of a scheduler, which have been looked at.

    TargetError, in a line, if the scheduler is not there, has another version, or has no workers that can do this.
    """

    def __init__(self, address: str, goods: Goods) -> None:
        self._address, self._bundle = address, 1
        self._client = _connected(address)
        try:
            self._jobs = _checked(self._client, address)
            size = sum(map(len, goods.files.values()))      # what is small goes with each piece: nobody can lose it
            self._sent = goods if size <= SMALL else self._client.scatter(goods, broadcast=True, hash=False)
        except BaseException:
            self.close()
            raise

    @property
    def jobs(self) -> int:
        """See `Pool`: the threads of the workers."""
        return self._jobs

    @property
    def shares(self) -> int:
        """See `Pool`: a piece for each, so that a run takes as long as on one machine."""
        return self._jobs

    @property
    def is_here(self) -> bool:
        """See `Pool`: workers have a folder of their own."""
        return False

    def close(self) -> None:
        """Leave the cluster as it was found."""
        with suppress(Exception):
            self._client.close(timeout=2)

    def in_order(self, pieces: Iterable[Piece], work: Callable[[Piece], Answer]) -> Iterator[Answer]:
        """See `Pool`."""
        return self.telling(pieces, partial(silent, work), unheard)

    def telling(self, pieces: Iterable[Piece], work: Callable[[Piece, Tell], Answer],
                hear: Callable[[Any], None]) -> Iterator[Answer]:
        """See `Pool`. A worker that dies loses its pieces, which are given to another."""
        topic, events = f"heapster-{uuid4().hex}", SimpleQueue[Any]()
        packed = pickle.dumps(work)
        self._client.subscribe_topic(topic, events.put)
        todo, flying, ears = iter(pieces), deque[Any](), _Ears(events, hear)
        open_ended = True
        try:
            while flying or open_ended:
                while open_ended and len(flying) < max(LEAST_AHEAD, AHEAD // self._bundle) * self._jobs:
                    bundle = list(map(pickle.dumps, islice(todo, self._bundle)))
                    if open_ended := bool(bundle):
                        flying.append(self._client.submit(do_pieces, self._sent, packed, bundle, topic, pure=False))
                if flying and self._is_done(flying[0], ears):
                    done = self._result(flying.popleft())
                    self._bundle = bundled(done)
                    yield from map(ears.answer, done)
        finally:
            with suppress(Exception):
                self._client.cancel(list(flying), force=True)
                self._client.unsubscribe_topic(topic)

    def _is_done(self, future: Any, ears: "_Ears") -> bool:
        """Wait a moment for a piece, with an ear for what all of them tell; whether it is done."""
        ears.listen(0.0 if future.done() else LOOK)
        if self._client.status not in ("running", "connecting"):
            raise self._lost()
        return bool(future.done())

    def _result(self, future: Any) -> list[Delivered]:
        try:
            delivered: list[Delivered] = future.result(timeout=PATIENCE)
        except HarnessError:
            raise
        except Exception as error:
            if "KilledWorker" in type(error).__name__:
                raise HarnessError(f"a piece ended every worker that it was given to: {error}") from None
            raise self._lost() from error
        return delivered

    def _lost(self) -> TargetError:
        return TargetError(f"the scheduler at {self._address} is gone: what was found until then is kept; the same "
                           "command goes on")


class LocalScheduler:
    """A scheduler of its own on this machine, with so many workers; its dashboard is a page, if bokeh is there."""

    def __init__(self, jobs: int) -> None:
        from distributed import LocalCluster  # noqa: PLC0415  loaded where a scheduler is named
        logging.getLogger("distributed").setLevel(logging.ERROR)
        try:
            self._cluster = LocalCluster(n_workers=jobs, threads_per_worker=1, host=LOOPBACK,
                                         dashboard_address=f"{LOOPBACK}:0", silence_logs=logging.CRITICAL)
        except (OSError, RuntimeError, TimeoutError) as error:
            raise TargetError(f"no scheduler could be started on this machine: {error}") from None
        self.address, self.dashboard = str(self._cluster.scheduler_address), str(self._cluster.dashboard_link)

    def close(self) -> None:
        """End it, and its workers."""
        with suppress(Exception):
            self._cluster.close()


def bundled(done: list[Delivered]) -> int:
    """How many pieces are best handed out at once, by what the last took."""
    seconds = sum(one.seconds for one in done) / len(done)
    return max(1, min(MOST_BUNDLED, int(BUNDLE_SECONDS / seconds) if seconds else MOST_BUNDLED))


class _Ears:
    """Hears what pieces tell, each thing once: as an event, or at the latest with the answer."""

    def __init__(self, events: SimpleQueue[Any], hear: Callable[[Any], None]) -> None:
        self._events, self._hear = events, hear
        self._heard: dict[str, int] = {}        # by attempt at a piece: how much of what it tells

    def listen(self, seconds: float) -> None:
        """Hear all that has come; wait so long for something."""
        with suppress(Empty):
            self._take(self._events.get(timeout=seconds) if seconds else self._events.get_nowait())
            while True:
                self._take(self._events.get_nowait())

    def _take(self, event: tuple[float, dict[str, Any]]) -> None:
        said = event[1]
        attempt, place = str(said["attempt"]), int(said["place"])
        if place == self._heard.get(attempt, 0):
            self._heard[attempt] = place + 1
            self._hear(answered(said["said"]).value)

    def answer(self, delivered: Delivered) -> Any:
        """The answer of a piece, once all that it told is heard; raises what it raised."""
        self.listen(0.0)
        for said in delivered.told[self._heard.pop(delivered.attempt, 0):]:
            self._hear(answered(said).value)
        children.worked_elsewhere(delivered.seconds)
        answer = answered(delivered.answer)
        if isinstance(answer, Raised) and isinstance(answer.error, TargetError):
            raise TargetError(f"a worker says: {answer.error}")
        if isinstance(answer, Raised):
            raise answer.error
        return answer


def _connected(address: str) -> Any:
    from distributed import Client  # noqa: PLC0415  loaded where a scheduler is named
    from distributed.comm.addressing import get_address_host_port, normalize_address  # noqa: PLC0415  likewise
    try:
        get_address_host_port(normalize_address(address))       # a client that cannot begin waits when it is gone
    except (ValueError, TypeError) as error:
        raise UsageError(f"{address!r} is no scheduler's address: {error} (tcp://HOST:8786)") from None
    try:
        return Client(address, timeout=PATIENCE, set_as_default=False)
    except OSError:
        raise TargetError(f"no scheduler answers at {address} within {PATIENCE:g} s: start one with dask "
                          "scheduler, or leave out --scheduler") from None


def _checked(client: Any, address: str) -> int:
    """How many pieces the workers take at once; TargetError if they cannot do ours."""
    here = metadata.version("distributed")
    try:
        theirs = client.get_versions()["scheduler"]["packages"]["distributed"]
    except (KeyError, TypeError):
        theirs = "of a version that is not told"
    if theirs != here:
        raise TargetError(f"the scheduler at {address} is distributed {theirs}, and here is {here}: "
                          "install the same in both places")
    threads = client.nthreads()
    if not threads:
        raise TargetError(f"the scheduler at {address} has no workers: start some with dask worker {address}")
    try:
        told = client.run(travel.version)
    except Exception as error:  # noqa: BLE001  # whatever their Python says of a module that it lacks
        raise TargetError(f"the workers of {address} have no Heapster, or another ({type(error).__name__}): install "
                          "this one for them") from None
    for worker, one in told.items():
        if one != version():
            raise TargetError(f"the worker at {worker} has Heapster {one}, and here is {version()}: install the same "
                              "in both places")
    return int(sum(threads.values()))
