"""One block: sizes, headers, footers. No lists, no locks."""

from .layout import (
    ALIGN,
    CHECKSUM_MASK,
    FOOTER,
    KEY,
    MIN_BLOCK,
    NOT_PREV_USED,
    OWNER_MASK,
    PAYLOAD,
    PLAIN_BITS,
    PREV_USED,
    SIZE_MASK,
    SUMMED,
    USED,
    WORD,
)


def round_up(n, to):
    """The least multiple of `to` that is at least `n`.

    Requires: to is a power of two; 0 <= n <= MAX_WORD - to.
    Ensures:  the result is a multiple of to; n <= result < n + to.
    """
    return (n + to - 1) & -to


def block_size(request):
    """Bytes of block for `request` bytes of payload.

    Requires: 0 <= request <= MAX_REQUEST.
    Ensures:  a multiple of ALIGN; at least MIN_BLOCK; holds the request and a header;
              no smaller legal size does.
    """
    want = round_up(request + WORD, ALIGN)
    if want < MIN_BLOCK:
        want = MIN_BLOCK
    return want


def payload(b):
    """Address of the payload of `b`."""
    return b + PAYLOAD


def block_of(p):
    """The block whose payload starts at `p`.

    Ensures:  payload(block_of(p)) == p.
    """
    return p - PAYLOAD


def size_in(header):
    """The size that a header states.

    Ensures:  0 <= result; a multiple of ALIGN; no flag, no owner and no checksum shows in it.
    """
    return header & SIZE_MASK


def owner_in(header):
    """The owner that a header states, still shifted into place.

    Ensures:  no flag, no size and no checksum shows in it.
    """
    return header & OWNER_MASK


def checksum(m, b, header):
    """The checksum of a header at `b`, in its place: the same whatever its PREV_USED and its own checksum are.

    Of the product with the key, which is odd and wraps, those bits are taken that all bits below lead to: universal
    hashing (Dietzfelbinger, Hagerup, Katajainen and Penttonen, 1997, "A Reliable Randomized Algorithm for the
    Closest-Pair Problem", section 2). Without a key it is 0.
    """
    return ((header & SUMMED) + b) * m.load(m.statics() + KEY) & CHECKSUM_MASK


def is_intact(m, b, header):
    """Whether the header that stands at `b` was written there by `write_header`, as far as its checksum tells."""
    return header & CHECKSUM_MASK == checksum(m, b, header)


def is_plain(m, b, header):
    """Whether the header that stands at `b` is intact, and of a used block of an arena that may be cached."""
    return header & PLAIN_BITS == USED and is_intact(m, b, header)


def write_header(m, b, header):
    """Let `b` have this header, which is given without a checksum, with one.

    Ensures:  it is intact; no other word changes.
    """
    m.store(b, header | checksum(m, b, header))


def size(m, b):
    """Bytes of `b`, header included; 0 for a fence and a list head."""
    return size_in(m.load(b))


def is_free(m, b):
    """Whether `b` is neither used nor a fence nor a list head."""
    return m.load(b) & USED == 0


def left_is_free(m, b):
    """Whether the left neighbour of `b` is free, so that its footer stands before `b`."""
    return m.load(b) & PREV_USED == 0


def set_prev_used(m, right):
    """Let the block at `right` know that its left neighbour is used.

    Its caller may be reading the header meanwhile, without a lock: so the store is atomic.

    Ensures:  PREV_USED is set in its header; nothing else changes.
    """
    m.store_relaxed(right, m.load(right) | PREV_USED)


def clear_prev_used(m, right):
    """Let the block at `right` know that its left neighbour is free.

    Ensures:  PREV_USED is clear in its header; nothing else changes.
    """
    m.store_relaxed(right, m.load(right) & NOT_PREV_USED)


def write_used(m, b, total):
    """Make `b` a used block of `total` bytes, without a word to its right neighbour.

    Requires: the header of `b` names its owner and says whether its left neighbour is used.
    Ensures:  the header states total and USED; owner and PREV_USED are unchanged;
              no other word changes.
    """
    kept = m.load(b) & (OWNER_MASK | PREV_USED)
    write_header(m, b, kept | total | USED)


def write_free(m, b, total):
    """Make `b` a free block of `total` bytes that is on no list.

    Requires: the left neighbour of `b` is used; the header of `b` names its owner.
    Ensures:  the header states total, PREV_USED and not USED; the owner is unchanged;
              the footer is total; the right neighbour knows; no other word changes.
    """
    write_header(m, b, owner_in(m.load(b)) | total | PREV_USED)
    m.store(b + total + FOOTER, total)
    clear_prev_used(m, b + total)


def split(m, b, want):
    """Cut the used block `b` to `want` bytes; return the rest, or NULL if it would be too small.

    Requires: want <= size(b); both are multiples of ALIGN; want >= MIN_BLOCK.
    Ensures:  the sizes sum to the old size; the flags and owner of `b` are unchanged;
              the rest is absent or at least MIN_BLOCK; it is used, of the same owner,
              and its left neighbour is used; no other word changes.
    """
    rest = size(m, b) - want
    if rest < MIN_BLOCK:
        return 0
    write_used(m, b, want)
    write_header(m, b + want, owner_in(m.load(b)) | rest | PREV_USED | USED)
    return b + want
