"""Pools that are classes of C++ are recognised, described by a draft, and judged by it, with the line of a fault."""

import shutil
from pathlib import Path

import pytest

from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.classes import pools_of
from heapster.checkers.blackbox.drafting import drafted
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import learn
from heapster.checkers.blackbox.protocol import LOADS, OBSERVED
from heapster.checkers.blackbox.stepwise import run_trace
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.checkers.blackbox.twin import instrumented_twin
from heapster.checkers.targets import grammar
from heapster.checkers.targets.opening import resolve
from heapster.model.trace import parse
from heapster.results import TargetError, UsageError

pytestmark = pytest.mark.skipif(shutil.which("c++") is None, reason="there is no compiler of C++")
POOL_HPP = """
#include <cstddef>
namespace mem {
/* class Old { public: void *allocate(int); void free(void *); }; */
class Pool {
    struct Block { std::size_t size; Block *next; };
    char *top_, *end_;
    Block *list_ = nullptr;
    void *secret_alloc(std::size_t n);
public:
    explicit Pool(void *memory, std::size_t size);
    ~Pool() { list_ = nullptr; }
    Pool(const Pool &) = delete;
    void *allocate(std::size_t size, int zone = 0);
    void deallocate(void *p) noexcept { if (p) { release(p); } }
private:
    void release(void *p);
};
}
"""
POOL_CPP = """
#include "pool.hpp"
#include <cstdint>
#include <new>
namespace mem {
Pool::Pool(void *memory, std::size_t size)
{
    top_ = (char *)(((std::uintptr_t)memory + 15) & ~(std::uintptr_t)15);
    end_ = (char *)memory + size;
}
void *Pool::allocate(std::size_t size, int)
{
    if (size > 1 << 20)
        return nullptr;
    size = (size + 16) & ~(std::size_t)15;
    for (Block **at = &list_; *at; at = &(*at)->next)
        if ((*at)->size >= size) {
            Block *b = *at;
            *at = b->next;
            return b + 1;
        }
    if (size + sizeof(Block) > (std::size_t)(end_ - top_))
        return nullptr;
    Block *b = new (top_) Block{size, nullptr};
    top_ += size + sizeof(Block);
    return b + 1;
}
void Pool::release(void *p)
{
    Block *b = (Block *)p - 1;
    b->next = list_;
    list_ = b;
}
}
"""
SLOTS_HPP = """
#include <cstddef>
template <std::size_t N, typename T = char>
struct Slots {
    Slots() { for (std::size_t n = 0; n < N; n++) next_[n] = n + 1; }
    void *take()
    {
        std::size_t n = head_;
        if (n == N)
            return nullptr;
        head_ = next_[n];
        return slots_ + 64 * n;
    }
    void give(void *p)
    {
        if (!p)
            return;
        std::size_t n = (static_cast<char *>(p) - slots_) / 64;
        next_[n] = head_, head_ = n;
    }
private:
    alignas(64) char slots_[64 * N];
    std::size_t next_[N], head_ = 0;
};
"""
CALLS = parse("a = malloc(24); b = malloc(40); free(a); c = malloc(16); free(b); free(c); d = malloc(50); "
              "e = malloc(50)")


def described(header: Path, *corrections: tuple[str, str]) -> ForeignTarget:
    """What the draft of a header makes of it, once it is corrected."""
    text = drafted(header)
    for old, new in corrections:
        assert old in text
        text = text.replace(old, new)
    header.with_suffix(".toml").write_text(text)
    return resolve(ForeignOptions(grammar.parse(str(header.with_suffix(".toml")))))


def verdict(target: ForeignTarget) -> str:
    """What becomes of a few calls, each access held to the map."""
    with Judge(judge_program(target.bits), target) as judge:
        promises = learn(judge, None).promises
        if target.is_watched:
            judge.header.observed = OBSERVED | LOADS
        return run_trace(judge, CALLS, promises).code


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """The header of a pool that is given a region."""
    (tmp_path / "pool.cpp").write_text(POOL_CPP)
    (tmp_path / "pool.hpp").write_text(POOL_HPP)
    return tmp_path / "pool.hpp"


def test_the_draft_of_a_class_is_judged_as_it_is(pool: Path) -> None:
    target = described(pool)
    assert (target.region, target.source) == (65536, pool.with_suffix(".cpp"))
    assert verdict(target) == verdict(instrumented_twin(target)) == ""
    pool.with_suffix(".cpp").write_text(POOL_CPP.replace("top_ += size + sizeof(Block)", "top_ += size"))
    assert verdict(described(pool)) in ("contents_damaged", "overlap")


def test_a_template_with_memory_of_its_own_is_not_held_to_a_region(tmp_path: Path) -> None:
    """Its memory comes from C++'s operator new, which the map knows as well."""
    (tmp_path / "slots.hpp").write_text(SLOTS_HPP)
    target = described(tmp_path / "slots.hpp", ("BLOCK_SIZE", "64"))
    assert (target.region, target.source) == (0, tmp_path / "slots.hpp")
    assert verdict(target) == verdict(instrumented_twin(target)) == ""
    (tmp_path / "slots.hpp").write_text(SLOTS_HPP.replace("slots_ + 64 * n", "slots_ + 32 * n"))
    assert verdict(described(tmp_path / "slots.hpp", ("BLOCK_SIZE", "64"))) == "contents_damaged"


def test_only_what_is_public_and_no_comment_counts(pool: Path) -> None:
    (found,) = pools_of(pool)
    assert found.name == "mem::Pool"
    assert [len(found.methods[name]) for name in ("Pool", "allocate", "deallocate")] == [2, 1, 1]
    assert not {"secret_alloc", "release"} & found.methods.keys()
    assert list(found.lines())[2:] == ['malloc = "instance->allocate(size)"',
                                       'free = "instance->deallocate(pointer)"']


def test_a_class_that_is_started_is(tmp_path: Path) -> None:
    (tmp_path / "a.hpp").write_text("struct A { int init(void *memory, long size); void *alloc(long n); "
                                    "void free(void *p); };")
    assert 'init = "(instance = new A(), instance->init(region, region_size), instance)"' in drafted(tmp_path / "a.hpp")


def test_a_source_of_such_a_pool_says_how_it_is_described(pool: Path) -> None:
    with pytest.raises(TargetError) as refused:
        resolve(ForeignOptions(grammar.parse(str(pool.with_suffix(".cpp")))))
    said, *draft = str(refused.value).splitlines()
    assert "pool.cpp defines a pool that is a class. Describe it: correct this, save it as " in said
    assert [line.strip() for line in draft] == drafted(pool).splitlines()[2:]


def test_a_description_that_declares_nothing_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("void *get(unsigned long size) { return 0; }\n")
    (tmp_path / "a.toml").write_text('sources = ["a.c"]\nmalloc = "get(size)"\nfree = "(void)pointer"\n')
    with pytest.raises(UsageError, match=r'what the functions take and answer: .* headers = \["pool.h"\], or declare'):
        resolve(ForeignOptions(grammar.parse(str(tmp_path / "a.toml"))))
