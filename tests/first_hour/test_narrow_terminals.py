"""What a user reads on a terminal of 80 columns, and on half a screen: no line goes beyond its end."""

from pathlib import Path

import pytest

from tests.first_hour.folders import lab, undescribed_pool
from tests.first_hour.typing import shown

READ = ("--help", "fuzz --help", "trace generate --help", "explain crash", "doctor", "findings", "trace info e.trace",
        "diff e.trace --policy best_fit,first_fit", "score e.trace --targets libc", "view e.trace",
        "replay e.trace", "fuzz mm.c --seconds 0.2 --jobs 1", "fuzz pool.c")
COPIED = ("heapster: ", "again: ", "about it: ", "heapster ", *(
    f"{key} = " for key in ("sources", "headers", "init", "malloc", "free")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("narrow")
    lab(folder)
    undescribed_pool(folder)
    (folder / "e.trace").write_text("a = malloc(24)\nb = malloc(100)\nfree(a)\nc = calloc(3, 5)\n")
    return folder


@pytest.mark.parametrize("columns", [80, 40])
@pytest.mark.parametrize("words", READ)
def test_no_line_is_wider_than_the_terminal(words: str, columns: int, folder: Path) -> None:
    """But for what is there to be copied, and errors, which are a line."""
    lines = shown(f"heapster {words}", folder, columns)
    assert lines
    assert [line for line in lines if len(line) > columns and not line.strip().startswith(COPIED)] == []


def test_a_table_that_is_too_wide_comes_in_parts(folder: Path) -> None:
    """Each row whole, under its headings."""
    lines = shown("heapster diff e.trace --policy best_fit,first_fit", folder, 80)
    assert sum(line.startswith("  best_fit ") for line in lines) == 3
    heads = [line for line in lines if line.startswith("               ")]
    assert " ".join(heads).split()[-1] == "Mops/s"
    assert not [line for line in heads if "..." in line]
