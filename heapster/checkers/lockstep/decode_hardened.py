"""Memory to model, of a hardened heap: by layout constants alone, as `decode` does."""

from collections.abc import Callable, Iterator
from typing import Any

from heapster.checkers.lockstep.decode import MOST_NODES
from heapster.checkers.lockstep.undecodable import Undecodable
from heapster.impl import layout
from heapster.impl.layout import NEXT, NULL, PAGE, WORD
from heapster.machine.protocol import MachineFault
from heapster.model.hardened import POOLS, HardenedHeap, HardMapping, Span

Load = Callable[[int], int]
BITS = layout.SLOT_BITS
MASK = (1 << 63) - 1
OF_BLOCKS = layout.SPAN, layout.MAPPING, layout.FREED_MAPPING


def decode_hardened(m: Any) -> HardenedHeap:
    """The hardened heap that the machine's memory describes; Undecodable if it describes none."""
    try:
        return _heap(m)
    except (MachineFault, LookupError) as error:
        raise Undecodable(f"walking the records: {error}") from error


class _Pages:
    """Pages of the vault, read whole: what was never written is zero."""

    def __init__(self, m: Any) -> None:
        self._m = m
        self._words: dict[int, int] = {}
        self._known: set[int] = set()

    def open(self, start: int, length: int) -> dict[int, int]:
        """Read [start, start + length); its words that are not zero."""
        if start in self._known:
            raise Undecodable("two parts of the vault are one")
        self._known.add(start)
        found: dict[int, int] = self._m.nonzero(start, start + length)
        self._words.update(found)
        return found

    def load(self, address: int) -> int:
        """A word of what was opened."""
        return self._words.get(address, 0)


def _heap(m: Any) -> HardenedHeap:
    s = m.statics()
    vault, key = m.peek(s + layout.VAULT), m.peek(s + layout.KEY)
    if vault == NULL:
        return HardenedHeap((), (), held_locks=m.held(), system=m.system())
    pages = _Pages(m)
    pages.open(vault, layout.VAULT_BYTES)
    load, owners = pages.load, _owners(s)
    chunks = list(_chunks(pages, vault))
    records = [record for chunk in chunks
               for record in range(chunk, chunk + layout.CHUNK_BYTES - layout.RECORD_BYTES, layout.RECORD_BYTES)]
    tables, table = _tables(pages, vault)
    if set(table.values()) - {record for record in records if load(record) in OF_BLOCKS}:
        raise Undecodable("the table leads to what is no record of blocks")
    listed = {node for owner in owners for node in _listed(m, load, owner)}
    spans = [_span(m, load, record, owners, table, listed, key) for record in records if load(record) == layout.SPAN]
    ring = {load(vault + layout.MAPPINGS_WAIT + place * WORD) for place in range(layout.WAITING_MAPPINGS)}
    spares = [load(vault + layout.SPARE_MAPPINGS + place * WORD) for place in range(load(vault + layout.SPARES))]
    if len(set(spares)) < len(spares):
        raise Undecodable("a mapping is spare twice")
    mappings = [_mapping(load, record, table, ring, set(spares)) for record in records
                if load(record) in (layout.MAPPING, layout.FREED_MAPPING)]
    unfound = tuple(_held_by(load, record) for record in records if load(record) == layout.UNFOUND)
    pieces = [(vault, layout.VAULT_BYTES), *((chunk, layout.CHUNK_BYTES) for chunk in chunks), *tables]
    return HardenedHeap(
        tuple(spans), tuple(mappings),
        tuple((start - layout.VAULT_GUARD, start + length + layout.VAULT_GUARD) for start, length in pieces),
        tuple(tuple(_queue(load, vault + layout.KEEPS + index * PAGE)) for index in {span.arena for span in spans}),
        tuple((index, m.peek(owner + layout.USED_BLOCKS), m.peek(owner + layout.USED_BYTES))
              for owner, index in owners.items()),
        m.peek(s + layout.UNGUARDED) != 0, tuple(m.guards), m.held(), m.system(), unfound)


def _owners(s: int) -> dict[int, int]:
    """Records that own spans and mappings: their index, -1 for the mappings'."""
    arenas = {s + layout.ARENAS + index * layout.ARENA_BYTES: index for index in range(layout.MAX_ARENAS)}
    return arenas | {s + layout.MAPPINGS: -1}


