"""Every picture, sketch and output of the tour is what running the project gives."""

import re
from pathlib import Path

import pytest

from tests.tour import TOUR, others, pages, prompts, told

MOST_LINES = 130                # of a page


def test_the_tour_has_ten_pages() -> None:
    assert [page.name[:2] for page in pages()] == [f"{n:02}" for n in range(1, 11)]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_a_page_says_what_is_true(page: Path, empty_folder: Path) -> None:
    """To renew: python -m tests.tour."""
    text = page.read_text()
    assert prompts(text) >= 2
    assert told(text) == text


@pytest.mark.parametrize("page", others(), ids=lambda page: page.stem)
def test_another_page_says_what_is_true(page: Path, empty_folder: Path) -> None:
    assert told(page.read_text()) == page.read_text()


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_a_page_is_short_and_its_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    assert len(text.splitlines()) <= MOST_LINES
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (TOUR / link).exists(), link


def test_a_page_that_says_something_else_is_noticed() -> None:
    page = "```python\n>>> 1 + 1\n3\n```\n```console\n$ heapster --version\nnothing\n```\n"
    assert "\n2\n" in told(page)
    assert "nothing" not in told(page)
