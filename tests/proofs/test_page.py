"""The page of the docs is made from the data."""

from pathlib import Path

from heapster.commands.prove import page

PAGE = Path(__file__).parents[2] / "docs" / "proofs.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: heapster prove --write docs/proofs.md"
