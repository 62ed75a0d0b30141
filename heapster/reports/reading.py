"""Runs as `--json` wrote them, read again; what cannot be read is one clear line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from heapster.files import Unreadable, read_json
from heapster.results import SCHEMA, UsageError, Verdict

READ = (1, SCHEMA)
KEYS: Mapping[str, type | tuple[type, ...]] = {
    "command": str, "target": str, "seed": int, "verdict": str, "seconds": (int, float), "ops": int, "findings": list,
    "checks": dict, "witnesses": dict,
}
FINDING = {"id": str, "code": str, "title": str, "trace": list, "replay": str}
LATER_OF_RUNS: Mapping[str, Any] = {"cpu_seconds": 0.0, "not_checked": []}
LATER: Mapping[str, Any] = {"severity": "error", "location": None, "cause": "",
                            "breaking": 0, "noticing": 0, "before": "", "after": "", "passes": "", "details": [],
                             "place": None}


def read_run(path: Path) -> dict[str, Any]:
    """The run in a file; UsageError names the file, and the line where it stops being JSON."""
    try:
        value = read_json(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    except Unreadable as error:
        raise UsageError(f"{path}{error}") from None
    if problem := _wrong(value):
        raise UsageError(f"{path} is no run of heapster: {problem}")
    value = {**LATER_OF_RUNS, **value, "schema": SCHEMA}
    value["findings"] = [{**LATER, **finding} for finding in value["findings"]]
    return value


def mapping(value: Any) -> Mapping[str, Any]:
    """A run's key, of those that some commands call a table of theirs, and others something else or not at all."""
    return value if isinstance(value, Mapping) else {}


def _wrong(value: Any) -> str:
    if not isinstance(value, dict):
        return "it is not an object"
    schema = value.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        return f"its schema is {schema}, and this heapster knows {SCHEMA}; install a newer one"
    if schema not in READ:
        return f"its schema is {schema}, not {SCHEMA}"
    for key, kind in KEYS.items():
        if not isinstance(value.get(key), kind):
            return f"it has no '{key}' of the right kind"
    if value["verdict"] not in [verdict.value for verdict in Verdict]:
        return f"its verdict is '{value['verdict']}'"
    return next(filter(None, map(_wrong_finding, value["findings"])), "")


def _wrong_finding(finding: Any) -> str:
    if not isinstance(finding, dict):
        return "a finding is not an object"
    return next((f"a finding has no '{key}'" for key, kind in FINDING.items()
                 if not isinstance(finding.get(key), kind)), "")
