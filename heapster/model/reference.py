"""The reference: what the heap must be after each operation, block by block.

Deterministic given the system's answers. It asks `System` for the same calls in the same order as
the allocator must; `System` raises Divergence where they part.

    reference, system = Reference(), System(recorded_calls)
    pointer = reference.malloc(system, 40)
    system.done()
    assert reference.heap() == decoded
"""

from heapster.model.arena import ArenaState
from heapster.model.geometry import (
    ALIGN,
    ALIGNED,
    CALLOC,
    EINVAL,
    ENOMEM,
    FREE,
    HEADER,
    LONGER,
    MALLOC,
    MANY,
    MAX_CACHE,
    MAX_REQUEST,
    MOST_CACHED,
    PAGE,
    PTRDIFF_MAX,
    REALLOC,
    REFUSED,
    SMALL_BIN,
    WORD,
    bin_size,
    block_size,
    could_serve,
    is_power_of_two,
    least_of_class,
    signed,
    up,
)
from heapster.model.mappings import MappedState
from heapster.model.operation import Step
from heapster.model.operations import RELEASING
from heapster.model.reference_state import ReferenceState
from heapster.model.system import System


class UnknownBlock(LookupError):
    """A pointer that is no live block: what happens then is for `misuse` to say."""


class Reference(ReferenceState):
    """Each call for memory, on the whole allocator's state.

    Operations answer payload addresses, 0 for NULL.
    """

    def malloc(self, system: System, request: int) -> int:
        """Answer `malloc(request)`."""
        self._begin()
        return self._end(self._allocate(system, request, MALLOC))

    def calloc(self, system: System, count: int, size: int) -> int:
        """Answer `calloc(count, size)`; every usable byte is zero."""
        self._begin()
        if count * size > PTRDIFF_MAX:
            return self._end(self._refuse(ENOMEM))
        payload = self._allocate(system, count * size, CALLOC)
        if payload in self._seen and isinstance(self._live[payload], ArenaState):
            self._saw("calloc_reused_memory")
        if "a_kept_mapping_was_used_again" in self.events:
            self._saw("calloc_reused_a_mapping")
        return self._end(payload)

    def aligned(self, system: System, alignment: int, request: int) -> int:
        """Answer `aligned_alloc(alignment, request)`, or memalign's."""
        self._begin()
        if not is_power_of_two(alignment):
            return self._end(self._refuse(EINVAL))
        return self._end(self._allocate_aligned(system, alignment, request))

    def posix_memalign(self, system: System, alignment: int, request: int) -> int:
        """Answer p of `posix_memalign(&p, alignment, request)`, 0 for nothing stored; the code is in `returned`."""
        self._begin()
        if not is_power_of_two(alignment) or alignment % WORD:
            payload = self._refuse(EINVAL)
        else:
            payload = self._allocate_aligned(system, alignment, request)
        self.returned, self.errno = self.errno, 0
        return self._end(payload)

    def valloc(self, system: System, request: int) -> int:
        """Answer `valloc(request)`: a page's alignment."""
        return self.aligned(system, PAGE, request)

    def pvalloc(self, system: System, request: int) -> int:
        """Answer `pvalloc(request)`: whole pages."""
        return self.aligned(system, PAGE, up(request, PAGE))

    def realloc(self, system: System, pointer: int, request: int) -> int:
        """Answer `realloc(pointer, request)`."""
        self._begin()
        if not pointer:
            return self._end(self._allocate(system, request, MALLOC))
        if request == 0:
            self._release(system, pointer, counted=True)
            return 0
        return self._end(self._reallocate(system, pointer, request))

    def reallocarray(self, system: System, pointer: int, count: int, size: int) -> int:
        """Answer `reallocarray(pointer, count, size)`."""
        if count * size > PTRDIFF_MAX:
            self._begin()
            return self._end(self._refuse(ENOMEM))
        return self.realloc(system, pointer, count * size)

    def free(self, system: System, pointer: int) -> None:
        """Take `free(pointer)`."""
        self._begin()
        if pointer:
            self._release(system, pointer, counted=True)

    def usable_size(self, pointer: int) -> int:
        """Answer `malloc_usable_size(pointer)`."""
        self._begin()
        return self._usable(pointer) if pointer else 0

    def trim(self, system: System, pad: int) -> int:
        """Answer `malloc_trim(pad)`: 1 if anything went back to the system, else 0."""
        self._begin()
        self._saw("memory_was_trimmed")
        self._caches.flush_mine(system)
        taken = self._mappings.release_retained(system)
        for arena in self._arenas.in_order():
            held = arena.held_in_regions()
            self._caches.drain(system, arena)
            taken = arena.trim(system, signed(pad)) or arena.held_in_regions() < held or taken
        return int(self._pool.purge(system) or taken)

    def finalize(self, system: System) -> int:
        """Take `heapster_finalize()`: all goes back to the system; settings and threads' arenas stay.

        Answers how many pieces could not be given back; they are in `forgotten`.
        """
        self._begin()
        self._caches.clear()
        kept = len(self.forgotten)
        for start, end in self._mappings.extents():
            self._unmap(system, start, end)
        for extent in self._arenas.close(system, self._unmap):
            self.forgotten.append(extent)
        self._pool.close(system, self._unmap)
        self._mappings.clear()
        self._live.clear()
        self._saw("heap_was_finalized")
        return len(self.forgotten) - kept

    def predict(self, system: System, step: Step, pointer: int = 0) -> int:
        """Take a step of a trace; `pointer` is its operand. What the call answers, 0 if nothing.

        `foreign_sbrk`, `fail` and `stats` change nothing here.
        """
        match step.verb, step.numbers:
            case "malloc", (request,):
                return self.malloc(system, request)
            case verb, _ if verb in RELEASING:
                self.free(system, pointer)
            case "realloc", (request,):
                return self.realloc(system, pointer, request)
            case "calloc", (count, size):
                return self.calloc(system, count, size)
            case "reallocarray", (count, size):
                return self.reallocarray(system, pointer, count, size)
            case ("aligned_alloc" | "memalign"), (alignment, request):
                return self.aligned(system, alignment, request)
            case "posix_memalign", (alignment, request):
                return self.posix_memalign(system, alignment, request)
            case "valloc", (request,):
                return self.valloc(system, request)
            case "pvalloc", (request,):
                return self.pvalloc(system, request)
            case "usable_size", _:
                return self.usable_size(pointer)
            case ("finalize" | "trim"), numbers:
                return self.trim(system, *numbers) if numbers else self.finalize(system)
            case _:
                self.set(system, step)
        return 0

    def _end(self, payload: int) -> int:
        """Note how an allocating operation went."""
        if payload and self._failed:
            self._saw("allocation_succeeded_after_a_failure")
        if len(self._live) > MANY:
            self._saw("more_blocks_were_live_than_most_runs_have")
        self._failed = not payload
        return payload

    def _refuse(self, code: int) -> int:
        self.errno = code
        self._saw("allocation_failed" if code == ENOMEM else "alignment_refused")
        return 0

    def _allocate(self, system: System, request: int, kind: int) -> int:
        """A payload of `request` bytes, from a mapping or the thread's arena; or 0 and ENOMEM."""
        if request > MAX_REQUEST:
            return self._refuse(ENOMEM)
        large = request >= self._settings.threshold
        return self._get(system, request, ALIGN, kind, large=large)

    def _allocate_aligned(self, system: System, alignment: int, request: int) -> int:
        """As `_allocate`, at a multiple of `alignment`, a power of two."""
        if alignment > MAX_REQUEST or request > MAX_REQUEST:
            return self._refuse(ENOMEM)
        if alignment <= ALIGN:
            return self._allocate(system, request, ALIGNED)
        if payload := self._reuse_aligned(request, alignment):
            return payload
        large = request + alignment + ALIGN >= self._settings.threshold
        payload = self._get(system, request, alignment, ALIGNED, large=large)
        if payload and alignment > 2 * PAGE:
            self._saw("a_block_was_aligned_beyond_two_pages")
        return payload

    def _get(self, system: System, request: int, alignment: int, kind: int, *, large: bool) -> int:
        """As `_allocate`; where memory is out, once more with what was kept of mappings. The thread gets an arena."""
        self._arenas.attach()
        payload = self._try(system, request, alignment, kind, large=large)
        if not payload and self._mappings.release_retained(system):
            payload = self._try(system, request, alignment, kind, large=large)
        return payload or self._refuse(ENOMEM)

    def _try(self, system: System, request: int, alignment: int, kind: int, *, large: bool) -> int:
        mapped = self._map(system, request, alignment, kind) if large else 0
        return mapped or self._place(system, request, alignment, kind)

    def _place(self, system: System, request: int, alignment: int, kind: int) -> int:
        if alignment <= ALIGN and block_size(request) <= MOST_CACHED and request < self._settings.threshold:
            return self._place_small(system, request, kind)
        return self._place_large(system, request, alignment, kind)

    def _place_large(self, system: System, request: int, alignment: int, kind: int) -> int:
        arena = self._arenas.mine()
        block = arena.place(system, block_size(request), alignment)
        if not block:
            return 0
        return self._give(block + HEADER, arena, kind)

    def _map(self, system: System, request: int, alignment: int, kind: int) -> int:
        block = self._mappings.map(system, request, alignment)
        return self._give(block.payload, block, kind) if block else 0

    def _give(self, payload: int, holder: ArenaState | MappedState, kind: int) -> int:
        self._live[payload] = holder
        self._count(holder, kind)
        return payload

    def _count(self, holder: ArenaState | MappedState, kind: int) -> None:
        (holder if isinstance(holder, ArenaState) else self._mappings).calls[kind] += 1

    def _holder(self, pointer: int) -> ArenaState | MappedState:
        holder = self._live.get(pointer)
        if holder is None:
            raise UnknownBlock(f"{pointer:#x} is no live block")
        return holder

    def _usable(self, pointer: int) -> int:
        holder = self._holder(pointer)
        return holder.usable if isinstance(holder, MappedState) else holder.usable(pointer)

    def _release(self, system: System, pointer: int, *, counted: bool) -> None:
        """The block is no longer the caller's; a call of free is counted, or none."""
        holder = self._holder(pointer)
        del self._live[pointer]
        self._seen.add(pointer)
        if isinstance(holder, ArenaState) and self._caches.keeps(system, pointer, holder):
            if counted:
                self._caches.mine().calls[FREE] += 1
            return
        if counted:
            self._count(holder, FREE)
        if isinstance(holder, ArenaState):
            if holder.index != self._arenas.of_thread.get(self._arenas.thread):
                self._saw("block_freed_by_another_thread")
            holder.release(system, pointer - HEADER)
        else:
            self._mappings.release(system, holder)

    def _reallocate(self, system: System, pointer: int, request: int) -> int:
        """Resize a live block to a size that is not 0."""
        if request > MAX_REQUEST:
            self._saw("failed_realloc_kept_the_block")
            return self._refuse(ENOMEM)
        holder = self._holder(pointer)
        if isinstance(holder, MappedState):
            stays = self._mappings.resize(system, holder, request)
        elif self._caches.has_mine() and self._is_left(pointer, holder, request):
            self._caches.mine().calls[REALLOC] += 1
            self._saw("realloc_left_the_block_as_it_was")
            return pointer
        else:
            stays = self._resize(system, pointer, holder, request)
        if stays:
            self._count(holder, REALLOC)
            return self._found_again(pointer, holder)
        moved = self._allocate(system, request, REALLOC)
        if moved:
            self._saw("realloc_moved")
            self._release(system, pointer, counted=False)
        else:
            self._saw("failed_realloc_kept_the_block")
        return moved

    def _is_left(self, pointer: int, holder: ArenaState, request: int) -> bool:
        """Whether realloc leaves the block or slot as it is, where the thread has a cache."""
        if slots := holder.slots.of(pointer):
            return slots.size == self._bin_size(request)
        return could_serve(holder.size_of(pointer - HEADER), request, spans=self._settings.spans)

    def _resize(self, system: System, pointer: int, holder: ArenaState, request: int) -> bool:
        """True if a block of an arena could be given the size that malloc gives for the request, or what it needs."""
        if holder.slots.of(pointer):
            return False
        needed = want = block_size(request)
        if self._settings.cache and want <= MOST_CACHED and request < self._settings.threshold:
            want = self._bin_size(request) + LONGER * self._settings.spans
        return holder.resize(system, pointer - HEADER, want) or (
            want != needed and holder.resize(system, pointer - HEADER, needed))

    def _found_again(self, pointer: int, holder: ArenaState | MappedState) -> int:
        """Where a live block that was resized is now: the system may have moved its mapping."""
        del self._live[pointer]
        if isinstance(holder, MappedState) and holder.payload != pointer:
            self._seen.add(pointer)
            pointer = holder.payload
        self._live[pointer] = holder
        return pointer

    def _bin_size(self, request: int) -> int:
        return bin_size(request, spans=self._settings.spans)

    def _place_small(self, system: System, request: int, kind: int) -> int:
        """A small block: the last that the thread kept, or one of those that it gets at once; or 0."""
        size = self._bin_size(request)
        caches, cache = self._caches, self._caches.mine()
        if cache.bin(size):
            self._saw("a_cached_block_was_used_again")
            return self._reuse(size, kind)
        if not self._settings.cache:
            return self._place_large(system, request, ALIGN, kind)
        arena = self._arenas.mine()
        caches.grow(size, MAX_CACHE if size in cache.overflowed else SMALL_BIN)
        caches.collect_remote(system, arena)
        if cache.bin(size):
            return self._reuse(size, kind)
        batch = self._take_slots(system, arena, size) or self._carve(system, arena, size)
        if not batch:
            return 0
        for payload in reversed(batch[1:]):
            caches.push(size, payload, arena)
        return self._give(batch[0], arena, kind)

    def _take_slots(self, system: System, arena: ArenaState, size: int) -> list[int]:
        if not self._settings.spans:
            return []
        cache = self._caches.mine()
        taken = arena.slots.take(system, size, cache.batch_size(size), self._settings.cache)
        cache.make_room(size, len(taken))
        return taken

    def _carve(self, system: System, arena: ArenaState, size: int) -> list[int]:
        """Payloads of blocks that serve as slots where there are spans."""
        blocks = arena.carve(system, size + LONGER * self._settings.spans, self._caches.mine().batch_size(size))
        if blocks and self._settings.spans:
            self._saw("a_block_served_as_a_slot")
        return [block + HEADER for block in blocks]

    def _reuse_aligned(self, request: int, alignment: int) -> int:
        """The block that the thread kept last of just the size that the request needs, if it is aligned; or 0."""
        size = block_size(request)
        if self._settings.spans or size > MOST_CACHED or size != least_of_class(size):
            return 0
        if request >= self._settings.threshold:
            return 0
        kept = self._caches.mine().bin(size)
        if not kept or kept[-1] % alignment:
            return 0
        self._saw("a_cached_block_was_used_again")
        return self._reuse(size, ALIGNED)

    def _reuse(self, size: int, kind: int) -> int:
        """The block of that size that the thread kept last; it keeps at least one."""
        payload, owner = self._caches.pop(size)
        self._live[payload] = owner
        self._caches.mine().calls[kind] += 1
        return payload

    def _unmap(self, system: System, start: int, end: int) -> None:
        if system.munmap(start, end - start) == REFUSED:
            self._saw("munmap_refused")
            self.forgotten.append((start, end))
