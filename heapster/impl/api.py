"""What a program calls: the C names, over words. A size_t above PTRDIFF_MAX arrives as a negative word."""

from .arena import acquire, count_call, is_lost, release, room_for
from .block import block_of, block_size, payload, round_up, size_in
from .cache import check_in_use, cache_block, cache_block_slow, refill, reuse
from .classes import class_for, least_of_class
from .kept import release_retained
from .layout import (
    ALIGN,
    ARENA_LOCK,
    CALL_ALIGNED,
    CALL_CALLOC,
    CALL_FREE,
    CALL_MALLOC,
    CALL_REALLOC,
    DOUBLE_FREE,
    EINVAL,
    ENOMEM,
    INVALID_POINTER,
    LEAST_WORD,
    MAPPED,
    MAX_ARENAS,
    MAX_REQUEST,
    MAX_WORD,
    MIN_BLOCK,
    MIN_THRESHOLD,
    MOST_CACHED,
    NULL,
    OWNER_SHIFT,
    PAGE,
    PAYLOAD,
    REFUSED,
    USED,
    WORD,
)
from .mapping import map_block, mapped_usable, resize_mapped, unmap_block
from .resize import resize
from .settings import arena_at, attach, get_cache, get_threshold, set_growth, set_policy


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
        return reuse(m, class_for(block_size(request)), kind)
    return NULL


def place_small(m, want, kind):
    """A used block of `want` bytes, or a few more, from the thread's arena; NULL if memory is out."""
    if get_cache(m) == 0:
        return acquire(m, attach(m), want, ALIGN, kind)
    return refill(m, least_of_class(class_for(want)), kind)


def is_small(m, request):
    """Whether caches may have blocks for `request` bytes, which are not to be mapped."""
    if request < MIN_THRESHOLD:
        return request >= 0
    return request <= MOST_CACHED - WORD and request < get_threshold(m)


def place(m, request, alignment, kind):
    """A used block that was not cached for `request` bytes at a multiple of `alignment`, or NULL.

    Requires: the thread keeps no block for it; not is_refused(request);
              alignment is a power of two, ALIGN to MAX_REQUEST.
    Ensures:  NULL only if the system refused, and then nothing has changed but what is kept.
    """
    b = allocate_block(m, request, alignment, kind)
    if b == NULL:
        b = retry_after_trim(m, request, alignment, kind)
    return b


def allocate_block(m, request, alignment, kind):
    """As `place`, with the memory that there is."""
    if alignment == ALIGN and is_small(m, request):
        return place_small(m, block_size(request), kind)
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


def product(a, b):
    """a * b, or -1 if a or b or the product exceeds PTRDIFF_MAX. No step overflows a word.

    Ensures:  -1 exactly when the true product of the size_t values does not fit, else the product.
    """
    if a == 0 or b == 0:
        return 0
    if a < 0 or b < 0:
        return -1
    if a > b:
        return product_of_sorted(b, a)
    return product_of_sorted(a, b)


def product_of_sorted(a, b):
    """a * b for 0 < a <= b, or -1 if it exceeds PTRDIFF_MAX."""
    if a >> 31 != 0 and b >> 32 != 0:
        return -1
    high = a * (b >> 31)
    low = a * (b & (1 << 31) - 1)
    if high >> 32 != 0 or low > MAX_WORD - (high << 31):
        return -1
    return (high << 31) + low


def header_of(m, p):
    """The header of the block at `p`; abort if `p` cannot be the payload of a used block.

    Another thread may be telling the block of its left neighbour: so the load is atomic.
    """
    if p & (ALIGN - 1) != 0:
        m.abort(INVALID_POINTER, p)
    header = m.load_atomic(block_of(p))
    if header & USED == 0:
        m.abort(DOUBLE_FREE, p)
    if header < MIN_BLOCK or header >> OWNER_SHIFT >= MAX_ARENAS:
        m.abort(INVALID_POINTER, p)
    return header


def arena_of(m, header):
    """The arena that owns the block with this header."""
    return arena_at(m.statics(), header >> OWNER_SHIFT)


def malloc(m, request):
    """C17 7.22.3.4. malloc(0) gives a block of its own.

    Ensures:  NULL and ENOMEM, or a payload of at least request bytes.
    """
    return allocate(m, request, ALIGN, CALL_MALLOC)


def calloc(m, count, each):
    """C17 7.22.3.2: `count` * `each` bytes, all zero; NULL and ENOMEM if the product does not fit."""
    request = product(count, each)
    p = allocate(m, request, ALIGN, CALL_CALLOC)
    if p != NULL and m.load_atomic(block_of(p)) & MAPPED == 0:
        m.fill(p, 0, usable_size(m, p))
    return p


def free_block(m, p, kind):
    """Free the payload at `p`, counting a call if it is one of CALL_FREE."""
    header = header_of(m, p)
    if header & MAPPED != 0 or not cache_block(m, p, size_in(header), kind):
        free_slow(m, p, header, kind)


