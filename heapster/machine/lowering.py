"""The native machine's operations in LLVM's language, one function each, and faults to plant in them.

libc gives memory and mutexes; `heapster_show` and `heapster_abort` are C beside it. errno is kept across
system calls: the allocator says ENOMEM itself, and only when it fails.
"""

from collections.abc import Mapping

from .hooked import hooked
from .orders import ATOMICS, ORDER_NAMES

WATCHING, HOOKED = "watched", "hooked"      # variants of the machine
LARGE = "large"                             # of what it may map

DECLARATIONS = """
declare ptr @memcpy(ptr, ptr, i64)
declare ptr @memset(ptr, i32, i64)
declare i64 @sbrk(i64)
declare i64 @mmap(i64, i64, i32, i32, i32, i64)
declare i32 @munmap(i64, i64)
declare i32 @madvise(i64, i64, i32)
declare i32 @mprotect(i64, i64, i32)
declare i64 @mremap(i64, i64, i64, i32, ...)
declare i32 @pthread_mutex_lock(i64)
declare i32 @pthread_mutex_unlock(i64)
declare ptr @__errno_location() memory(none)
declare void @heapster_show(i64, i64, i64, i64)
declare void @heapster_at_thread_end()
declare void @heapster_before_memory()
declare void @heapster_abort(i64, i64) noreturn cold

@__libc_single_threaded = extern_weak global i8
@heapster_watched_thread = external hidden global i64
@heapster_statics = hidden global [{statics_bytes} x i8] zeroinitializer, align 64
@heapster_thread = internal thread_local(initialexec) global [{thread_bytes} x i8] zeroinitializer, align 64
"""

ATOMIC_FUNCTIONS: Mapping[str, str] = {     # by kind; the orders are those of the table
    "load": """
define i64 @machine_{name}(i64 %a) {{
  %p = inttoptr i64 %a to ptr
  %word = load atomic i64, ptr %p {order}, align 8
  ret i64 %word
}}""",
    "store": """
define void @machine_{name}(i64 %a, i64 %word) {{
  %p = inttoptr i64 %a to ptr
  store atomic i64 %word, ptr %p {order}, align 8
  ret void
}}""",
    "cas": """
define i64 @machine_{name}(i64 %a, i64 %expected, i64 %word) {{
  %p = inttoptr i64 %a to ptr
  %pair = cmpxchg ptr %p, i64 %expected, i64 %word {order} {failed}, align 8
  %found = extractvalue {{ i64, i1 }} %pair, 0
  ret i64 %found
}}""",
    "exchange": """
define i64 @machine_{name}(i64 %a, i64 %word) {{
  %p = inttoptr i64 %a to ptr
  %found = atomicrmw xchg ptr %p, i64 %word {order}, align 8
  ret i64 %found
}}""",
}


def _atomic(name: str) -> str:
    atomic = ATOMICS[name]
    return ATOMIC_FUNCTIONS[atomic.kind].format(name=name, order=ORDER_NAMES[atomic.order],
                                                failed=ORDER_NAMES[atomic.failed])


def _of_pages(name: str, call: str) -> str:
    """A call of the system about `%length` bytes of pages at `%a`, which leaves errno as it was."""
    return f"""
define i64 @machine_{name}(i64 %a, i64 %length) {{
  %errno = call ptr @__errno_location()
  %kept = load i32, ptr %errno
  %refused = call i32 {call}
  store i32 %kept, ptr %errno
  %answer = sext i32 %refused to i64
  ret i64 %answer
}}"""


