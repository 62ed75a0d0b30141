"""A program run under one schedule after another, each from the same start, and judged."""

from collections.abc import Callable
from typing import Any, NamedTuple

from heapster.checkers.races import judge
from heapster.checkers.races.child import check_child
from heapster.checkers.races.clocks import Clocks
from heapster.checkers.races.programs import KINDS, Op, Program, handovers
from heapster.checkers.targets.source import Source
from heapster.impl import layout
from heapster.impl.layout import ALL_ARENAS, ONLY_MAPPINGS, STATS_BYTES, WORD
from heapster.impl.run_layout import RUN_SHIFT
from heapster.machine.protocol import REFUSED, Aborted, MachineFault
from heapster.machine.simulated import Simulated
from heapster.machine.traced import FORK_OBJECT, Broken, Old, Segment, Traced, forked
from heapster.machine.watch import Chooser
from heapster.model.misuse import abort_name
from heapster.model.operations import ROWS, STATING, Does, OperationRow, Stated, alignment_asked, release_stating
from heapster.model.problem import Problem
from heapster.model.spec import Operation, Result

READ_UNDER_WAY = (0, 1, ONLY_MAPPINGS)  # arenas whose statistics are read
MOST_KNOWN = 512                        # states that are remembered
TAGGED_FRONT, TAGGED_BACK = 4, 2        # words of a payload that are written and verified
QUEUED_BYTES = 24
ROOM = 1 << 36                          # bytes that the system has where a reservation is asked for
QUEUEING_THREAD = 59                    # no program has as many


class ScheduleProblem(NamedTuple):
    """A problem, and the threads and places that it came of."""

    code: str
    message: str
    address: int = 0
    thread: int = -1            # that was running
    other: int = -1             # whose access raced with it
    places: tuple[int, int] = (0, 0)    # in the code of a target, of the two accesses


class ScheduleRun(NamedTuple):
    """A run: what it was, and what went wrong, if anything did."""

    problem: ScheduleProblem | None
    segments: tuple[Segment, ...]
    steps: int
    calls: int = 0              # of the allocator that were made
    last: tuple[int, ...] = ()  # each lane's operation that was under way or done last
    old: tuple[Old, ...] = ()   # accesses that met an older write than the newest


class LaneBlock:
    """A block in a program's hands."""

    __slots__ = ("alignment", "pointer", "request", "serial")

    def __init__(self, pointer: int, request: int, serial: int, alignment: int | None = None) -> None:
        self.pointer, self.request, self.serial, self.alignment = pointer, request, serial, alignment

    def words(self) -> dict[int, int]:
        """Addresses of the words that are watched, and their tags, which as headers are impossible."""
        count = self.request // WORD if self.pointer else 0
        picked = {*range(min(count, TAGGED_FRONT)), *range(max(0, count - TAGGED_BACK), count)}
        return {self.pointer + i * WORD: -(self.serial << 32) - 16 * i - 1 for i in picked}


Play = Callable[[Op], tuple[Operation, Result] | None]
MachineMaker = Callable[[Simulated, int, Chooser, Clocks], Traced]