def free_slow(m, p, header, kind):
    """As `free_block`, for a block with this header that has no place in a bin as it is; abort if it has one already."""
    if header & MAPPED == 0:
        check_in_use(m, p, header)
    if header & MAPPED != 0 or not cache_block_slow(m, p, size_in(header), kind):
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


def free(m, p):
    """C17 7.22.3.3. errno is left alone (POSIX.1-2024)."""
    if p != NULL:
        free_block(m, p, CALL_FREE)


def usable_size(m, p):
    """Bytes of payload at `p`, at least what was asked for; 0 for NULL."""
    if p == NULL:
        return 0
    header = header_of(m, p)
    if header & MAPPED != 0:
        return mapped_usable(m, block_of(p))
    return size_in(header) - PAYLOAD


def resize_mapping(m, p, request):
    """As `resize_uncopied`, of a block with a mapping of its own."""
    b = resize_mapped(m, block_of(p), request, CALL_REALLOC)
    if b == NULL:
        return NULL
    return payload(b)


def resize_uncopied(m, p, request):
    """The payload at `p`, made to hold `request` bytes without a copy; NULL if that cannot be."""
    header = header_of(m, p)
    if header & MAPPED != 0:
        return resize_mapping(m, p, request)
    check_in_use(m, p, header)
    arena = arena_of(m, header)
    m.lock(arena + ARENA_LOCK)
    done = resize(m, arena, block_of(p), block_size(request), CALL_REALLOC)
    m.unlock(arena + ARENA_LOCK)
    if done:
        return p
    return NULL


def move(m, p, request):
    """Move the payload at `p` to a new block for `request` bytes, more than it has now.

    Ensures:  NULL and ENOMEM, and the old block is unchanged; or the old payload's bytes are in the new.
    """
    q = allocate(m, request, ALIGN, CALL_REALLOC)
    if q != NULL:
        m.copy(q, p, usable_size(m, p))
        free_block(m, p, CALL_REALLOC)
    return q


def realloc(m, p, request):
    """C17 7.22.3.5. Of what it leaves open: realloc(p, 0) frees p and returns NULL, as glibc does.

    Ensures:  NULL and ENOMEM, and the old block is unchanged; or the bytes up to the lesser size are kept.
    """
    if p == NULL:
        return malloc(m, request)
    if request == 0:
        free(m, p)
        return NULL
    if is_refused(request):
        return out_of_memory(m)
    q = resize_uncopied(m, p, request)
    if q == NULL:
        q = move(m, p, request)
    return q


def reallocarray(m, p, count, each):
    """POSIX.1-2024: realloc for a product; NULL and ENOMEM, p unchanged, if that does not fit."""
    request = product(count, each)
    if request < 0:
        return out_of_memory(m)
    return realloc(m, p, request)


def is_power_of_two(n):
    """Whether n, a size_t, is a power of two; the largest arrives as a negative word."""
    return n == LEAST_WORD or n > 0 and n & (n - 1) == 0


def place_aligned(m, alignment, request):
    """The payload's address at a multiple of `alignment`, a power of two, or NULL; errno is left alone."""
    if is_refused(request) or is_refused(alignment):
        return NULL
    if alignment < ALIGN:
        alignment = ALIGN
    p = cached(m, request, alignment, CALL_ALIGNED)
    if p == NULL:
        b = place(m, request, alignment, CALL_ALIGNED)
        if b != NULL:
            p = payload(b)
    return p


def aligned_alloc(m, alignment, request):
    """C17 7.22.3.1; size need not be a multiple of alignment (DR 460). NULL and EINVAL or ENOMEM."""
    if not is_power_of_two(alignment):
        m.set_errno(EINVAL)
        return NULL
    p = place_aligned(m, alignment, request)
    if p == NULL:
        return out_of_memory(m)
    return p


def posix_memalign(m, out, alignment, request):
    """POSIX.1-2024: 0 and the address stored at `out`, or EINVAL or ENOMEM and neither out nor errno changed."""
    if not is_power_of_two(alignment) or alignment & (WORD - 1) != 0:
        return EINVAL
    p = place_aligned(m, alignment, request)
    if p == NULL:
        return ENOMEM
    m.store(out, p)
    return 0


def memalign(m, alignment, request):
    """As aligned_alloc (malloc.h)."""
    return aligned_alloc(m, alignment, request)


def valloc(m, request):
    """Aligned to a page (malloc.h)."""
    return aligned_alloc(m, PAGE, request)


def pvalloc(m, request):
    """Aligned to a page, the size rounded up to whole pages (malloc.h)."""
    if is_refused(request):
        return out_of_memory(m)
    return aligned_alloc(m, PAGE, round_up(request, PAGE))


def init(m, arena_size, policy):
    """Set by how much arenas grow, and the policy; 0, or REFUSED for an unknown policy, nothing changed."""
    if set_policy(m, policy) == REFUSED:
        return REFUSED
    set_growth(m, arena_size)
    return 0
