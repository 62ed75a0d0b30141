"""`pytest --heapster ./libmymalloc.so`: an item for each family of calls. See `heapster.pytest`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Our options."""
    group = parser.getgroup("heapster", "judging allocators")
    group.addoption("--heapster", action="append", default=[], metavar="TARGET",
                    help="judge this allocator: a shared object, a C source or a description")
    group.addoption("--heapster-seconds", type=float, default=4.0, metavar="S", help="for each family of calls")
    group.addoption("--heapster-seed", type=int, default=0, metavar="N", help="where chance starts")


def pytest_collection(session: pytest.Session) -> None:
    """Collect our items although no file names them."""
    for target in session.config.getoption("--heapster"):
        file = Path(target).resolve()
        if str(file) not in session.config.args:
            session.config.args.append(str(file))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """The targets that were named."""
    named = {Path(target).resolve(): target for target in parent.config.getoption("--heapster")}
    if file_path.resolve() in named:
        return Allocator.from_parent(parent, path=file_path)
    return None


class Allocator(pytest.File):
    """An allocator to be judged."""

    def collect(self) -> Iterator[pytest.Item]:
        """An item for each family."""
        from heapster.pytest import FAMILIES  # noqa: PLC0415  a run without --heapster loads nothing of ours

        for family in FAMILIES:
            yield Family.from_parent(self, name=family)


class Family(pytest.Item):
    """The calls of one family."""

    def runtest(self) -> None:
        """Fail with what is found."""
        from heapster.pytest import failures, judged  # noqa: PLC0415

        options = self.config.option
        findings = judged(str(self.path), self.name, options.heapster_seconds, options.heapster_seed)
        if findings:
            pytest.fail(failures(findings), pytrace=False)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """The findings, without a traceback of ours."""
        del style
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where it is."""
        return self.path, None, f"heapster {self.path.name} {self.name}"