class Session:
    """A program and the machine as its prologue left it."""

    def __init__(self, program: Program, source: Source) -> None:
        self.program, self.source = program, source
        self.threads = len(program.lanes)
        self.links = handovers(program)
        self.base = Simulated(ROOM) if source.has_spans else Simulated()
        self.held: dict[int, LaneBlock] = {}
        self.wrong_start: ScheduleProblem | None = None
        self._whole: set[Any] = set()               # heaps at rest that were found to be whole
        self._sound: set[Any] = set()               # what had been made of the base where they were, or a child's was
        self.moments: set[Any] = set()              # when, by what had run, heaps were
        try:
            player = ProgramPlayer(self, self.base, self.held)
            for op in program.prologue:
                player.play(0, op)
            self.base.calls.clear()
        except (MachineFault, Aborted, Broken) as error:
            self.wrong_start = _problem(error, 0)
        except (NameError, AttributeError) as error:
            self.wrong_start = _unrunnable(error, self.base, 0)

    def run(self, chooser: Chooser, machine: MachineMaker = Traced) -> ScheduleRun:
        """One run; Pruned passes through."""
        if self.wrong_start is not None:
            return ScheduleRun(self.wrong_start, (), 0)
        m = machine(self.base, self.threads, chooser, Clocks(self.threads))
        held = {block: LaneBlock(h.pointer, h.request, h.serial, h.alignment) for block, h in self.held.items()}
        player = ProgramPlayer(self, m, held)
        try:
            m.run([player.body(lane) for lane in range(self.threads)])
            problem = self._judge(m, player)
        except (MachineFault, Aborted, Broken) as error:
            problem = _problem(error, m.running)
        except RecursionError:
            problem = ScheduleProblem("fault_hang", "a call recurses without end", thread=m.running)
        except (NameError, AttributeError) as error:
            problem = _unrunnable(error, m, m.running)
        finally:
            m.let_go()
        return ScheduleRun(problem, tuple(m.finished_segments()), m.steps, player.calls, tuple(player.last),
                           tuple(m.old))

    def _judge(self, m: Traced, player: "ProgramPlayer") -> ScheduleProblem | None:
        refused = any(call.answer == REFUSED for call in m.calls)
        reason = judge.unexplained(player.events, self._start(), refused)
        if reason is None:
            reason = judge.damaged(m.at_rest(), player.held.values())
        if reason is None:
            reason = self.not_whole(m, player.held)
        return None if reason is None else ScheduleProblem(*reason)

    def not_whole(self, m: Traced, held: dict[int, LaneBlock]) -> Problem | None:
        """Why the heap at rest is not as it must be; of runs that left the same, one is asked."""
        left = (m.difference(), frozenset([block.pointer for block in held.values()]))
        if left in self._sound:
            return None
        reason = judge.not_whole(m.at_rest(), held.values(), self._whole, spans=self.source.has_spans)
        if reason is None:
            self._note_sound(left)
        return reason

    def fork(self, m: Simulated, blocks: list[tuple[int, int]]) -> None:
        """Broken unless a child forked now can use its heap; of runs that fork alike, one is asked."""
        if not isinstance(m, Traced):
            check_child(self.source, forked(m), blocks)
            return
        m.arrive("fork", FORK_OBJECT)
        found = (m.difference(), m.running, *blocks)
        if found not in self._sound:
            check_child(self.source, forked(m), blocks)
            self._note_sound(found)

    def _note_sound(self, left: tuple[Any, ...]) -> None:
        if len(self._sound) >= MOST_KNOWN:
            self._sound.clear()
        self._sound.add(left)

    def _start(self) -> list[tuple[int, int]]:
        return [(h.pointer, h.request) for h in self.held.values() if h.pointer]


def _problem(error: MachineFault | Aborted | Broken, thread: int) -> ScheduleProblem:
    if isinstance(error, Aborted):
        said = "the allocator noticed misuse where there is none"
        return ScheduleProblem(f"aborted_{abort_name(error.code)}", said, error.address, thread)
    if isinstance(error, MachineFault):
        return ScheduleProblem(f"fault_{error.code}", str(error), error.address, thread)
    return ScheduleProblem(error.code, error.message, error.address, thread, error.other)


def _unrunnable(error: NameError | AttributeError, m: Simulated, thread: int) -> ScheduleProblem:
    """The source uses a name that it does not have, or what no machine does."""
    if isinstance(error, AttributeError) and error.obj is not m:
        raise error
    what = str(error) if isinstance(error, NameError) else f"no machine has an operation '{error.name}'"
    return ScheduleProblem("not_a_program", f"the source cannot run: {what}", thread=thread)


