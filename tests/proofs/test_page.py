"""The pages are made from the data."""

from pathlib import Path

from heapster.commands.prove import overview, page

ROOT = Path(__file__).parents[2]


def test_the_page_is_up_to_date() -> None:
    written = (ROOT / "docs" / "proofs.md").read_text(encoding="utf-8")
    assert written == page(), "run: heapster prove --write docs/proofs.md"


def test_the_readme_has_the_pages_first_table() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "\n".join(overview()) in readme, "copy the first table of docs/proofs.md"
