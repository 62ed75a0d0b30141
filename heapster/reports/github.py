"""Where GitHub runs us: an annotation for each finding, and a summary of the step."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from heapster.reports.output import say_whole
from heapster.reports.sarif import message, place
from heapster.results import Run, Verdict
from heapster.wording import counted, legible

ESCAPES = {"%": "%25", "\r": "%0D", "\n": "%0A"}
MORE_ESCAPES = {**ESCAPES, ":": "%3A", ",": "%2C"}


def annotations(run: Run) -> list[str]:
    """Workflow commands, a line each."""
    lines = []
    for finding in run.findings:
        file, line = place(run, finding)
        title = _escaped(f"heapster: {finding.code}", MORE_ESCAPES)
        lines.append(f"::{finding.severity} file={_escaped(file, MORE_ESCAPES)},line={line},title={title}::"
                     f"{_escaped(message(finding), ESCAPES)}")
    return lines


def summary(run: Run) -> str:
    """The step's summary in Markdown."""
    mark = {Verdict.PASSED: "✅", Verdict.FAILED: "❌", Verdict.INCONCLUSIVE: "❔"}[run.verdict]
    lines = [f"### {mark} heapster {run.command} `{legible(run.target)}`: {run.verdict.value}", "",
             f"{counted(run.ops, 'operation')} in {run.seconds:.0f} s, seed {run.seed}.", ""]
    for finding in run.findings:
        steps = "\n".join(finding.trace[:40])
        lines += [f"<details><summary><b>{finding.code}</b> ({finding.id})</summary>", "", "```", finding.title,
                  *filter(None, [finding.cause]), "", steps, "```", "", *finding.details, "", "</details>", ""]
    return "\n".join(lines) + "\n"


def publish(run: Run, environment: Mapping[str, str] = os.environ) -> None:
    """Say it to GitHub, if that is where we run."""
    if environment.get("GITHUB_ACTIONS") != "true":
        return
    for line in annotations(run):
        say_whole(f"{line}\n")
    if path := environment.get("GITHUB_STEP_SUMMARY"):
        with suppress(OSError), Path(path).open("a", encoding="utf-8") as file:
            file.write(summary(run))


def _escaped(text: str, escapes: Mapping[str, str]) -> str:
    return "".join(escapes.get(letter, letter) for letter in text)
