"""A run as SARIF 2.1.0, for code scanning: a rule for each code, a result for each finding."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from heapster import __version__
from heapster.files import write_whole
from heapster.results import Finding, Run

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def as_value(run: Run, about: Mapping[str, Mapping[str, str]], docs: str = "") -> dict[str, Any]:
    """The run as a SARIF log. `about` says of codes what each means, how it arises, what to look at, and its source.

    With the address of the published documentation each code has its page there as helpUri, which must be absolute.
    """
    codes = sorted({finding.code for finding in run.findings})
    rules = [_rule(code, about.get(code)) | (_address(code, docs) if docs and code in about else {}) for code in codes]
    driver = {"name": "heapster", "version": __version__, "rules": rules}
    return {
        "$schema": SCHEMA, "version": "2.1.0",
        "runs": [{
            "tool": {"driver": driver},
            "invocations": [{"executionSuccessful": not run.extra.get("interrupted", False),
                             "properties": _properties(run)}],
            "results": [_result(run, finding, codes.index(finding.code)) for finding in run.findings]}]}


def _properties(run: Run) -> dict[str, Any]:
    """What the run has done: how often each check was evaluated and each function called, and of what too little."""
    return {"seed": run.seed, "operations": run.ops, "verdict": run.verdict.value, "checks": dict(run.checks),
            **{key: run.extra[key] for key in ("calls", "starved", "not_checked") if key in run.extra}}


def write(run: Run, path: Path, about: Mapping[str, Mapping[str, str]], docs: str = "") -> None:
    """Write the run as SARIF."""
    write_whole(path, json.dumps(as_value(run, about, docs), indent=2) + "\n")


def place(run: Run, finding: Finding) -> tuple[str, int]:
    """The file and the line that a finding is about: the one it comes from, else the failing function's."""
    if finding.place and finding.place.line:
        return finding.place.file, finding.place.line
    lines = run.extra.get("lines") or {}
    step = finding.trace[min(finding.noticing, len(finding.trace) - 1)] if finding.trace else ""
    verb = (step.partition(" = ")[2] or step).partition("(")[0]
    return str(run.extra.get("source") or run.target), int(lines.get(verb, 1))


def message(finding: Finding) -> str:
    """The finding in a few lines of text."""
    return "\n".join([finding.title, *_guilty(finding), "", *(f"    {step}" for step in finding.trace[:40]), "",
                      *finding.details,
                      f"again: {finding.replay}"])


def _guilty(finding: Finding) -> list[str]:
    """What is wrong with the line that it comes from."""
    place = finding.place
    if not place:
        return []
    mended = [f"for example: {place.mended.strip()}"] if place.mended else []
    where = f"{place.function}, line {place.line}" if place.line else place.function
    return [f"{where}: {place.why}", *mended, *place.also]


def _rule(code: str, about: Mapping[str, str] | None) -> dict[str, Any]:
    """A code; a viewer shows its help beside each of its results."""
    told = {} if about is None else {"help": {"text": _help(about), "markdown": _help(about, "**")}}
    return {**told, "id": code, "name": "".join(word.title() for word in code.split("_")),
            "shortDescription": {"text": code.replace("_", " ")},
            "fullDescription": {"text": about["means"] if about else f"heapster explain {code} says what it means."},
            "defaultConfiguration": {"level": "error"}}


def _address(code: str, docs: str) -> dict[str, str]:
    page = f"{docs.rstrip('/')}/reference/codes.html#code-{code.replace('_', '-')}"
    return {"helpUri": page}


def _help(about: Mapping[str, str], mark: str = "") -> str:
    """What is said of a code; what each part is, between marks."""
    parts = [("How it arises", about["arises"]), ("What to look at", about["look_at"]), ("The rule", about["source"])]
    return "\n\n".join([about["means"], *(f"{mark}{what}:{mark} {text}" for what, text in parts if text)])


def _result(run: Run, finding: Finding, index: int) -> dict[str, Any]:
    file, line = place(run, finding)
    return {"ruleId": finding.code, "ruleIndex": index, "level": finding.severity,
            "message": {"text": message(finding)}, "partialFingerprints": {"heapster/v1": finding.id},
            "locations": [{"physicalLocation": {
                "artifactLocation": {"uri": _uri(Path(file))}, "region": {"startLine": line}}}]}


def _uri(path: Path) -> str:
    """The path as a URI reference (RFC 3986, 4.1): relative to the folder of the run, if it lies there."""
    if path.is_absolute() and not path.is_relative_to(Path.cwd()):
        return path.as_uri()
    return quote(os.fsencode(os.path.relpath(path)))
