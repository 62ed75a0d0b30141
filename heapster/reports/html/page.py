"""Runs and the heaps that they went through, as one page. jinja2 is loaded here and nowhere else."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from heapster.files import write_whole
from heapster.reports.flame import called, flames
from heapster.reports.html.folding import folded
from heapster.reports.misuse import misused
from heapster.reports.ratios import ratios
from heapster.reports.reading import mapping
from heapster.reports.tables import checked, figures, summary
from heapster.reports.timeline import Journey, packed

NOTHING: Mapping[str, Mapping[str, str]] = MappingProxyType({})
SCRIPTS = ("heap.js", "map.js", "travel.js", "flame.js", "zoom.js")


def page(runs: Sequence[Mapping[str, Any]], journeys: Sequence[Journey], title: str = "Heapster",
         about: Mapping[str, Mapping[str, str]] = NOTHING) -> str:
    """The page. `runs` are as JSON has them; a journey named after a finding's id is where that one leads.

    `about` says of findings' codes what each means, how it arises, what to look at, and the source of its rule.
    """
    environment = Environment(loader=PackageLoader("heapster.reports", "html"), autoescape=True, trim_blocks=True,
                              lstrip_blocks=True)
    names = {journey.name for journey in journeys}
    return environment.get_template("page.html").render(
        title=title, about=about, folded=folded,
        style=Markup(_text("style.css")), script=Markup("\n".join(map(_text, SCRIPTS))),    # noqa: S704  our own
        summary=summary(runs) if runs else None, findings=list(_findings(runs, names)),
        figures=[*figures(runs), *ratios(runs), *misused(runs)],
        heaps=[{"name": journey.name, "packed": packed(journey)} for journey in journeys],
        plots=list(_plots(runs)), sites=list(called(runs)), flames=list(flames(runs)),
        runs=[{"title": f"{run['command']} {run['target']}", "verdict": run["verdict"], "tables": list(checked(run)),
               "not_checked": run.get("not_checked", [])} for run in runs])


def write(path: Path, runs: Sequence[Mapping[str, Any]], journeys: Sequence[Journey], title: str = "Heapster",
          about: Mapping[str, Mapping[str, str]] = NOTHING) -> None:
    """Write the page to a file, whole or not at all. Raises OSError."""
    write_whole(path, page(runs, journeys, title, about))


def _plots(runs: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The plots of all runs; what draws them is loaded only if one has figures: that takes a second."""
    if any(mapping(run.get(key)) for run in runs for key in ("series", "searches", "sizes", "table", "workloads")):
        from heapster.reports.plots import plots  # noqa: PLC0415

        for one in (one for run in runs for one in plots(run)):
            yield {"title": one.title, "caption": one.caption, "steps": one.steps, "svg": Markup(one.svg)}  # noqa: S704  matplotlib escapes


def _findings(runs: Sequence[Mapping[str, Any]], names: set[str]) -> Iterable[dict[str, Any]]:
    """Each, with the heap that it leads to, and, where there are several runs, its own."""
    for number, run in enumerate(runs, 1):
        title = f"{run['command']} {run['target']}" if len(runs) > 1 else ""
        for finding in run["findings"]:
            yield {**finding, "heap": finding["id"] if finding["id"] in names else "", "run": title, "number": number}


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
