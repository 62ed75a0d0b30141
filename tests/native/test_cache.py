"""Artefacts are kept whole or made again."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from heapster.cli import main
from heapster.native import cache
from heapster.results import TargetError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


def writes(text: str) -> Callable[[Path], None]:
    """Makes an entry with one file."""
    def make(out: Path) -> None:
        (out / "file").write_text(text)

    return make


def test_an_entry_is_made_once() -> None:
    made: list[Path] = []

    def make(out: Path) -> None:
        made.append(out)
        (out / "file").write_text("contents")

    assert (cache.entry("name", make) / "file").read_text() == "contents"
    assert cache.entry("name", make) == cache.directory() / "name"
    assert len(made) == 1


@pytest.mark.parametrize("damage", ["contents", "checksums", "missing"])
def test_a_damaged_entry_is_made_again(damage: str) -> None:
    entry = cache.entry("name", writes("good"))
    if damage == "contents":
        (entry / "file").write_text("bad!")
    elif damage == "checksums":
        (entry / cache.CHECKSUMS).write_text("{")
    else:
        (entry / "file").unlink()
    again = cache.entry("name", writes("new"))
    assert (again / "file").read_text() == "new"
    assert [path.name for path in cache.directory().iterdir() if path.is_dir()] == ["name"]


def test_many_may_ask_at_once() -> None:
    made: list[Path] = []

    def make(out: Path) -> None:
        made.append(out)
        (out / "file").write_text("x" * 100_000)

    with ThreadPoolExecutor(8) as pool:
        entries = set(pool.map(lambda _: cache.entry("name", make), range(16)))
    assert len(made) == len(entries) == 1


def test_a_failed_making_leaves_nothing() -> None:
    def fail(out: Path) -> None:
        (out / "half").write_text("")
        raise TargetError("cannot")

    with pytest.raises(TargetError, match="cannot"):
        cache.entry("name", fail)
    assert not any(path.is_dir() for path in cache.directory().iterdir())


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(TargetError, match=r"cannot use the cache .*XDG_CACHE_HOME"):
        cache.entry("name", lambda out: None)


@pytest.mark.parametrize("words", [["fuzz", "mm.c"], ["exhaust", "mm.c"], ["run", "--", "true"], ["races", "mm.c"],
                                   ["harness", "mm.c", "--for", "libfuzzer", "-o", "h"], ["stress", "native"],
                                   ["record", "-o", "t.bin", "--", "true"]], ids=lambda words: words[0])
def test_each_command_tells_a_cache_that_cannot_be_written_in_the_same_words(
        words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mm.c").write_text("#include <stddef.h>\nvoid *malloc(size_t n) { return NULL; }\nvoid free(void *p) { }\n")
    Path("file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert main(words) == 4
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"heapster: cannot use the cache {tmp_path}/file/heapster")
    assert line.endswith(": Not a directory (XDG_CACHE_HOME chooses another)")


def test_digests_tell_parts_apart() -> None:
    assert cache.digest("ab", "c") != cache.digest("a", "bc")
