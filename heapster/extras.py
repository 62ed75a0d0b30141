"""The optional parts of an installation: which extra brings what, and what needs it. Imports nothing of ours."""

from typing import NamedTuple


class Extra(NamedTuple):
    """One of pyproject.toml's extras."""

    modules: tuple[str, ...]    # that it brings
    needed_for: str             # for people


EXTRAS = {
    "prove": Extra(("z3",), "prove"),
    "cross-check": Extra(("cvc5",), "prove --cross-check"),
    "native": Extra(("numba", "llvmlite"), "build, and run where no machine code came along"),
    "exhaust": Extra(("numpy",), "exhaust"),
    "races": Extra(("greenlet",), "races"),
    "cluster": Extra(("distributed",), "fuzz, exhaust, races and stress with --scheduler"),
    "report": Extra(("jinja2", "markupsafe", "matplotlib"), "report"),
    "coverage": Extra(("gcovr",), "fuzz --coverage"),
}


def install(extra: str) -> str:
    """The command that brings it."""
    return f"pip install 'heapster[{extra}]'"


def bringing(module: str) -> str:
    """How a module that is missing is got, for people; empty if no extra brings it."""
    name = module.partition(".")[0]
    return next((install(extra) for extra, part in EXTRAS.items() if name in part.modules), "")