def _chunks(pages: _Pages, vault: int) -> Iterator[int]:
    chunk = pages.load(vault + layout.CHUNKS)
    while chunk != NULL:
        pages.open(chunk, layout.CHUNK_BYTES)
        yield chunk
        chunk = pages.load(chunk + layout.CHUNK_BYTES - layout.RECORD_BYTES + NEXT)


def _tables(pages: _Pages, vault: int) -> tuple[list[tuple[int, int]], dict[int, int]]:
    """The tables, each with its bytes; and of each page that they lead from the record that they lead to."""
    tables: list[tuple[int, int]] = []
    led: dict[int, int] = {}
    for top in range(layout.ROOT_COUNT):
        if middle := pages.load(vault + layout.ROOT + top * WORD):
            tables.append((middle, layout.MIDDLE_COUNT * WORD))
            for place, leaf in pages.open(*tables[-1]).items():
                tables.append((leaf, layout.LEAF_COUNT * WORD))
                first = (top << layout.ROOT_SHIFT) + ((place - middle) // WORD << layout.MIDDLE_SHIFT)
                led.update({first + (at - leaf) // WORD * PAGE: record
                            for at, record in pages.open(*tables[-1]).items()})
    return tables, led


def _listed(m: Any, load: Load, owner: int) -> Iterator[int]:
    """The records on the lists of an owner's classes, in order."""
    for index in range(layout.CLASS_COUNT):
        head = owner + layout.CLASSES + 2 * WORD * index - NEXT
        node, before, count = m.peek(head + NEXT), head, 0
        while node not in (head, NULL):
            if load(node + layout.PREV) != before or (count := count + 1) > MOST_NODES:
                raise Undecodable("a list of spans is not linked both ways")
            yield node
            node, before = load(node + NEXT), node


def _bits(load: Load, start: int) -> frozenset[int]:
    bits = sum(load(start + word * layout.SLOT_STRIDE) << word * BITS for word in range(layout.MOST_SLOTS // BITS))
    return frozenset(_places(bits))


def _places(bits: int) -> Iterator[int]:
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits -= lowest


def _span(m: Any, load: Load, record: int, owners: dict[int, int], table: dict[int, int], listed: set[int],
          key: int) -> Span:
    base, length, slot, slots = (load(record + word) for word in (
        layout.BASE, layout.LENGTH, layout.SLOT, layout.SLOTS))
    owner = load(record + layout.SPAN_OWNER)
    if owner not in owners or slot <= 0 or not 0 < slots <= layout.MOST_SLOTS:
        raise Undecodable("a span has no owner, or no slots")
    taken = _bits(load, record + layout.TAKEN)
    beyond = frozenset(range(slots, layout.MOST_SLOTS))
    if not beyond <= taken:
        raise Undecodable("slots that do not exist may be taken")
    waiting = _bits(load, record + layout.WAITING)
    broken, dirty = [], []
    for number in range(slots):
        p = base + number * slot
        if number in taken and number not in waiting:
            broken += [p] * (m.peek(p + slot - WORD) != canary_of(p, key))
        elif m.nonzero(p, p + slot):
            dirty.append(p)
    return Span(owners[owner], *_held_by(load, record), base, length, slot, slots,
                load(record + layout.SPAN_FREE), taken - beyond, waiting, tuple(broken), tuple(dirty),
                all(table.get(page) == record for page in range(base, base + length, PAGE)), record in listed)


def canary_of(p: int, key: int) -> int:
    """The canary that the block with the payload `p` must have."""
    x = (p ^ key) * 0x3F58476D1CE4E5B9 & MASK
    return x ^ x >> 32 | 1


def _mapping(load: Load, record: int, table: dict[int, int], ring: set[int], spares: set[int]) -> HardMapping:
    base = load(record + layout.BASE)
    return HardMapping(*_held_by(load, record), base, load(record + layout.LENGTH),
                       load(record) == layout.MAPPING, table.get(base) == record, record in ring, record in spares)


def _held_by(load: Load, record: int) -> tuple[int, int]:
    """[start, end) of what the record has of the system."""
    start = load(record + layout.MAPPING_START)
    return start, start + load(record + layout.MAPPING_BYTES)


def _queue(load: Load, keep: int) -> Iterator[int]:
    """Addresses of the slots that wait in an arena."""
    for length in POOLS:            # each in the second half of what its pool and ring end
        for word in range(keep + 2 * length * WORD, keep + 4 * length * WORD, WORD):
            if entry := load(word):
                record, number = entry & -layout.RECORD_BYTES, entry & layout.RECORD_BYTES - 1
                yield load(record + layout.BASE) + number * load(record + layout.SLOT)
