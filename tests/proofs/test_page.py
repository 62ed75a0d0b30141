"""The page is made from the data."""

from pathlib import Path

from heapster.commands.prove import page

ROOT = Path(__file__).parents[2]


def test_the_page_is_up_to_date() -> None:
    written = (ROOT / "docs" / "proofs.md").read_text(encoding="utf-8")
    assert written == page(), "run: heapster prove --write docs/proofs.md"
