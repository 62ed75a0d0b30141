"""Allocators that take an instance are recognised, and asked to be described; nobody calls them as malloc."""

import subprocess
from pathlib import Path

import pytest

from heapster.checkers.blackbox.description import read_description
from heapster.checkers.blackbox.drafting import drafted
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.signatures import Parameter, disagrees, prototypes
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.results import TargetError

POOL = (Path(__file__).parent / "correct" / "pool.c").read_text()
HEADER = (Path(__file__).parent / "correct" / "pool.h").read_text()
PLAIN = """
#include <stddef.h>
static char room[4096];
void *pool_malloc(size_t size) { return size < sizeof room ? room : NULL; }
void pool_free(void *p) { (void)p; }
"""


def built(folder: Path, *flags: str, take: str = "pool_malloc", give: str = "pool_free", header: bool = False) -> Path:
    """A shared object of the pool, in a folder of its own; with its header beside it, or not."""
    source, made = folder / "source", folder / "made"
    for place in (source, made):
        place.mkdir()
    named = [text.replace("pool_take", take).replace("pool_give", give) for text in (POOL, HEADER)]
    (source / "pool.c").write_text(named[0])
    (source / "pool.h").write_text(named[1])
    if header:
        (made / "pool.h").write_text(named[1])
    command = ["cc", "-shared", "-fPIC", *flags, str(source / "pool.c"), "-o", str(made / "libpool.so")]
    subprocess.run(command, check=True)
    return made / "libpool.so"


def refusal(path: Path, prefix: str | None = None) -> str:
    """What is said of a target that cannot be used as it is."""
    with pytest.raises(TargetError) as raised:
        resolve(ForeignOptions(grammar.parse(str(path)), prefix=prefix))
    return str(raised.value)


@pytest.mark.parametrize(("flags", "header"), [(("-g",), False), (("-g", "-gdwarf-4"), False), ((), True)],
                         ids=["debug information", "older debug information", "header"])
def test_what_takes_an_instance_is_recognised(tmp_path: Path, flags: tuple[str, ...], header: bool) -> None:
    said = refusal(built(tmp_path, *flags, header=header))
    assert "pool_malloc(pool *, size_t) is not called as malloc is" in said
    assert 'instance = "pool *"\n' in said
    assert "\n" not in said.partition("\n  ")[0]


def test_an_option_that_names_it_does_not_make_it_callable(tmp_path: Path) -> None:
    assert "is not called as malloc is" in refusal(built(tmp_path, "-g"), prefix="pool_")


def test_a_name_alone_is_asked_about(tmp_path: Path) -> None:
    path = built(tmp_path)
    assert "nothing says whether pool_malloc takes an instance" in refusal(path)
    assert resolve(ForeignOptions(grammar.parse(str(path)), prefix="pool_")).symbols["malloc"] == "pool_malloc"


def test_what_takes_none_is_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "plain.c").write_text(PLAIN)
    assert resolve(ForeignOptions(grammar.parse(str(tmp_path / "plain.c")))).symbols["malloc"] == "pool_malloc"


def test_the_draft_is_a_description_that_works(tmp_path: Path) -> None:
    path = built(tmp_path, "-g", take="pool_alloc", give="pool_release", header=True)
    said = refusal(path)
    (path.parent / "libpool.toml").write_text(said.partition("\n")[2])
    told = read_description(path.parent / "libpool.toml")
    assert told["malloc"] == "pool_alloc(instance, size)"
    assert told["free"] == "pool_release(instance, pointer)"
    assert resolve(ForeignOptions(grammar.parse(str(path.parent / "libpool.toml")))).shape == "described"


def test_without_readelf_the_header_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = built(tmp_path, "-g", header=True)
    monkeypatch.setenv("PATH", "")
    assert prototypes(path, path.parent, ["pool_malloc"]) == {
        "pool_malloc": (Parameter("pool *", "p", "p"), Parameter("size_t", "i", "size"))}


@pytest.mark.parametrize(("verb", "kinds", "wrong"), [
    ("malloc", "i", False), ("malloc", "pi", True), ("malloc", "ii", True), ("free", "p", False), ("free", "pp", True),
    ("realloc", "pi", False), ("realloc", "ppi", True), ("valloc", "pi", True), ("init", "pi", False)])
def test_how_verbs_are_called(verb: str, kinds: str, wrong: bool) -> None:
    assert disagrees(verb, tuple(Parameter("", kind) for kind in kinds)) == wrong
    assert not disagrees(verb, None)


def test_an_instance_that_is_a_constant_parameter_is_assigned_to(tmp_path: Path) -> None:
    (tmp_path / "pool.c").write_text(POOL)
    (tmp_path / "pool.h").write_text(HEADER)
    text = (Path(__file__).parent / "correct" / "pool.toml").read_text()
    (tmp_path / "pool.toml").write_text(text.replace('"pool *"', '"pool* const"'))
    assert read_description(tmp_path / "pool.toml")["instance"] == "pool*"


@pytest.mark.parametrize(("sizes", "told"), [
    ("size_t bytes, size_t block", "region_size, 64"), ("size_t, size_t", "region_size, 64"),
    ("size_t a, size_t b", "region_size, 64"), ("size_t blk_sz, size_t total", "64, region_size"),
    ("size_t elem, size_t count", "64, region_size / 128"), ("size_t bytes", "region_size")])
def test_one_number_of_a_pools_start_is_the_size_of_its_region(sizes: str, told: str, tmp_path: Path) -> None:
    """Blocks as large as the region are one block: nothing would be judged."""
    header = tmp_path / "p.h"
    header.write_text("#include <stddef.h>\ntypedef struct { void *at; } p_t;\nvoid *p_alloc(p_t *p);\n"
                      f"int p_init(p_t *p, void *buf, {sizes});\nvoid p_free(p_t *p, void *block);\n")
    (tmp_path / "p.c").write_text('#include "p.h"\n')
    assert f'init = "p_init(&instance, region, {told})"' in drafted(header)
