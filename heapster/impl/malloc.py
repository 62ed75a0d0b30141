"""The way of a call, behind the C names: from the bins of the thread to its arena, or to a mapping.

The life of a malloc (-> the fast path):
 -> api.malloc -> allocate -> cached -> thread_cache.pop_cached: the block on top of the thread's bin, no lock
    malloc_slow: place, allocate_block
      place_small -> thread_cache.refill: under the arena's lock, what others freed (collect_remote), else one
                     free block, carved into a batch for the bin (carve_batch)
      place_large -> arena.acquire: find by the policy, else grow by sbrk or mmap; split
                  -> mapping.map_block: a mapping of its own, from the retained ones or new
      retry_after_trim: release what is retained, and try once more
The life of a free:
 -> api.free -> free_block -> cache_plain -> thread_cache.cache_block: onto the bin of the block's class, no lock
    free_slow: is it a block (header_of), is it a double free (check_in_use)?
               cache_block_slow: grow or flush the bin, or send to the owner
      free_to_arena -> arena.release: coalesce, onto the free list, purge; or mapping.unmap_block: retain, decay
The life of a realloc:
 -> api.realloc -> leave_plain: as it is, no lock
    realloc_slow -> resize_uncopied: as it is (is_left), or resize.resize, or mapping.resize_mapped; else move
"""

from .arena import acquire, count_call, is_lost, release, room_for
from .bins import bin_at, check_top
from .block import block_of, block_size, is_intact, is_plain, payload, size_in
from .classes import class_entry, class_for, class_for_request, least_of_class
from .hardened import free_hardened, is_hardened, place_hardened, resize_hardened, usable_hardened
from .layout import (
    ADDRESS_BITS,
    ALIGN,
    ALIGN_SHIFT,
    ARENA_LOCK,
    CALL_ALIGNED,
    CALL_FREE,
    CALL_REALLOC,
    DOUBLE_FREE,
    ENOMEM,
    INVALID_POINTER,
    LEAST_PAYLOAD,
    MAPPED,
    MAX_REQUEST,
    MIN_BLOCK,
    MOST_CACHED,
    NO_PAYLOAD,
    NULL,
    PAGE_SHIFT,
    PAYLOAD,
    REGISTERED,
    USE_AFTER_FREE,
    USED,
    WORD,
)
from .mapping import map_block, mapped_usable, resize_mapped, unmap_block
from .resize import resize
from .retained import release_retained
from .run_layout import LONGER, SHORT, SPANS
from .runs import is_reserved, lies_in, reservation, size_of_slot
from .settings import arena_of, attach, get_cache, get_hardened, get_threshold
from .sized import could_serve
from .slots import cache_slot, free_slot_slow, leave_slot, used_slot
from .spare import release_spare
from .stack import is_marked, top
from .thread_cache import cache_block, cache_block_slow, check_in_use, count_mine, pop_cached, refill


def out_of_memory(m):
    """NULL, with errno saying why."""
    m.set_errno(ENOMEM)
    return NULL


def is_refused(request):
    """Whether no block could ever hold `request` bytes.

    Ensures:  true for every size_t above PTRDIFF_MAX.
    """
    return request < 0 or request > MAX_REQUEST


def cached(m, request, alignment, kind):
    """The payload of a cached block for `request` bytes, the call counted; NULL if the thread keeps none."""
    if alignment == ALIGN and is_small(m, request):
        return pop_cached(m, class_for_request(request), kind)
    return NULL


def cached_aligned(m, request, alignment):
    """As `cached`, at a multiple of `alignment`: the block on top of the bin, if it happens to lie so.

    A block of more bytes than the request needs is left: what was aligned shows its request when it is freed.
    """
    if SPANS != 0 or not is_small(m, request):
        return NULL
    index = class_for_request(request)
    p = top(m.load(bin_at(m.thread(), index)))
    if p & (alignment - 1) != 0 or least_of_class(index) != block_size(request):
        return NULL
    return pop_cached(m, index, CALL_ALIGNED)


def place_small(m, request, kind):
    """A used block for `request` bytes from the thread's arena; NULL if memory is out.

    Where the thread keeps blocks of its class, as none was given, the one on top was written over: abort.
    """
    index = class_for_request(request)
    check_top(m, bin_at(m.thread(), index))
    if get_cache(m) == 0:
        return acquire(m, attach(m), block_size(request), ALIGN, kind)
    return refill(m, least_of_class(index), kind)


def is_small(m, request):
    """Whether caches may have blocks for `request` bytes, which are not to be mapped."""
    if request >> PAGE_SHIFT == 0:
        return True
    return 0 < request <= MOST_CACHED - WORD and request < get_threshold(m)


