"""The table of theorems, for terminals and for the docs, from the dictionaries that a run holds."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from heapster.reports.terminal import BAD, FAINT, GOOD, OPEN, PLAIN, STRONG, Line

Row = Mapping[str, Any]
STYLES = {"PROVED": GOOD, "REFUTED": BAD, "VACUOUS": BAD, "UNKNOWN": OPEN}


def theorem_lines(rows: Iterable[Row]) -> Iterator[Line]:
    """A line for each theorem, under the function that it is about."""
    for of, group in groupby(rows, key=lambda row: row["of"]):
        yield of, STRONG
        for row in group:
            figures = f"{row['paths']:>5} paths {_seconds(row)}" if "paths" in row else ""
            verdict = row.get("verdict", "")
            yield f"  {verdict:8}{row['name']:<52} {_reach(row):<24}{figures}".rstrip(), STYLES.get(verdict, PLAIN)
            if row.get("reason"):
                yield f"          {row['reason']}", OPEN


def _reach(row: Row) -> str:
    """How far it reaches; of a theorem about what is built with spans, that too."""
    return f"{row['bound']}, with spans" if row["spans"] else str(row["bound"])


def _seconds(row: Row) -> str:
    return "    kept" if row.get("kept") else f"{row['seconds']:6.2f} s"


def assumed_lines(rows: Iterable[Row]) -> Iterator[Line]:
    """The assumptions that no proof shows."""
    yield "assumed", STRONG
    for row in rows:
        yield f"  {row['name']:<40} {row['claim']}", PLAIN
        yield f"  {'':<40} {row['reason']}", FAINT


def unproved_lines(reasons: Mapping[str, str]) -> Iterator[Line]:
    """The functions that no theorem is about, and why."""
    yield "no theorem", STRONG
    yield from ((f"  {name:<40} {reason}", PLAIN) for name, reason in reasons.items())


def count_line(rows: Iterable[Row]) -> Line:
    """How many came out how, and how many of them in earlier runs."""
    rows = list(rows)
    kept = sum(bool(row.get("kept")) for row in rows)
    verdicts = [row["verdict"] for row in rows]
    counts = {verdict: verdicts.count(verdict) for verdict in STYLES if verdict in verdicts}
    worst = next((v for v in ("REFUTED", "VACUOUS", "UNKNOWN") if v in counts), "PROVED")
    text = ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) or "nothing ran"
    return text + (f", {kept} of them kept from before: --fresh proves them again" if kept else ""), STYLES[worst]


def cross_checked(rows: Iterable[Row]) -> dict[str, Any]:
    """How often the second solver was asked and agreed, and the theorems of which it did not, as the JSON has it."""
    rows = list(rows)
    return {"asked": sum(row["asked"] for row in rows), "agreed": sum(row["agreed"] for row in rows),
            "doubted": {row["name"]: row["reason"] for row in rows if row["agreed"] < row["asked"]}}


def cross_check_lines(told: Row) -> Iterator[Line]:
    """What the second solver said, in a line, and one for each theorem that it doubts."""
    count = f"{told['agreed']:,} of {told['asked']:,}"
    yield f"cross-check: cvc5 agrees with {count} answers of z3 that something is impossible", (
        OPEN if told["doubted"] else GOOD)
    for name, reason in told["doubted"].items():
        yield f"  {name}: {reason}", OPEN


def summary(theorems: Iterable[Row]) -> list[str]:
    """How many theorems there are of each file, by how far they reach, as a table."""
    rows = list(theorems)
    lines = ["| file | all words | any heap | bounded |", "|---|--:|--:|--:|"]
    for name in dict.fromkeys(row["of"].partition(".")[0] for row in rows):
        bounds = [row["bound"] for row in rows if row["of"].partition(".")[0] == name]
        counts = [bounds.count(bound) for bound in ("all words", "any heap")]
        lines.append(f"| `{name}` | {counts[0]} | {counts[1]} | {len(bounds) - sum(counts)} |")
    return lines


def markdown(theorems: Iterable[Row], assumed: Iterable[Row], kills: Iterable[Row],
             any_heap: Iterable[str] = ()) -> str:
    """The page of the docs: theorems by function, what is assumed, and which theorem each planted fault meets.

    `any_heap` is what is said of whole operations on heaps of any size.
    """
    theorems = list(theorems)
    lines = ["# What is proved", "",
             "Made by `heapster prove --write`, from the data that the proofs run from. Bounded are those about heaps",
             "of a few blocks, and others whose bound the table says.", "", *summary(theorems), "", *any_heap]
    for of, group in groupby(theorems, key=lambda row: row["of"]):
        lines += [f"## `{of}`", "", "| theorem | claim | how far |", "|---|---|---|"]
        lines += [f"| `{row['name']}` | {_cell(row['claim'])} | {_reach(row)} |" for row in group] + [""]
    lines += ["## Assumed", "", "| what | why |", "|---|---|"]
    lines += [f"| {_cell(row['claim'])} | {_cell(row['reason'])} |" for row in assumed]
    lines += ["", "## Planted faults, and the theorem that refutes each", "",
              "Run them with `heapster prove --faults`.", "", "| module | fault | theorem |", "|---|---|---|"]
    lines += [f"| `{row['module']}.py` | {_cell(row['title'])} | `{row['caught_by']}` |" for row in kills]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
