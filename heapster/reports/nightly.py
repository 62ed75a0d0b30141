"""The page of a campaign: what it has found, covered, done and proved over time. One file, which needs no other."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT, MARGIN = 640, 140, 8
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #222 }
.wide { overflow-x: auto; margin: 0.5rem 0 1.5rem } time { white-space: nowrap }
table { border-collapse: collapse }
td, th { padding: 0.2rem 0.8rem 0.2rem 0; text-align: left; vertical-align: top }
th { border-bottom: 1px solid #999; font-weight: 600 } td.n, th.n { text-align: right }
code { font: 13px ui-monospace, monospace } .bad { color: #a11 } .good { color: #161 }
svg { background: #f6f6f6; width: 100%; height: auto } polyline { fill: none; stroke: #246; stroke-width: 2 }
@media (prefers-color-scheme: dark) { body { background: #181818; color: #ddd } svg { background: #222 }
  polyline { stroke: #9bd } .bad { color: #f88 } .good { color: #8d8 } }
"""


def page(name: str, entries: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]],
         standing: Mapping[str, Mapping[str, Any]], summary: str) -> str:
    """The whole page; entries and events as the campaign's folder has them, in their order."""
    return "\n".join([
        "<!doctype html>", '<html lang="en">', f"<head><meta charset='utf-8'><title>Campaign {escape(name)}</title>",
        "<meta name='viewport' content='width=device-width'>", f"<style>{STYLE}</style></head>", "<body>",
        f"<h1>Campaign {escape(name)}</h1>", f"<p>{escape(summary)}</p>",
        *_findings(standing), *_curves(entries, events), *_tasks(entries),
        *_exhausted(entries), *_history(events), "</body></html>", ""])


def _findings(standing: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    yield "<h2>Findings that are there</h2>"
    if not standing:
        yield "<p class='good'>none</p>"
        return
    yield from _table(("id", "code", "what", "since", "at revision", "seen by"), (
        (f"<code>{escape(identity)}</code>", escape(event["code"]), escape(event["title"]), _when(event),
         escape(event["revision"]), f"<code>{escape(event['task'])}</code>") for identity, event in standing.items()))


def _curves(entries: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Each over the seconds that the campaign has run."""
    at, seconds = [], 0.0
    for entry in entries:
        seconds += entry["seconds"]
        at.append(seconds)
    there, open_findings, left = 0, [], list(events)
    for entry in entries:
        while left and left[0]["at"] <= entry["at"]:
            there += -1 if left.pop(0)["what"] == "gone" else 1
        open_findings.append(there)
    covered: dict[str, int] = {}
    proved: dict[str, int] = {}
    coverage, theorems, ops, total = [], [], [], 0
    for entry in entries:
        covered[entry["task"]] = max(covered.get(entry["task"], 0), entry["covered"])
        proved[entry["task"]] = entry["proved"]         # fewer, once the source is another
        total += entry["ops"]
        coverage.append(sum(covered.values()))
        theorems.append(sum(proved.values()))
        ops.append(total)
    yield from _curve("Findings that are there, over time", at, open_findings)
    yield from _curve("Coverage over time: edges, programs, events, checks, theorems that were new", at, coverage)
    yield from _curve("Operations", at, ops)
    if any(theorems):
        yield from _curve("Theorems proved", at, theorems)


def _curve(title: str, at: Sequence[float], values: Sequence[int]) -> Iterator[str]:
    yield f"<h2>{escape(title)}</h2>"
    if not values:
        yield "<p>nothing has run yet</p>"
        return
    wide, high = at[-1] or 1.0, max(values) or 1
    points = [(0.0, 0), *zip(at, values, strict=True)]
    shown = " ".join(f"{MARGIN + x / wide * (WIDTH - 2 * MARGIN):.1f},"
                     f"{HEIGHT - MARGIN - y / high * (HEIGHT - 2 * MARGIN):.1f}" for x, y in points)
    yield (f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{escape(title)}: {values[-1]:,} after "
           f"{at[-1]:,.0f} seconds'><polyline points='{shown}'/></svg>")
    yield f"<p>{values[-1]:,} after {at[-1]:,.0f} s</p>"


def _tasks(entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "<h2>Tasks</h2>"
    rows = []
    for name in dict.fromkeys(entry["task"] for entry in entries):
        own = [entry for entry in entries if entry["task"] == name]
        last = own[-1]
        proofs = "" if last["open_"] is None else f"{last['proved']:,}, {last['open_']:,} open"
        state = last["said"] if last["verdict"] == "unusable" else last["verdict"]
        style = "bad" if last["verdict"] in ("failed", "unusable") else "good" if last["verdict"] == "passed" else ""
        rows.append((f"<code>{escape(name)}</code>", f"{len(own):,}", f"{sum(e['seconds'] for e in own):,.0f}",
                     f"{sum(e['ops'] for e in own):,}", f"{sum(e['new'] for e in own):,}", f"{last['covered']:,}",
                     proofs, f"<span class='{style}'>{escape(state)}</span>"))
    yield from _table(("task", "pieces", "seconds", "operations", "findings", "covered", "theorems", "last"), rows)


def _exhausted(entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    last = {entry["task"]: entry for entry in entries if entry["exhausted"]}
    if last:
        yield "<h2>What is exhausted</h2>"
        yield from _table(("task", "covered", "all of its scope"), (
            (f"<code>{escape(task)}</code>", escape(entry["exhausted"]), "yes" if entry["complete"] else "not yet")
            for task, entry in last.items()))


def _history(events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "<h2>Findings that came and went</h2>"
    yield from _table(("when", "what", "id", "code", "at revision"), (
        (_when(event), escape(event["what"]), f"<code>{escape(event['id'])}</code>", escape(event["code"]),
         escape(event["revision"])) for event in reversed(events)))


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"<div class='wide' tabindex='0' role='region' aria-label='{escape(', '.join(heads))}'><table>"
    yield "<tr>" + "".join(f"<th>{escape(head)}</th>" for head in heads) + "</tr>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
    yield "</table></div>"


def _when(event: Mapping[str, Any]) -> str:
    return f"<time datetime='{escape(event['at'])}'>{escape(event['at'].replace('T', ' '))}</time>"
