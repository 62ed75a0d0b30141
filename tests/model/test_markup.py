"""A heap as a notebook shows it: a bar for each region, to scale, with its blocks by name."""

import re
from xml.etree.ElementTree import fromstring

from heapster import Heap
from heapster.model.markup import markup
from heapster.model.sketch import heap
from tests.model.test_sketch import FIRST, with_runs


def test_blocks_stand_in_order_and_to_scale() -> None:
    root = fromstring(markup(heap("#64 .128 #64"), {}))  # noqa: S314  our own text
    cells = [cell.attrib for cell in root.iter("div") if "title" in cell.attrib]
    shares = [float(re.findall(r"flex:([\d.]+)", cell["style"])[0]) for cell in cells]
    said = [cell["title"].partition(": ")[2] for cell in cells]
    assert said == ["used, 64 bytes", "free, 128 bytes", "used, 64 bytes"]
    assert shares[0] == shares[2] == shares[1] / 2


def test_a_heap_draws_itself_in_a_notebook() -> None:
    with Heap() as one:
        one.malloc(100)
        said = one._repr_html_()
        assert "used, 112 bytes, a" in said
        assert "<pre" in said
        assert len(re.findall(r"<div>arena", said)) == 1
    assert one._repr_html_() == "<pre>&lt;Heap, closed&gt;</pre>"


def test_a_run_is_a_bar_of_slots() -> None:
    """Likes in a row are one cell; a name is that of a slot that is used."""
    root = fromstring(markup(with_runs(), {FIRST: "a", FIRST + 192: "old"}))  # noqa: S314  our own text
    region, run = [bar for bar in root.iter("div") if bar.get("role") == "img"]
    assert [cell.get("title") for cell in region] == ["+40: used, 64 bytes", "+104: cached, 48 bytes"]
    assert [cell.get("title") for cell in run] == [
        "+0: used, a slot of 64 bytes, a", "+64: back, 2 slots of 64 bytes", "+192: cached, a slot of 64 bytes",
        "+256: used, a slot of 64 bytes", "+320: cached, a slot of 64 bytes",
        "+384: never handed out, 1,018 slots of 64 bytes"]
    fills = [re.findall(r"background:(#\w+)", cell.get("style", ""))[0] for cell in run]
    assert len({fills[0], fills[1], fills[2], fills[5]}) == 4
