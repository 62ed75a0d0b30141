"""A run as JSON, as `run.schema.json` describes it. Other programs read this: its keys are an interface."""

import json
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from heapster.files import write_whole
from heapster.results import SCHEMA, Finding, Run


def as_value(run: Run) -> dict[str, Any]:
    """The run as JSON has it; the keys that its command adds come last."""
    value = {
        "schema": SCHEMA,
        "command": run.command,
        "target": run.target,
        "seed": run.seed,
        "verdict": run.verdict.value,
        "seconds": round(run.seconds, 3),
        "cpu_seconds": round(run.cpu_seconds, 3),
        "ops": run.ops,
        "findings": [_finding(finding) for finding in run.findings],
        "checks": dict(run.checks),
        "witnesses": dict(run.witnesses),
    }
    taken = value.keys() & run.extra.keys()
    if taken:
        raise ValueError(f"{run.command} adds keys that every run has: {', '.join(sorted(taken))}")
    return value | {"not_checked": []} | dict(run.extra)


def _finding(finding: Finding) -> dict[str, Any]:
    return asdict(finding) | {"location": finding.location, "cause": finding.cause}


def as_text(run: Run) -> str:
    """The run as JSON text; ValueError for numbers that JSON does not have."""
    return json.dumps(as_value(run), indent=2, allow_nan=False) + "\n"


def write(run: Run, path: Path) -> None:
    """Write the run to a file, whole or not at all. Raises OSError."""
    write_whole(path, as_text(run))


def schema() -> dict[str, Any]:
    """The JSON Schema that every written run keeps."""
    value: dict[str, Any] = json.loads(files(__package__).joinpath("run.schema.json").read_text(encoding="utf-8"))
    return value