FUNCTIONS: Mapping[str, str] = {
    "load": """
define i64 @machine_load(i64 %a) {
  %p = inttoptr i64 %a to ptr
  %word = load i64, ptr %p, align 8
  ret i64 %word
}""",
    "store": """
define void @machine_store(i64 %a, i64 %word) {
  %p = inttoptr i64 %a to ptr
  store i64 %word, ptr %p, align 8
  ret void
}""",
    "load_any": """
define i64 @machine_load_any(i64 %a) {
  %p = inttoptr i64 %a to ptr
  %word = load i64, ptr %p, align 8
  %any = freeze i64 %word
  ret i64 %any
}""",
    **{name: _atomic(name) for name in ATOMICS},
    "copy": """
define void @machine_copy(i64 %target, i64 %source, i64 %count) {
  %to = inttoptr i64 %target to ptr
  %from = inttoptr i64 %source to ptr
  call ptr @memcpy(ptr %to, ptr %from, i64 %count)
  ret void
}""",
    "fill": """
define void @machine_fill(i64 %target, i64 %byte, i64 %count) {
  %to = inttoptr i64 %target to ptr
  %value = trunc i64 %byte to i32
  call ptr @memset(ptr %to, i32 %value, i64 %count)
  ret void
}""",
    # The system's pages are zero: nothing to do.
    "known_zero": """
define void @machine_known_zero(i64 %target, i64 %count) {
  ret void
}""",
    # To be written (1), and to stay near (3), as data (1).
    "prefetch": """
define void @machine_prefetch(i64 %a) {
  %p = inttoptr i64 %a to ptr
  call void @llvm.prefetch.p0(ptr %p, i32 1, i32 3, i32 1)
  ret void
}""",
    "sbrk": """
define i64 @machine_sbrk(i64 %delta) {
  %errno = call ptr @__errno_location()
  %kept = load i32, ptr %errno
  call void @heapster_before_memory()
  %old = call i64 @sbrk(i64 %delta)
  store i32 %kept, ptr %errno
  ret i64 %old
}""",
    # Readable and writable (3), private and anonymous (0x22): the same on every Linux.
    "mmap": """
define i64 @machine_mmap(i64 %length) {
  %errno = call ptr @__errno_location()
  %kept = load i32, ptr %errno
  call void @heapster_before_memory()
  %start = call i64 @mmap(i64 0, i64 %length, i32 3, i32 34, i32 -1, i64 0)
  store i32 %kept, ptr %errno
  ret i64 %start
}""",
    "munmap": _of_pages("munmap", "@munmap(i64 %a, i64 %length)"),
    # MADV_DONTNEED is 4. MADV_FREE would leave the pages counted as the process's until memory is short.
    "purge": _of_pages("purge", "@madvise(i64 %a, i64 %length, i32 4)"),
    # PROT_NONE is 0.
    "protect": _of_pages("protect", "@mprotect(i64 %a, i64 %length, i32 0)"),
    "unprotect": _of_pages("unprotect", "@mprotect(i64 %a, i64 %length, i32 3)"),
    # MREMAP_MAYMOVE is 1.
    "remap": """
define i64 @machine_remap(i64 %a, i64 %length, i64 %longer) {
  %errno = call ptr @__errno_location()
  %kept = load i32, ptr %errno
  %start = call i64 (i64, i64, i64, i32, ...) @mremap(i64 %a, i64 %length, i64 %longer, i32 1)
  store i32 %kept, ptr %errno
  ret i64 %start
}""",
    # A zeroed pthread_mutex_t is an unlocked one on Linux. While glibc knows of one thread only, nobody is
    # kept out by a lock (sys/single_threaded.h): none is taken.
    "lock": """
define void @machine_lock(i64 %mutex) {
  %known = icmp ne ptr @__libc_single_threaded, null
  br i1 %known, label %ask, label %take
ask:
  %flag = load i8, ptr @__libc_single_threaded
  %alone = icmp ne i8 %flag, 0
  br i1 %alone, label %done, label %take
take:
  call i32 @pthread_mutex_lock(i64 %mutex)
  br label %done
done:
  ret void
}""",
    # The flag may have changed since, around a fork; glibc's mutex starts with a word that is 0 while unlocked.
    "unlock": """
define void @machine_unlock(i64 %mutex) {
  %known = icmp ne ptr @__libc_single_threaded, null
  br i1 %known, label %ask, label %give
ask:
  %p = inttoptr i64 %mutex to ptr
  %taken = load i32, ptr %p
  %not_taken = icmp eq i32 %taken, 0
  br i1 %not_taken, label %done, label %give
give:
  call i32 @pthread_mutex_unlock(i64 %mutex)
  br label %done
done:
  ret void
}""",
    # In glibc's mutex and musl's, of the usual kind, the first word is 0 while unlocked: then it is as good as new, and
    # its page stays the parent's.
    "renew": """
define i64 @machine_renew(i64 %mutex) {
  %p = inttoptr i64 %mutex to ptr
  %word = load i64, ptr %p, align 8
  %unlocked = icmp eq i64 %word, 0
  br i1 %unlocked, label %done, label %make
make:
  call ptr @memset(ptr %p, i32 0, i64 64)
  br label %done
done:
  ret i64 %word
}""",
    "thread": """
define i64 @machine_thread() {
  %storage = call ptr @llvm.threadlocal.address.p0(ptr @heapster_thread)
  %word = ptrtoint ptr %storage to i64
  ret i64 %word
}""",
    "at_thread_end": """
define void @machine_at_thread_end() {
  call void @heapster_at_thread_end()
  ret void
}""",
    "statics": """
define i64 @machine_statics() {
  ret i64 ptrtoint (ptr @heapster_statics to i64)
}""",
    "set_errno": """
define void @machine_set_errno(i64 %code) {
  %errno = call ptr @__errno_location()
  %value = trunc i64 %code to i32
  store i32 %value, ptr %errno
  ret void
}""",
    "show": """
define void @machine_show(i64 %kind, i64 %a, i64 %size, i64 %used) {
  call void @heapster_show(i64 %kind, i64 %a, i64 %size, i64 %used)
  ret void
}""",
    "abort": """
define i64 @machine_abort(i64 %code, i64 %a) {
  call void @heapster_abort(i64 %code, i64 %a)
  unreachable
}""",
}

