"""The calls of a program: the C names, over words. A size_t above PTRDIFF_MAX arrives as a negative word."""

from .block import block_of, round_up
from .classes import class_for_request, least_of_class
from .hardened import check_asked_hardened, is_hardened
from .layout import (
    ALIGN,
    CALL_CALLOC,
    CALL_FREE,
    CALL_MALLOC,
    DOUBLE_FREE,
    EINVAL,
    ENOMEM,
    LEAST_WORD,
    MAPPED,
    MAX_WORD,
    NULL,
    PAGE,
    PAYLOAD,
    REFUSED,
    WORD,
    WRONG_SIZE,
)
from .malloc import (
    allocate,
    cache_plain,
    cached,
    free_block,
    free_slow,
    header_of,
    is_refused,
    leave_plain,
    malloc_slow,
    move,
    out_of_memory,
    place_aligned,
    resize_uncopied,
    usable_bytes,
)
from .run_layout import LONGER, SPANS
from .runs import is_reserved, run_word, size_of_slot
from .settings import set_growth, set_policy
from .sized import check_asked, stated_alignment
from .slots import used_slot


def product(a, b):
    """a * b, or -1 if a or b or the product exceeds PTRDIFF_MAX. No step overflows a word.

    Ensures:  -1 exactly when the true product of the size_t values does not fit, else the product.
    """
    if a >> 31 == 0 and b >> 31 == 0:
        return a * b
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


def malloc(m, request):
    """C17 7.22.3.4. malloc(0) gives a block of its own.

    Ensures:  NULL and ENOMEM, or a payload of at least request bytes.
    """
    return allocate(m, request, ALIGN, CALL_MALLOC)


def calloc(m, count, each):
    """C17 7.22.3.2: `count` * `each` bytes, all zero; NULL and ENOMEM if the product does not fit."""
    request = product(count, each)
    p = cached(m, request, ALIGN, CALL_CALLOC)
    if p == NULL:
        return calloc_slow(m, request)
    if SPANS != 0:
        m.fill(p, 0, cached_bytes(m, p, request))
    else:
        m.fill(p, 0, least_of_class(class_for_request(request)) - PAYLOAD)
    return p


def cached_bytes(m, p, request):
    """Usable bytes at `p`, which a bin had for the request, where there are spans."""
    if is_reserved(m, p):
        return least_of_class(class_for_request(request))
    return least_of_class(class_for_request(request)) + LONGER - PAYLOAD


def calloc_slow(m, request):
    """As `calloc`, where no block is cached."""
    p = malloc_slow(m, request, ALIGN, CALL_CALLOC)
    if p != NULL and not is_hardened(m):
        zero_payload(m, p)
    return p


def zero_payload(m, p):
    """Fill the payload `p` of a block that was just handed out, unless it has a mapping: that is zero already."""
    if SPANS != 0 and is_reserved(m, p):
        m.fill(p, 0, size_of_slot(run_word(m, p)))
        return
    if m.load_relaxed(block_of(p)) & MAPPED == 0:
        m.fill(p, 0, usable_bytes(m, p))


def free(m, p):
    """C17 7.22.3.3. errno is left alone (POSIX.1-2024)."""
    if not cache_plain(m, p, CALL_FREE):
        free_other(m, p)


def free_other(m, p):
    """As `free`, where no bin takes the block at once: NULL, or what `free_slow` frees."""
    if p != NULL:
        free_slow(m, p, CALL_FREE)


def realloc(m, p, request):
    """C17 7.22.3.5. Of what it leaves open: realloc(p, 0) frees p and returns NULL, as glibc does.

    Ensures:  NULL and ENOMEM, and the old block is unchanged; or the bytes up to the lesser size are kept.
    """
    if leave_plain(m, p, request):
        return p
    return realloc_slow(m, p, request)


def realloc_slow(m, p, request):
    """As `realloc`, where the block cannot be seen at once to do as it is."""
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


def check_stated(m, p, request, alignment):
    """Abort if `p` is no used block, or one that cannot have been asked for so."""
    if SPANS != 0 and is_reserved(m, p):
        check_asked_slot(m, p, request, stated_alignment(m, p, alignment))
        return
    if is_hardened(m):
        check_asked_hardened(m, p, request, stated_alignment(m, p, alignment))
    else:
        check_asked(m, p, header_of(m, p, DOUBLE_FREE), request, alignment)


def check_asked_slot(m, p, request, alignment):
    """Abort if no used slot begins at `p`, which lies in the reservation, or such a request would have got another."""
    total = size_of_slot(used_slot(m, p, DOUBLE_FREE))
    if request < 0 or request > total or total != least_of_class(class_for_request(request)) or alignment > ALIGN:
        m.abort(WRONG_SIZE, p)


def free_sized(m, p, request):
    """C23 7.24.3.4: as free, of a block that was asked for with `request` bytes, by none that aligns.

    Ensures:  it aborts, with the block as it was, where no such request could have got it.
    """
    if p != NULL:
        check_stated(m, p, request, ALIGN)
        free_block(m, p, CALL_FREE)


def free_aligned_sized(m, p, alignment, request):
    """C23 7.24.3.5: as free_sized, of a block that was asked for at a multiple of `alignment`.

    Ensures:  it aborts as free_sized, or where `alignment` could not have been asked for.
    """
    if p != NULL:
        check_stated(m, p, request, alignment)
        free_block(m, p, CALL_FREE)


def usable_size(m, p):
    """malloc_usable_size (malloc.h): bytes of payload at `p`, at least what was asked for; 0 for NULL."""
    if p == NULL:
        return 0
    return usable_bytes(m, p)


def reallocarray(m, p, count, each):
    """POSIX.1-2024: realloc for a product; NULL and ENOMEM, p unchanged, if that does not fit."""
    request = product(count, each)
    if request < 0:
        return out_of_memory(m)
    return realloc(m, p, request)


def is_power_of_two(n):
    """Whether n, a size_t, is a power of two; the largest arrives as a negative word."""
    return n == LEAST_WORD or n > 0 and n & (n - 1) == 0


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
