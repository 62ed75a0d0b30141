"""RC11 by its axioms (Lahav and others, PLDI 2017, section 3): every execution of a litmus test, held against each.

Written from the paper's definitions, and of the model under test it takes nothing. Release sequences are C++20's.
"""

from collections.abc import Iterator
from itertools import permutations, product
from typing import NamedTuple

from heapster.checkers.races.litmus import Lanes, LitmusStep, Outcome
from heapster.machine.orders import ACQUIRE, RELEASE, SEQ_CST

Pairs = frozenset[tuple[int, int]]


class Node(NamedTuple):
    """An event of an execution: of a thread, or the first write of a place (thread -1)."""

    number: int
    thread: int
    step: LitmusStep
    reads: int | None = None
    writes: int | None = None


def outcomes(lanes: Lanes, names: str) -> set[Outcome]:
    """What the consistent executions let one observe."""
    return {_observed(nodes, mo, names) for nodes, rf in _executions(lanes) for mo in _orders(nodes)
            if _is_consistent(nodes, rf, mo)}


def _executions(lanes: Lanes) -> Iterator[tuple[list[Node], Pairs]]:
    """Events with the writes that each read answers."""
    steps = [(-1, LitmusStep("store", 0, place)) for place in sorted({s.place for lane in lanes for s in lane
                                                                      if s.place})]
    steps += [(thread, step) for thread, lane in enumerate(lanes) for step in lane]
    readers = [i for i, (_, step) in enumerate(steps) if step.kind in ("load", "exchange", "cas")]
    sources = [[i for i, (_, s) in enumerate(steps) if s.kind in ("store", "exchange", "cas")
                and s.place == steps[reader][1].place and i != reader] for reader in readers]
    for chosen in product(*sources):
        source = dict(zip(readers, chosen, strict=True))
        nodes = [_node(i, thread, step, source, steps) for i, (thread, step) in enumerate(steps)]
        rf = frozenset((write, reader) for reader, write in source.items())
        if all(nodes[write].writes is not None for write, _ in rf):
            yield nodes, rf


def _node(i: int, thread: int, step: LitmusStep, source: dict[int, int], steps: list[tuple[int, LitmusStep]]) -> Node:
    read = steps[source[i]][1].value if i in source else None
    is_write = step.kind in ("store", "exchange") or step.kind == "cas" and read == step.expected
    return Node(i, thread, step, read, step.value if is_write else None)


def _orders(nodes: list[Node]) -> Iterator[Pairs]:
    """Every modification order: the first write of a place comes first."""
    places = sorted({node.step.place for node in nodes if node.step.place})
    for lists in product(*(permutations([n.number for n in nodes if n.step.place == place and n.writes is not None
                                         and n.thread >= 0]) for place in places)):
        whole = [(next(n.number for n in nodes if n.thread < 0 and n.step.place == place), *rest)
                 for place, rest in zip(places, lists, strict=True)]
        yield frozenset((a, b) for each in whole for i, a in enumerate(each) for b in each[i + 1:])


def _seq(*relations: Pairs) -> Pairs:
    first, *rest = relations
    for relation in rest:
        first = frozenset((a, d) for a, b in first for c, d in relation if b == c)
    return first


def _closed(relation: Pairs) -> Pairs:
    while not _seq(relation, relation) <= relation:
        relation |= _seq(relation, relation)
    return relation


def _is_acyclic(relation: Pairs) -> bool:
    return all(a != b for a, b in _closed(relation))


def _is_consistent(nodes: list[Node], rf: Pairs, mo: Pairs) -> bool:
    every = {n.number: n for n in nodes}

    def those(holds: object) -> Pairs:
        return frozenset((n.number, n.number) for n in nodes if holds(n))       # type: ignore[operator]

    same = those(lambda n: True)
    sb = frozenset((a.number, b.number) for a in nodes for b in nodes
                   if a.number < b.number and (a.thread == b.thread >= 0 or a.thread < 0 <= b.thread))
    fr = frozenset((r, w) for write, r in rf for before, w in mo if before == write and w != r)
    rmw = those(lambda n: n.reads is not None and n.writes is not None)
    fences, writes = those(lambda n: n.step.kind == "fence"), those(lambda n: n.writes is not None)
    releases = those(lambda n: _order(n) & RELEASE)
    acquires = those(lambda n: _order(n) & ACQUIRE)
    chain = same | _closed(_seq(rf, rmw))
    head = _seq(releases, same | _seq(fences, sb), writes)
    tail = _seq(same | _seq(sb, fences), acquires)
    hb = _closed(sb | _seq(head, chain, rf, tail))
    eco = _closed(rf | mo | fr)
    if any(a == b for a, b in hb | eco | _seq(hb, eco)) or not _is_acyclic(sb | rf):
        return False
    if any((r, w) in mo and every[w].reads is not None and (a, w) in rf for a, r in mo for w in every):
        return False                                    # something between a read-modify-write and what it reads
    return _is_acyclic(_psc(nodes, sb, hb, mo, fr, eco))


def _order(node: Node) -> int:
    """A swap that fails is a load."""
    return node.step.order & ~RELEASE if node.step.kind == "cas" and node.writes is None else node.step.order


def _psc(nodes: list[Node], sb: Pairs, hb: Pairs, mo: Pairs, fr: Pairs, eco: Pairs) -> Pairs:
    place = {n.number: n.step.place for n in nodes}
    same = frozenset((n, n) for n in place)
    apart = frozenset((a, b) for a, b in sb if not place[a] or place[a] != place[b])
    alike = frozenset((a, b) for a, b in hb if place[a] and place[a] == place[b])
    scb = sb | _seq(apart, hb, apart) | alike | mo | fr
    ordered = frozenset((n.number, n.number) for n in nodes if _order(n) == SEQ_CST)
    fences = frozenset(pair for pair in ordered if not place[pair[0]])
    into = ordered | _seq(fences, hb | same)
    out = ordered | _seq(hb | same, fences)
    return _seq(into, scb, out) | _seq(fences, hb | _seq(hb, eco, hb), fences)


def _observed(nodes: list[Node], mo: Pairs, names: str) -> Outcome:
    read = {n.step.name: n.reads for n in nodes if n.step.name}
    last = {n.step.place: n.writes for n in nodes if n.writes is not None
            and not any(a == n.number for a, _ in mo)}
    return tuple((read if name in read else last).get(name) or 0 for name in names)
