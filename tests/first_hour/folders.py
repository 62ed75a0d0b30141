"""What lies in a new user's folder as the first hour begins: their own allocator, with a fault in it."""

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.blackbox.line_faults import HERE, LINE_FAULTS

FAULTY = {fault.name: fault for fault in LINE_FAULTS}
MAKEFILE = """\
libft_malloc.so: malloc.c
\tcc -g -shared -fPIC -o $@ $<
"""


def lab(folder: Path, fault: str = "rounds_down") -> None:
    """A student's mm.c."""
    (folder / "mm.c").write_text(FAULTY[fault].text())


def ft_malloc(folder: Path) -> None:
    """A malloc of one's own, as a shared object that make builds."""
    (folder / "malloc.c").write_text(FAULTY["header_forgotten"].text())
    (folder / "Makefile").write_text(MAKEFILE)


def pool(folder: Path) -> None:
    """An embedded engineer's pool, and its description."""
    undescribed_pool(folder)
    (folder / "pool.toml").write_text((HERE / "correct" / "pool.toml").read_text())


def undescribed_pool(folder: Path) -> None:
    """The pool, that nobody has described yet."""
    (folder / "pool.c").write_text(FAULTY["one_block_beyond"].text())
    (folder / "pool.h").write_text((HERE / "correct" / "pool.h").read_text())


def impl(folder: Path) -> None:
    """A researcher's copy of our allocator."""
    source = HERE.parents[1] / "heapster" / "impl"
    shutil.copytree(source, folder / "mine", ignore=shutil.ignore_patterns("__pycache__"))


def empty(folder: Path) -> None:
    """Nothing: a researcher brings traces."""
    del folder


FOLDERS: dict[str, Callable[[Path], None]] = {
    "lab": lab, "ft_malloc": ft_malloc, "pool": pool, "impl": impl, "empty": empty}
