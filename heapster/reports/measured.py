"""The figures of bench in a document: what stands between two marks, renewed from a run."""

import re
import textwrap
from collections.abc import Mapping
from typing import Any

from heapster.reports.ratios import BASE, LEGEND, compared, measured_on
from heapster.reports.tables import Value, markdown

COLUMNS = 120
OURS = "native"
END = "<!-- bench: end -->"


def renewed(text: str, suite: bool, run: Value) -> str:
    """The document with the run's figures in the place of its old ones; ValueError unless it has a place for them.

    There are four places, one for the means and one for all tables, of the suite and of our own workloads. An empty
    run changes nothing.
    """
    kind = "suite" if suite else "own"
    places = [(_place(f"{kind}{which}"), said) for which, said in (("", section), (" means", headline))]
    if not any(place.search(text) for place, _ in places):
        raise ValueError(f"it must have <!-- bench: {kind} --> or <!-- bench: {kind} means -->, and {END} behind it")
    for place, said in places if run else ():
        text = _between(place, said(run), text)
    return text


def _between(place: re.Pattern[str], said: str, text: str) -> str:
    return place.sub(lambda found: f"{found[1]}{said}\n{found[2]}", text)


def section(run: Value) -> str:
    """All that a document says of a run: the means in words, the tables, and what they were measured on."""
    return "\n".join([headline(run), "", f"{measured_on(run)}\n", *map(markdown, compared(run)), LEGEND])


def headline(run: Value) -> str:
    """The means of processor time and peak memory, ours first."""
    means: Mapping[str, Any] = run["geomean"]
    names = sorted((name for name in means if name != BASE), key=lambda name: name != OURS)
    count = len(run["workloads"])
    of = f"{count} programs of {run['suite']}, which nobody here wrote" if run.get("suite") else (
        f"{count} workloads of our own, weighted so that their mean foretells that of the suite")
    words = "; ".join(f"{name} {means[name]['cpu_ratio']:.2f} and {means[name]['memory_ratio']:.2f}" for name in names)
    text = f"On {of}: processor time and peak memory as ratios to libc's, geometric means: {words}."
    return textwrap.fill(text, COLUMNS, break_long_words=False, break_on_hyphens=False)


def _place(kind: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- bench: {kind} -->\n)(?:(?!<!-- bench: ).)*({END})", re.DOTALL)
