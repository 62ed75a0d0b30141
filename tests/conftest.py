"""What every test finds: no settings of whoever runs it, and a folder of its own."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from heapster.checkers.mutation.fault import StaleFault


def pytest_addoption(parser: pytest.Parser) -> None:
    """--changed, for `heapster mutate --random`."""
    parser.addoption("--changed", action="store_true",
                     help="the source was changed on purpose: a planted fault that no longer fits it says nothing")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Skip what stands on a line that was changed on purpose."""
    try:
        return (yield)
    except StaleFault as stale:
        if item.config.getoption("--changed"):
            pytest.skip(str(stale))
        raise


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment variables of the developer do not reach the tests."""
    for name in [name for name in os.environ if name.startswith("HEAPSTER_")] + ["NO_COLOR", "FORCE_COLOR"]:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and the test runs in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