RESERVING: Mapping[str, str] = {    # a mapping of more than a GiB is a reservation: MAP_NORESERVE, 0x4000, beside
    "mmap": FUNCTIONS["mmap"].replace("  %start", """\
  %large = icmp ugt i64 %length, 1073741824
  %how = select i1 %large, i32 16418, i32 34
  %start""").replace("i32 3, i32 34,", "i32 3, i32 %how,"),
}


def _weaker(name: str) -> Mapping[str, str]:
    """The operation, done in the order of its weaker one."""
    return {name: _atomic(ATOMICS[name].weaker).replace(f"@machine_{ATOMICS[name].weaker}(", f"@machine_{name}(")}


ORDER_FAULTS: Mapping[str, Mapping[str, str]] = {       # which one thread alone never shows
    f"relaxed_{name}": _weaker(name) for name, atomic in ATOMICS.items() if atomic.weaker}
FAULTS: Mapping[str, Mapping[str, str]] = {
    "narrow_store": {"store": """
define void @machine_store(i64 %a, i64 %word) {
  %p = inttoptr i64 %a to ptr
  %low = trunc i64 %word to i32
  store i32 %low, ptr %p, align 8
  ret void
}"""},
    "dropped_unlock": {"unlock": """
define void @machine_unlock(i64 %mutex) {
  ret void
}"""},
    "clobbered_errno": {"sbrk": """
define i64 @machine_sbrk(i64 %delta) {
  %old = call i64 @sbrk(i64 %delta)
  ret i64 %old
}"""},
    "short_fill": {"fill": """
define void @machine_fill(i64 %target, i64 %byte, i64 %count) {
  %to = inttoptr i64 %target to ptr
  %value = trunc i64 %byte to i32
  %lines = and i64 %count, -16
  call ptr @memset(ptr %to, i32 %value, i64 %lines)
  ret void
}"""},
    "short_copy": {"copy": """
define void @machine_copy(i64 %target, i64 %source, i64 %count) {
  %to = inttoptr i64 %target to ptr
  %from = inttoptr i64 %source to ptr
  %less = sub i64 %count, 8
  call ptr @memcpy(ptr %to, ptr %from, i64 %less)
  ret void
}"""},
    "long_copy": {"copy": """
define void @machine_copy(i64 %target, i64 %source, i64 %count) {
  %to = inttoptr i64 %target to ptr
  %from = inttoptr i64 %source to ptr
  %small = icmp ult i64 %count, 2048
  %extra = select i1 %small, i64 8, i64 0
  %more = add i64 %count, %extra
  call ptr @memcpy(ptr %to, ptr %from, i64 %more)
  ret void
}"""},
    "wrong_thread": {"thread": """
define i64 @machine_thread() {
  ret i64 ptrtoint (ptr @heapster_statics to i64)
}"""},
}


INTRINSICS = """
declare ptr @llvm.threadlocal.address.p0(ptr)
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)
"""
WATCHED: Mapping[str, str] = {      # what differs where checkers play all threads on one, and watch the locks
    "lock": """
define void @machine_lock(i64 %mutex) {
  call i32 @pthread_mutex_lock(i64 %mutex)
  ret void
}""",
    "unlock": """
define void @machine_unlock(i64 %mutex) {
  call i32 @pthread_mutex_unlock(i64 %mutex)
  ret void
}""",
    "renew": """
declare i64 @heapster_watched_renew(i64)
define i64 @machine_renew(i64 %mutex) {
  %owned = call i64 @heapster_watched_renew(i64 %mutex)
  ret i64 %owned
}""",
    "thread": """
define i64 @machine_thread() {
  %word = load i64, ptr @heapster_watched_thread
  ret i64 %word
}""",
}


def lowering(statics_bytes: int, thread_bytes: int, fault: str = "", variant: str = "", large: str = "") -> str:
    """The machine as LLVM assembly, with a fault planted if one is named; `WATCHING` or `HOOKED` is a variant.

    `LARGE` lets it map what the system has no memory for: addresses, of which few are used.
    """
    faulty = {**FAULTS, **ORDER_FAULTS}[fault] if fault else {}
    watched, roomy = WATCHED if variant == WATCHING else {}, RESERVING if large == LARGE else {}
    functions = {**FUNCTIONS, **watched, **roomy, **faulty}
    storage = DECLARATIONS.format(statics_bytes=statics_bytes, thread_bytes=thread_bytes)
    body = storage + "".join(functions.values())
    body = hooked(body) if variant == HOOKED else body
    return body.replace(") {", ") alwaysinline {") + INTRINSICS
