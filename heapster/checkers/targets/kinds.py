"""The kinds of targets, a row each: how one is spelled, what may be set of it, and what opens it in each view.

A new kind is a row here and a module of openers beside; every command then takes it whose view it has.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from heapster.checkers.targets.installed import PEERS
from heapster.checkers.targets.making import SOURCES
from heapster.checkers.targets.sources import holds_sources
from heapster.checkers.targets.target import TargetSettings, View

OURS = TargetSettings._fields
HEADERS = (".h", ".hpp")
OTHER_SOURCES = (".rs", *HEADERS)
UNLINKED = (".o", ".a")


class TargetKind(NamedTuple):
    """A kind of target."""

    name: str
    about: str                          # completes "sim is ..."
    spelled: str                        # an example, for people
    claims: Callable[[str], bool]       # whether a name is one of this kind
    opened: Mapping[View, str]          # "module:function" of this room that opens it
    settings: tuple[str, ...] = ()
    is_file: bool = False               # its name is a path


def _named(*names: str) -> Callable[[str], bool]:
    return lambda name: name in names


def _ends(*suffixes: str) -> Callable[[str], bool]:
    return lambda name: name.endswith(suffixes)


def is_there(name: str) -> bool:
    """Whether the name is that of a file or a folder; it may be no name at all."""
    try:
        return bool(name) and Path(name).exists()
    except (OSError, ValueError):
        return False


def _is_folder(name: str) -> bool:
    return is_there(name) and Path(name).is_dir()


def _holds_sources(name: str) -> bool:
    return _is_folder(name) and holds_sources(Path(name))


def _is_object(name: str) -> bool:
    return "/" in name or ".so" in name or name.endswith((*OTHER_SOURCES, *UNLINKED)) and is_there(name)


KINDS = (
    TargetKind("sim", "the simulated machine: every access checked, every step repeatable", "sim", _named("sim"), {
        View.LOCKSTEP: "interpreted:simulated", View.ENGINE: "interpreted:shipped_source",
        View.SOURCE: "interpreted:shipped_source", View.SHIPPED: "interpreted:shipped_source"}, OURS),
    TargetKind("process", "the real memory of this process, beside its C library", "process", _named("process"), {
        View.LOCKSTEP: "interpreted:in_process"}, OURS),
    TargetKind("native", "the compiled library", "native", _named("native"), {
        View.LOCKSTEP: "native:make", View.ENGINE: "native:engine", View.CALLS: "native:calls",
        View.PRELOAD: "native:preload", View.THREADS: "native:threads"}, OURS),
    TargetKind("libc", "this machine's C library", "libc", _named("libc"), {
        View.CALLS: "outside:libc_calls", View.PRELOAD: "outside:unloaded", View.THREADS: "outside:unloaded_threads"}),
    TargetKind("peer", "an allocator that is installed", ", ".join(PEERS), _named(*PEERS), {
        View.CALLS: "outside:peer_calls", View.PRELOAD: "outside:peer_preload",
        View.THREADS: "outside:peer_threads"}),
    TargetKind("sources", "a folder with C sources", "a folder with C sources", _holds_sources, {
        View.CALLS: "outside:folder_compiled", View.PRELOAD: "outside:folder_preload",
        View.THREADS: "outside:folder_threads"}, is_file=True),
    TargetKind("folder", "a folder with a copy of impl", "a folder with a copy of impl", _is_folder, {
        View.LOCKSTEP: "interpreted:copied", View.ENGINE: "interpreted:copied_source",
        View.SOURCE: "interpreted:copied_source"}, OURS, is_file=True),
    TargetKind("description", "a description of a pool", "pool.toml", _ends(".toml"), {
        View.CALLS: "outside:described"}, is_file=True),
    TargetKind("source", "a C or C++ source", "./mm.c", _ends(*SOURCES), {
        View.CALLS: "outside:compiled", View.PRELOAD: "outside:compiled_preload",
        View.THREADS: "outside:compiled_threads"}, is_file=True),
    TargetKind("object", "a shared object", "./libx.so", _is_object, {
        View.CALLS: "outside:loaded", View.PRELOAD: "outside:loaded_preload",
        View.THREADS: "outside:loaded_threads"}, is_file=True),
)
BY_NAME = {kind.name: kind for kind in KINDS}
NAMES = tuple(word for kind in KINDS if not kind.is_file for word in kind.spelled.split(", "))
