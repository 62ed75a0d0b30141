"""What is built is a function of the source: whoever builds it again gets the same bytes."""

import filecmp
from pathlib import Path

import pytest

from heapster.native.package import build

pytestmark = [pytest.mark.packages, pytest.mark.timeout(1800)]        # the whole library twice, from nothing


def test_two_builds_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each starts from nothing: another cache, another folder, other hash seeds."""
    once, again = tmp_path / "once", tmp_path / "again"
    for out in (once, again):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"cache of {out.name}"))
        build(out)
    files = [str(path.relative_to(once)) for path in once.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert filecmp.cmpfiles(once, again, files, shallow=False)[0] == files
