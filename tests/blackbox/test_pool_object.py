"""A pool that is given as an object: its buffer's guards find what leaves it, and single steps name the line."""

import subprocess
from pathlib import Path

import pytest

from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.campaign import Campaign
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.model.trace import parse
from heapster.results import Finding

CORRECT = Path(__file__).parent / "correct"
TAKES = "    void *block = size <= POOL_BLOCK ? p->list : NULL;"
WAYS = {
    "four_bytes_beyond": "    if (size > 8) ((char *)p)[16384 + 3] = 1;",
    "far_beyond": "    if (size > 8) ((char *)p)[16384 + 60000] = 1;",
    "before_its_start": "    if (size > 8) ((volatile char *)p)[-5] = 1;",
}


def found(*flags: str) -> tuple[Finding | None, list[str]]:
    """What a block of 100 bytes shows of the pool here, and what is not checked."""
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", *flags, "pool.c", "-o", "libpool.so"], check=True)
    Path("pool.toml").write_text((CORRECT / "pool.toml").read_text().replace("65536", "16384").replace(
        'sources = ["pool.c"]', 'object = "libpool.so"'))
    target = resolve(ForeignOptions(grammar.parse("pool.toml")))
    with Judge(judge_program(target.bits), target) as judge:
        campaign = Campaign(judge, 1, 1, lines=True)
        campaign.judge_trace(parse("a = malloc(100)\nfree(a)"))
        assert campaign.explainer
        campaign.explainer.close()
        return campaign.shown[0].finding if campaign.shown else None, campaign.explainer.notes


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool, here."""
    monkeypatch.chdir(tmp_path)
    for name in ("pool.c", "pool.h"):
        Path(name).write_text((CORRECT / name).read_text())


@pytest.mark.parametrize("way", WAYS)
def test_what_leaves_the_buffer_is_found_with_its_line(way: str) -> None:
    text = Path("pool.c").read_text().replace(TAKES, f"{TAKES}\n{WAYS[way]}")
    Path("pool.c").write_text(text)
    finding, notes = found("-g")
    assert finding and finding.code == "touched_outside"
    assert finding.place and text.splitlines()[finding.place.line - 1] == WAYS[way]
    assert len(notes) == 1 and "pool.toml names an object, and no sources of it" in notes[0]


def test_without_debug_information_its_function_is_named() -> None:
    Path("pool.c").write_text(Path("pool.c").read_text().replace(TAKES, f"{TAKES}\n{WAYS['four_bytes_beyond']}"))
    finding, _ = found()
    assert finding and finding.place and finding.place.function.startswith("pool_take+0x")


def test_a_correct_one_shows_nothing() -> None:
    assert found("-g")[0] is None