def place(m, request, alignment, kind):
    """A used block that was not cached for `request` bytes at a multiple of `alignment`, or NULL.

    Requires: the thread keeps no block for it; not is_refused(request);
              alignment is a power of two, ALIGN to MAX_REQUEST.
    Ensures:  NULL only if the system refused, and then nothing has changed but what is kept.
    """
    attach(m)
    if is_hardened(m):
        return place_beyond(m, request, alignment, kind)
    b = allocate_block(m, request, alignment, kind)
    if b == NULL:
        b = retry_after_trim(m, request, alignment, kind)
    return b


def place_beyond(m, request, alignment, kind):
    """As `place`, in a hardened heap: where the header of the block would be, if it had one; NULL if memory is out."""
    p = place_hardened(m, request, alignment, kind)
    if p == NULL and release_spare(m):
        p = place_hardened(m, request, alignment, kind)
    if p == NULL:
        return NULL
    return block_of(p)


def allocate_block(m, request, alignment, kind):
    """As `place`, with the memory that there is."""
    if alignment == ALIGN and is_small(m, request):
        return place_small(m, request, kind)
    return place_large(m, request, alignment, kind)


def retry_after_trim(m, request, alignment, kind):
    """As `place`, where memory was out: with what was kept, or, of no arena, where the thread's is lost."""
    b = NULL
    if release_retained(m):
        b = allocate_block(m, request, alignment, kind)
    if b == NULL and has_lost_arena(m):
        b = map_block(m, request, alignment, kind)
    return b


def has_lost_arena(m):
    """Whether the calling thread got a lost arena, as there is no other."""
    arena = attach(m)
    m.lock(arena + ARENA_LOCK)
    lost = is_lost(m, arena)
    m.unlock(arena + ARENA_LOCK)
    return lost


def place_large(m, request, alignment, kind):
    """As `place`, of memory that no cache has."""
    b = NULL
    if room_for(request, alignment) >= get_threshold(m):
        b = map_block(m, request, alignment, kind)
    if b == NULL:
        b = acquire(m, attach(m), block_size(request), alignment, kind)
    return b


def allocate(m, request, alignment, kind):
    """As `place`, for any word; the payload's address, or NULL with errno ENOMEM."""
    p = cached(m, request, alignment, kind)
    if p != NULL:
        return p
    return malloc_slow(m, request, alignment, kind)


def malloc_slow(m, request, alignment, kind):
    """As `allocate`, where no block is cached."""
    if is_refused(request):
        return out_of_memory(m)
    b = place(m, request, alignment, kind)
    if b == NULL:
        return out_of_memory(m)
    return payload(b)


def header_of(m, p, freed):
    """The header of the block at `p`; abort if `p` cannot be the payload of a used block, with `freed` if it was one.

    Nothing is read where no program has memory. Another thread may be telling the block of its left neighbour: so the
    load is atomic.
    """
    if p & (ALIGN - 1) != 0 or (p - LEAST_PAYLOAD) >> ADDRESS_BITS != 0:
        m.abort(INVALID_POINTER, p)
    header = m.load_relaxed(block_of(p))
    if header < MIN_BLOCK or not is_intact(m, block_of(p), header):
        m.abort(INVALID_POINTER, p)
    if header & USED == 0:
        m.abort(freed, p)
    return header


def free_block(m, p, kind):
    """Free the payload at `p`, counting a call if it is one of CALL_FREE."""
    if not cache_plain(m, p, kind):
        free_slow(m, p, kind)


def may_have_header(m, p):
    """Whether `p`, which may be any word, is a multiple of ALIGN where programs have memory, and the heap not hardened.

    Ensures:  false if one of them does not hold.
    """
    return (p - LEAST_PAYLOAD | get_hardened(m)) & NO_PAYLOAD == 0


def cache_plain(m, p, kind):
    """Whether the payload `p` went into a bin that has room: as most do, of which two masks tell all that is asked.

    Nothing is read where no program has memory, or no block a header, and nothing is written but where `header_of`
    would not abort.
    """
    if SPANS != 0:
        base = reservation(m)
        if lies_in(base, p):
            return cache_slot(m, base, p, kind)
    if not may_have_header(m, p):
        return False
    header = m.load_relaxed(block_of(p))
    return is_plain(m, block_of(p), header) and cache_block(m, p, size_in(header) - LONGER, kind)


def free_slow(m, p, kind):
    """As `free_block`, for what no bin takes as it is; abort if it is no used block, or waits in a bin already."""
    if is_hardened(m):
        free_hardened(m, p, kind)
        return
    if SPANS != 0 and is_reserved(m, p):
        free_slot_slow(m, p, kind)
        return
    header = header_of(m, p, DOUBLE_FREE)
    if header & MAPPED == 0:
        check_in_use(m, p, header, DOUBLE_FREE)
    if header & MAPPED != 0 or not cache_block_slow(m, p, size_in(header) - LONGER, kind):
        free_to_arena(m, block_of(p), header, kind)


def free_to_arena(m, b, header, kind):
    """Free the block `b`, which no cache takes."""
    if header & MAPPED != 0:
        unmap_block(m, b, kind)
    else:
        arena = arena_of(m, header)
        m.lock(arena + ARENA_LOCK)
        if kind == CALL_FREE:
            count_call(m, arena, kind)
        release(m, arena, b)
        m.unlock(arena + ARENA_LOCK)