class ProgramPlayer:
    """Plays the operations of a program on a machine, and notes what their callers saw."""

    def __init__(self, session: Session, m: Any, held: dict[int, LaneBlock]) -> None:
        self._session, self._m, self.held = session, m, held
        self._source = session.source
        self.events: list[judge.CallEvent] = []
        self._inside: set[int] = set()              # lanes that are inside a call
        self.calls = 0
        self.last = [0] * session.threads
        self._plays: dict[str, Play] = {
            **{row.letter: self._of(row) for row in ROWS if row.letter},
            "i": self._free_marked, "s": self._stats, "y": self._stats, "z": self._finalize, "k": self._fork,
            "x": self._fail, "q": self._queue, "R": self._leave_alone, "e": self._end, "v": self._realloc_alike,
        }

    def body(self, lane: int) -> Callable[[], None]:
        """What the thread of a lane does."""
        return lambda: self._play_lane(lane)

    def _play_lane(self, lane: int) -> None:
        m = self._m
        for index, op in enumerate(self._session.program.lanes[lane]):
            awaited, given = self._session.links.get((lane, index), ((), ()))
            for block in awaited:
                m.wait(block)
            m.enter()
            m.errno = 0
            self.calls += 1
            self.last[lane] = index
            self._inside.add(lane)
            call = self.play(lane, op)
            self._inside.discard(lane)
            if lane in m.owners.values():
                mutex = min(a for a, owner in m.owners.items() if owner == lane)
                raise Broken("lost_unlock", f"thread {lane} comes back from {KINDS[op.code].name} and still owns "
                                            f"the mutex at {mutex:#x}", mutex)
            if call is not None:
                self.events.append(judge.CallEvent(lane, m.entered[lane], m.steps, *call))
            if not self._inside:
                self._expect_rest()
            for block in given:
                m.announce(block)

    def _expect_rest(self) -> None:
        """Broken if the heap is not whole while nobody is inside a call; runs that begin alike are asked once."""
        moment = (tuple(self._m.segments), tuple(self._m.old), self._m.steps)
        if moment not in self._session.moments:
            reason = self._session.not_whole(self._m, self.held)
            if reason is not None:
                raise Broken(*reason)
            self._session.moments.add(moment)

    def play(self, lane: int, op: Op) -> tuple[Operation, Result] | None:
        """Play one operation; what its caller saw, if the specification speaks of it."""
        if op.code in SETTINGS:
            SETTINGS[op.code](self._source, self._m, *op.numbers)
            return None
        return self._plays[op.code](op)

    def _seen(self, verb: str, numbers: tuple[int, ...], pointer: int, result: Result) -> tuple[Operation, Result]:
        return Operation(verb, numbers, pointer), result._replace(errno=self._m.errno)

    def _new(self, verb: str, op: Op, pointer: int, dirty: int | None = None) -> tuple[Operation, Result]:
        """Note and tag a block that was just given."""
        seen = self._seen(verb, (1, *op.numbers) if verb == "calloc" else op.numbers, 0,
                          Result(pointer, dirty=dirty))
        held = self.held[op.block] = LaneBlock(pointer, op.numbers[-1], op.block + 1, alignment_asked(seen[0]))
        self._tag(held)
        return seen

    def _tag(self, held: LaneBlock) -> None:
        for address, word in held.words().items():
            self._m.store(address, word)

    def _first_damage(self, held: LaneBlock) -> int | None:
        """Offset of the first watched word that is not as it was written."""
        return next((a - held.pointer for a, word in held.words().items() if self._m.load(a) != word), None)

    def _expect_whole(self, held: LaneBlock) -> None:
        offset = self._first_damage(held)
        if offset is not None:
            raise Broken("contents_damaged", f"byte {offset} of block {held.serial - 1} is not what its owner wrote",
                         held.pointer + offset)

    def _of(self, row: OperationRow) -> Play:
        """How a call of malloc's family is played."""
        if Does.RELEASES in row.does:
            return self._release
        if Does.RESIZES in row.does:
            return self._realloc
        if Does.ASKS in row.does:
            return self._usable
        return self._calloc if row.requests == "product" else self._allocate

    def _allocate(self, op: Op) -> tuple[Operation, Result]:
        verb = KINDS[op.code].name
        return self._new(verb, op, getattr(self._source.api, verb)(self._m, *op.numbers))

    def _calloc(self, op: Op) -> tuple[Operation, Result]:
        pointer = self._source.api.calloc(self._m, 1, *op.numbers)
        words = LaneBlock(pointer, op.numbers[0], 0).words()
        dirty = next((a - pointer for a in words if self._m.load(a) != 0), None)
        return self._new("calloc", op, pointer, dirty)

    def _realloc(self, op: Op) -> tuple[Operation, Result]:
        held = self.held[op.block]
        self._expect_whole(held)
        before = held.pointer
        pointer = self._source.api.realloc(self._m, before, op.numbers[0])
        lost = None
        if pointer:
            kept = LaneBlock(pointer, min(held.request, op.numbers[0]), held.serial)
            front = {a: w for a, w in kept.words().items() if a < pointer + TAGGED_FRONT * WORD} if before else {}
            lost = next((a - pointer for a, word in front.items() if self._m.load(a) != word), None)
        seen = self._seen("realloc", op.numbers, before, Result(pointer, prefix_lost=lost))
        if pointer:
            held.pointer, held.request, held.alignment = pointer, op.numbers[0], None
            self._tag(held)
        return seen

    def _release(self, op: Op) -> tuple[Operation, Result]:
        """The block is freed; of what says what it was asked for with, by what says so of such a block."""
        held = self.held[op.block]
        self._expect_whole(held)
        del self.held[op.block]
        verb = KINDS[op.code].name
        verb, numbers = release_stating(Stated(held.alignment, held.request)) if verb in STATING else (verb, ())
        getattr(self._source.api, verb)(self._m, held.pointer, *numbers)
        return self._seen(verb, numbers, held.pointer, Result())

    def _free_marked(self, op: Op) -> tuple[Operation, Result]:
        """Free a block in which its caller has written what marks one that waits to be used again."""
        held = self.held[op.block]
        self._expect_whole(held)
        held.request = 0                            # it no longer holds what was written into it at first
        key = self._m.load(self._m.statics() + layout.KEY)
        self._m.store(held.pointer, 0)              # the link of a block that waits alone
        self._m.store(held.pointer + layout.MARK, key - held.pointer)
        return self._release(op._replace(code="f"))

    def _usable(self, op: Op) -> tuple[Operation, Result]:
        pointer = self.held[op.block].pointer
        usable = self._source.api.usable_size(self._m, pointer)
        return self._seen("usable_size", (), pointer, Result(usable=usable))

    def _stats(self, op: Op) -> None:
        """Of what programs use, or of all: 60 idle arenas only add their locks."""
        out = self._m.outside(STATS_BYTES)
        for which in READ_UNDER_WAY if op.code == "s" else (ALL_ARENAS,):
            self._source.stats.stats(self._m, which, out)
            judge.expect_sane([self._m.load(out + i * WORD) for i in range(STATS_BYTES // WORD)])

    def _finalize(self, op: Op) -> tuple[Operation, Result]:
        self.held.clear()
        self._source.lifecycle.finalize(self._m)
        return self._seen("finalize", (), 0, Result())

    def _fork(self, op: Op) -> None:
        """The child has only the thread that forked, and the memory and locks as they were, whoever owned them."""
        self._session.fork(self._m, self._blocks_of(self._m.running))

    def _blocks_of(self, lane: int) -> list[tuple[int, int]]:
        """The blocks that no other lane uses: payload and bytes."""
        others = {op.block for other, ops in enumerate(self._session.program.lanes) if other != lane for op in ops}
        return [(h.pointer, h.request) for block, h in self.held.items() if h.pointer and block not in others]

    def _queue(self, op: Op) -> None:
        """Blocks of thread 0's arena wait on its remote list, where a thread left them that has ended."""
        blocks = [self._source.api.malloc(self._m, QUEUED_BYTES) for _ in range(*op.numbers)]
        self._m.on_thread(QUEUEING_THREAD)
        for block in blocks:
            self._source.api.free(self._m, block)
        self._end(op)
        self._m.on_thread(0)

    def _leave_alone(self, op: Op) -> None:
        """All other slots of the block's run were handed out and came back, and its class has another run to cut."""
        held = self.held[op.block]
        others = [held.pointer]
        while others[-1] >> RUN_SHIFT == held.pointer >> RUN_SHIFT:
            others.append(self._source.api.malloc(self._m, held.request))
        for other in others[1:]:
            self._source.api.free(self._m, other)
        self._source.trim.trim(self._m, 0)

    def _realloc_alike(self, op: Op) -> None:
        """The block is resized to the size that it has, over and over: steps of an epoch, if it is a mapped one."""
        held = self.held[op.block]
        for _ in range(*op.numbers):
            self._source.api.realloc(self._m, held.pointer, held.request)

    def _end(self, op: Op) -> None:
        """The thread ends, and another begins under its number."""
        self._source.thread_cache.thread_end(self._m)
        self._m.new_thread()

    def _fail(self, op: Op) -> None:
        self._m.refuse(op.name, *op.numbers)


Setting = Callable[..., None]


def ship(source: Source, m: Any) -> None:
    """Set what the compiled library sets when it is loaded."""
    source.settings.set_policy(m, layout.DEFAULT_POLICY)
    source.settings.set_cache(m, layout.DEFAULT_CACHE)
    source.retained.set_keep(m, layout.DEFAULT_KEEP)


SETTINGS: dict[str, Setting] = {        # what needs no looking after
    "o": ship,
    "j": lambda source, m: source.settings.set_hardened(m, 1),
    "w": lambda source, m: source.stats.status(m),
    "p": lambda source, m, policy: source.settings.set_policy(m, policy),
    "t": lambda source, m, threshold: source.settings.set_threshold(m, threshold),
    "g": lambda source, m, growth: source.settings.set_growth(m, growth),
    "n": lambda source, m, count: source.settings.set_arenas(m, count),
    "h": lambda source, m, most: source.settings.set_cache(m, most),
    "l": lambda source, m, most: source.retained.set_keep(m, most),
    "d": lambda source, m, pad: source.trim.trim(m, pad),
}
