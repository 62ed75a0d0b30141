"""Where a walk stopped, in a file, so that the same command goes on from there."""

import io
import json
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from heapster.checkers.exhaust.layers import Layers
from heapster.files import whole_file
from heapster.results import UsageError

SUFFIX = ".frontier"
ARRAYS = ("programs", "states", "reached", "reached_states", "known", "edges", "moves")


def frontier_name(target: object, walk: int) -> str:
    """What one of several walks over a target is called."""
    return f"{target}, walk {walk}" if walk else str(target)


class StoppedWalk(NamedTuple):
    """A walk that stopped, and what it had found."""

    layers: Layers
    met: frozenset[int]                     # keys of the ways to answer that were judged
    failing: tuple[tuple[int, ...], ...]    # the programs that showed something


class KeptFrontier:
    """The file of one target's walk. `identity` says of what it is: of another it is not gone on from."""

    def __init__(self, folder: Path, target: str, identity: tuple[str, ...]) -> None:
        self.path = folder / f"exhaust-{sha256(target.encode()).hexdigest()[:12]}{SUFFIX}"
        self._identity = list(identity)

    def read(self) -> tuple[StoppedWalk | None, str]:
        """Where the walk stopped; None and why, if there is nothing to go on from."""
        try:
            with np.load(io.BytesIO(self.path.read_bytes()), allow_pickle=False) as file:
                told = json.loads(str(file["told"]))
                arrays = {name: file[name] for name in ARRAYS}
            if told["identity"] != self._identity:
                return None, self._differs(told["identity"])
            return _stopped(arrays, told), ""
        except FileNotFoundError:
            return None, ""
        except OSError as error:
            raise UsageError(f"{self.path} cannot be read: {error.strerror or error}") from None
        except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            return None, f"{self.path} is damaged, or no frontier: the walk begins anew"

    def _differs(self, identity: Any) -> str:
        names = ("version of Heapster", "target", "scope")
        other = [name for name, ours, theirs in zip(names, self._identity, identity, strict=False) if ours != theirs]
        return f"{self.path} is of another {other[0] if other else 'kind'}: the walk begins anew"

    def write(self, stopped: StoppedWalk) -> None:
        """Keep where it stopped, whole or not at all. Raises Unwritable."""
        layers = stopped.layers
        width = layers.depth + 1
        known = np.array([[*divmod(digest, 1 << 32), number] for digest, number in layers.known.items()], np.uint64)
        told = {"identity": self._identity, "met": list(stopped.met), "failing": [list(row) for row in stopped.failing],
                "done": layers.done, "runs": layers.runs, "refusals": layers.refusals,
                "by_children": layers.by_children}
        data = io.BytesIO()
        np.savez(data, told=np.array(json.dumps(told)), programs=layers.programs, states=layers.states,
                 reached=np.concatenate([np.zeros((0, width), np.uint32), *layers.reached]),
                 reached_states=np.concatenate([np.zeros(0, np.uint64), *layers.reached_states]),
                 known=known.reshape(-1, 3), edges=np.concatenate([np.zeros((0, 3), np.uint64), *layers.edges]),
                 moves=np.concatenate([np.zeros((0, 3), np.uint64), *layers.moves]))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(self.path) as file:
            file.write(data.getvalue())

    def remove(self) -> None:
        """The walk is over."""
        self.path.unlink(missing_ok=True)


def _stopped(arrays: dict[str, Any], told: dict[str, Any]) -> StoppedWalk:
    known = {int(high) << 32 | int(low): int(number) for high, low, number in arrays["known"]}
    layers = Layers(arrays["programs"], arrays["states"], told["done"], [arrays["reached"]],
                    [arrays["reached_states"]], known, [arrays["edges"]], [arrays["moves"]], told["runs"],
                    told["refusals"], told["by_children"])
    return StoppedWalk(layers, frozenset(told["met"]), tuple(tuple(row) for row in told["failing"]))
