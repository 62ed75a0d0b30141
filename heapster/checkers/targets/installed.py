"""Peers: well-known allocators, found by name where the dynamic linker knows them."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from heapster import children
from heapster.results import TargetError

PEERS = {                           # by their sonames, the one that Debian has first
    "jemalloc": ("libjemalloc.so.2",),
    "mimalloc": ("libmimalloc.so.2", "libmimalloc.so.3"),
    "tcmalloc": ("libtcmalloc_minimal.so.4", "libtcmalloc.so.4"),
}
LINKER_CACHES = ("/sbin/ldconfig", "/usr/sbin/ldconfig")


def peer(name: str) -> Path:
    """Where the peer's library is; TargetError if it is not installed."""
    if why := absence(name):
        raise TargetError(f"{name} cannot be used: {why}")
    return Path(_installed()[name])


def absence(name: str) -> str:
    """Why the peer is not here; empty if it is."""
    return "" if name in _installed() else f"no {' or '.join(PEERS[name])} is installed"


def _installed() -> Mapping[str, str]:
    """The peers that the dynamic linker knows, by name, and where they are."""
    known = dict(_linker_cache())
    found = {}
    for name, sonames in PEERS.items():
        path = next((known[soname] for soname in sonames if soname in known), None)
        if path is not None:
            found[name] = path
    return found


def _linker_cache() -> Iterator[tuple[str, str]]:
    """Sonames of 64-bit libraries and their paths."""
    program = next((path for path in LINKER_CACHES if os.access(path, os.X_OK)), None)
    if program is None:
        return
    said = children.run([program, "-p"], capture_output=True, text=True).stdout
    for line in said.splitlines():
        soname, arrow, path = line.strip().partition(" => ")
        if arrow and "64" in soname:            # libc6,x86-64 or libc6,AArch64
            yield soname.split(" ")[0], path
