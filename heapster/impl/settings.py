"""Settings that a user changes while the allocator runs, and the arena that a thread sticks to."""

from .block import owner_in, round_up
from .layout import (
    ARENA_BYTES,
    ARENA_LIMIT,
    ARENA_SHIFT,
    ARENAS,
    ATTACH_LOCK,
    ATTACHED,
    CACHE_BYTES,
    CROWDED,
    DEFAULT_ARENAS,
    DEFAULT_GROWTH,
    DEFAULT_THRESHOLD,
    FIRST_FIT,
    GROWTH,
    HARDENED,
    KEEP_BYTES,
    KEY,
    KEY_MASK,
    LEAST_KEY,
    MAX_ARENAS,
    MAX_CACHE,
    MAX_REQUEST,
    MIN_THRESHOLD,
    MY_ARENA,
    NULL,
    OWNER_SHIFT,
    PAGE,
    POLICY,
    POLICY_COUNT,
    REFUSED,
    THRESHOLD,
    WORD,
)


def or_default(word, default):
    """`word`, or `default` where nothing was set."""
    if word == 0:
        return default
    return word


def get_policy(m):
    """The placement policy in force."""
    return m.load_relaxed(m.statics() + POLICY)


def set_policy(m, policy):
    """Choose the placement policy from the next request on; 0, or REFUSED for an unknown one.

    Ensures:  an unknown policy changes nothing.
    """
    if policy < FIRST_FIT or policy >= POLICY_COUNT:
        return REFUSED
    m.store_relaxed(m.statics() + POLICY, policy)
    return 0


def get_threshold(m):
    """Requests of at least this many bytes get a mapping of their own."""
    return or_default(m.load_relaxed(m.statics() + THRESHOLD), DEFAULT_THRESHOLD)


def set_threshold(m, threshold):
    """Set the mmap threshold.

    Ensures:  it is at least MIN_THRESHOLD; a legal value is taken as it is.
    """
    if threshold < MIN_THRESHOLD:
        threshold = MIN_THRESHOLD
    m.store_relaxed(m.statics() + THRESHOLD, threshold)


def get_growth(m):
    """Arenas grow by at least this many bytes."""
    return or_default(m.load_relaxed(m.statics() + GROWTH), DEFAULT_GROWTH)


def set_growth(m, growth):
    """Set by how much arenas grow.

    Ensures:  it is a multiple of PAGE, at least PAGE and any legal value given;
              it is at most MAX_REQUEST.
    """
    if growth < PAGE:
        growth = PAGE
    if growth > MAX_REQUEST:
        growth = MAX_REQUEST
    m.store_relaxed(m.statics() + GROWTH, round_up(growth, PAGE))


def get_cache(m):
    """How many bytes of blocks of one size a thread may keep when it frees them; 0 for none."""
    return m.load_relaxed(m.statics() + CACHE_BYTES)


def set_cache(m, most):
    """Set how much threads may keep; each heeds it when one of its bins is next empty or full.

    Ensures:  it is 0 to MAX_CACHE; a legal value is taken as it is.
    """
    if most < 0:
        most = 0
    if most > MAX_CACHE:
        most = MAX_CACHE
    m.store_relaxed(m.statics() + CACHE_BYTES, most)


def set_key(m, key):
    """Set what marks, checksums and seals are mixed with; of the word its lower bits, but for the least.

    Requires: there is no block, and one thread.
    """
    m.store(m.statics() + KEY, LEAST_KEY + (key & KEY_MASK))


def set_hardened(m, hardened):
    """Let the heap be hardened if the word is not 0, or not.

    Requires: there is no block, and one thread.
    """
    if hardened != 0:
        hardened = -1
    m.store(m.statics() + HARDENED, hardened)


def get_hardened(m):
    """-1 if there are spans and mappings between guards, and nothing else; else 0."""
    return m.load_relaxed(m.statics() + HARDENED)


def get_keep(m):
    """How many bytes of freed mappings may be kept; 0 for none."""
    return m.load_relaxed(m.statics() + KEEP_BYTES)


def set_arenas(m, count):
    """Spread threads that come from now on over `count` arenas, 1 to MAX_ARENAS."""
    if count < 1:
        count = 1
    if count > MAX_ARENAS:
        count = MAX_ARENAS
    s = m.statics()
    m.lock(s + ATTACH_LOCK)
    m.store(s + ARENA_LIMIT, count)
    m.unlock(s + ATTACH_LOCK)


def arena_at(s, index):
    """Address of the record of the arena with this index."""
    return s + ARENAS + index * ARENA_BYTES


def arena_of(m, header):
    """The arena that owns the block with this header."""
    return arena_at(m.statics(), owner_in(header) >> OWNER_SHIFT)


def attached_at(s, index):
    """Where it stands how many threads the arena with this index has."""
    return s + ATTACHED + index * WORD


def must_look_on(threads, below):
    """Whether an arena with so many threads is not the one to take; `below`: whether the next is below the limit."""
    if below:
        return threads != 0
    return threads >= CROWDED


def least_attached(m, limit):
    """The index of the arena, of the first `limit`, that has the fewest threads; the first of equals.

    Requires: the lock of attaching; 0 < limit <= MAX_ARENAS.
    Ensures:  0 <= result < limit, unless those are all lost; no arena among them has fewer threads, none before it
              as few; then the first that is not lost, if one is.
    """
    s = m.statics()
    least = 0
    index = 1
    while index < MAX_ARENAS and must_look_on(m.load(attached_at(s, least)), index < limit):
        if m.load(attached_at(s, index)) < m.load(attached_at(s, least)):
            least = index
        index = index + 1
    return least


def count_thread(m, index, change):
    """Count one thread more or less at an arena.

    Requires: the lock of attaching.
    """
    word = attached_at(m.statics(), index)
    m.store(word, m.load(word) + change)


def attach(m):
    """The calling thread's arena; a new thread gets one that has the fewest threads, and sticks to it."""
    arena = m.load(m.thread() + MY_ARENA)
    if arena == NULL:
        arena = attach_anew(m)
    return arena


def attach_anew(m):
    """As `attach`, of a thread that has no arena."""
    s = m.statics()
    m.lock(s + ATTACH_LOCK)
    index = least_attached(m, or_default(m.load(s + ARENA_LIMIT), DEFAULT_ARENAS))
    count_thread(m, index, 1)
    m.unlock(s + ATTACH_LOCK)
    arena = arena_at(s, index)
    m.store(m.thread() + MY_ARENA, arena)
    m.at_thread_end()
    return arena


def detach(m):
    """Let the calling thread, which ends, have no arena.

    Ensures:  its arena counts one thread less; the lock is released.
    """
    arena = m.load(m.thread() + MY_ARENA)
    if arena != NULL:
        s = m.statics()
        m.lock(s + ATTACH_LOCK)
        count_thread(m, (arena - arena_at(s, 0)) >> ARENA_SHIFT, -1)
        m.unlock(s + ATTACH_LOCK)
        m.store(m.thread() + MY_ARENA, NULL)