def usable_bytes(m, p):
    """Bytes of payload at `p`, at least what was asked for.

    Requires: p is no NULL.
    """
    if is_hardened(m):
        return usable_hardened(m, p)
    if SPANS != 0 and is_reserved(m, p):
        return size_of_slot(used_slot(m, p, USE_AFTER_FREE))
    header = header_of(m, p, USE_AFTER_FREE)
    if header & MAPPED != 0:
        return mapped_usable(m, block_of(p))
    return size_in(header) - PAYLOAD


def resize_mapping(m, p, request):
    """As `resize_uncopied`, of a block with a mapping of its own."""
    b = resize_mapped(m, block_of(p), request, CALL_REALLOC)
    if b == NULL:
        return NULL
    return payload(b)


def size_for(m, request):
    """Bytes of the block that malloc gives for `request`, but for a rest that is too small for a block.

    Requires: 0 <= request <= MAX_REQUEST.
    """
    if is_small(m, request) and get_cache(m) != 0:
        return least_of_class(class_for(block_size(request - SHORT))) + LONGER
    return block_size(request)


def resize_in_arena(m, arena, b, request):
    """Whether the used block `b` of the arena could be made to hold `request` bytes where it is, the call counted.

    It gets the size that malloc would give it, so that the next request finds it in its class; or as much as there is.

    Requires: the arena's lock.
    """
    want = size_for(m, request)
    done = resize(m, arena, b, want, CALL_REALLOC)
    if not done and want != block_size(request):
        done = resize(m, arena, b, block_size(request), CALL_REALLOC)
    return done


def is_left(m, total, request):
    """Whether realloc leaves a block of `total` bytes as it is: malloc could give it, and the thread has a cache."""
    return m.load(m.thread() + REGISTERED) != 0 and could_serve(total, request, ALIGN)


def leave_plain(m, p, request):
    """Whether realloc leaves the payload `p` as it is: of the class that malloc would give, in a thread with a cache.

    As for most that stay, two masks tell all else that is asked. The call is counted.

    Ensures:  no word changes if it is false.
    """
    if SPANS != 0 and is_reserved(m, p):
        return leave_slot(m, p, request)
    if request >> PAGE_SHIFT != 0 or request == 0 or not may_have_header(m, p):
        return False
    header = m.load_relaxed(block_of(p))
    if not is_plain(m, block_of(p), header):
        return False
    thread = m.thread()
    if class_entry(size_in(header) - LONGER >> ALIGN_SHIFT) != class_for_request(request) + 1 << 1 or is_marked(m, p):
        return False
    if m.load(thread + REGISTERED) == 0:
        return False
    count_mine(m, thread, CALL_REALLOC)
    return True


def resize_uncopied(m, p, request):
    """The payload at `p`, made to hold `request` bytes without a copy; NULL if that cannot be."""
    if is_hardened(m):
        return resize_hardened(m, p, request)
    if SPANS != 0 and is_reserved(m, p):
        used_slot(m, p, USE_AFTER_FREE)
        return NULL
    header = header_of(m, p, USE_AFTER_FREE)
    if header & MAPPED != 0:
        return resize_mapping(m, p, request)
    check_in_use(m, p, header, USE_AFTER_FREE)
    if is_left(m, size_in(header), request):
        count_mine(m, m.thread(), CALL_REALLOC)
        return p
    arena = arena_of(m, header)
    m.lock(arena + ARENA_LOCK)
    done = resize_in_arena(m, arena, block_of(p), request)
    m.unlock(arena + ARENA_LOCK)
    if done:
        return p
    return NULL


def least(a, b):
    """The lesser of two words."""
    if a < b:
        return a
    return b


def move(m, p, request):
    """Move the payload at `p` to a new block for `request` bytes.

    Ensures:  NULL and ENOMEM, and the old block is unchanged; or the old payload's bytes are in the new, as far as
              there is room.
    """
    q = allocate(m, request, ALIGN, CALL_REALLOC)
    if q != NULL:
        count = usable_bytes(m, p)
        if count > request:
            count = least(count, usable_bytes(m, q))
        m.copy(q, p, count)
        free_block(m, p, CALL_REALLOC)
    return q


def place_aligned(m, alignment, request):
    """The payload's address at a multiple of `alignment`, a power of two, or NULL; errno is left alone."""
    if is_refused(request) or is_refused(alignment):
        return NULL
    if alignment < ALIGN:
        alignment = ALIGN
    if alignment == ALIGN:
        p = cached(m, request, ALIGN, CALL_ALIGNED)
    else:
        p = cached_aligned(m, request, alignment)
    if p == NULL:
        b = place(m, request, alignment, CALL_ALIGNED)
        if b != NULL:
            p = payload(b)
    return p
