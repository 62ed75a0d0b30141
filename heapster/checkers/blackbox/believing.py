"""Which line is named first, of what a failure was seen to do and of what mends it; and how sure that is."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

from heapster.checkers.blackbox.accesses import NO_STEP, Suspect
from heapster.checkers.blackbox.repairing import FEW_CHANGES, Repair
from heapster.checkers.blackbox.root_cause import GUESSED
from heapster.checkers.blackbox.variant_list import FORCED, LACKING
from heapster.checkers.targets.lines import Frame
from heapster.results import Place

BEFORE, AFTER = 3, 2            # lines of an excerpt around the one in question
MOST_TOLD = 2                   # lines of which a change makes all pass, beside one that is named for another reason
MOST_ALSO = 3                   # further lines that are told of
ALL_MENDED = "written otherwise, all passes"
PARTLY_MENDED = "written otherwise, this passes, and more of the rest does: the fault may lie elsewhere"
LOADS_ANYTHING = "written otherwise, all passes, but what is done hangs on bytes that nobody wrote, or a caller's"
PASSED_OVER = "written otherwise, all passes, as lines are no longer come by: the fault may lie there"
ONLY_SO = "written otherwise, all passes, but not what is nearly the same: the fault may lie elsewhere"
SELDOM_A_SLIP = "written otherwise, all passes, but nobody slips so: the fault may lie elsewhere"
CUT_SHORT = "written otherwise, all passes, but not all was tried that is as likely"
AS_ELSEWHERE = "written otherwise, all passes, as it does by a change elsewhere"
BESIDE = 1                      # lines away: of one statement, or what stands next to it

Known = tuple[Suspect, tuple[Frame, ...]]        # an access that it may come from, and where that is


def best_place(known: list[Known], repairs: list[Repair], *, is_short: bool = False) -> Place | None:
    """The line that mends it, if one does that the accesses do not speak against; else the likeliest access."""
    if not repairs:
        return _of_accesses(known)
    best = repairs[0]
    seen = [frame for _, frames in known for frame in frames]
    if _is_doubtful(best, repairs) and known and distance_of(best, seen) > 0:
        place = _of_accesses(known)
        return place and replace(place, also=(*_told(repairs), *place.also)[:MOST_ALSO])
    others = dict.fromkeys(f"{frames[0].words}: {suspect.why}" for suspect, frames in known)
    mended = _frame_of(best)
    shown = [frame for suspect, frames in known if not suspect.why.endswith(GUESSED) for frame in frames]
    as_good = rivals(best, repairs) if distance_of(best, shown) > 0 else ()
    same = next((frames for _, frames in known if _is_at(frames[0], mended)), ())
    doubt = AS_ELSEWHERE if as_good else _doubt(best) or (CUT_SHORT if is_short else "")
    if doubt:
        next_best = (told for told in _told(repairs) if not told.startswith(f"{mended.words}:"))
        also = tuple(dict.fromkeys((*as_good, *next_best, *others)))[:MOST_ALSO]
        place = at(mended, f"{doubt}: {best.mended.strip()}", same, also)
    else:
        place = at(mended, ALL_MENDED, same, tuple(others)[:MOST_ALSO], best.mended)
    return replace(place, step=next((_step(suspect) for suspect, frames in known if frames == same), -1))


def _doubt(best: Repair) -> str:
    """Why a line is not called the one that is wrong, though all passes with another; nothing if there is no doubt."""
    if best.partly or best.loads:
        return PARTLY_MENDED if best.partly else LOADS_ANYTHING
    if best.hides or best.idles or best.avoids and best.changes:
        return PASSED_OVER
    if best.narrow:
        return ONLY_SO
    return SELDOM_A_SLIP if best.variant.odd else ""


def _told(repairs: list[Repair]) -> tuple[str, ...]:
    """The lines of which a change makes all pass, what is believed most first."""
    lines = {(one.file, one.variant.line): one for one in reversed(repairs)}
    first = sorted(lines.values(), key=repairs.index)[:MOST_TOLD]
    return tuple(f"{_frame_of(one).words}: {AS_ELSEWHERE}: {one.mended.strip()}" for one in first)


def _frame_of(repair: Repair) -> Frame:
    return Frame(repair.function, str(repair.file), repair.variant.line)


def _is_doubtful(best: Repair, repairs: list[Repair]) -> bool:
    """Whether it may only hide the fault: a part of the target is turned off, or what is changed nobody slips in."""
    variant = best.variant
    alone = len({one.variant.after for one in repairs if one.standing() == best.standing()}) == 1
    if variant.rank == LACKING:
        return best.hides or best.avoids or bool(best.changes) and not alone
    return best.hides or variant.rank == FORCED or variant.odd and bool(best.changes)


def rivals(best: Repair, repairs: list[Repair]) -> tuple[str, ...]:
    """What is believed as much, or less only as it gives other addresses, and lies elsewhere: either may be wrong.

    Or it is the believed one that gives others, as a larger page does, and this one none. Or neither does, and by this
    one the trace goes another way: what a wrong word leads to is mended there, or where it is written.

    What mends a size always gives other addresses: of the same function that says nothing.
    """
    others = (one for one in repairs if one.function != best.function or
              abs(one.variant.line - best.variant.line) > BESIDE)
    told = [f"{_frame_of(one).words}: {AS_ELSEWHERE}: {one.mended.strip()}" for one in others
            if one.variant.rank <= best.variant.rank and one.standing() == best.standing() or
            one.function != best.function and _may_be_it(one, best)]
    return tuple(dict.fromkeys(told))


def _may_be_it(one: Repair, best: Repair) -> bool:
    """Whether what is done in another function than the believed may be what is meant, though less speaks for it."""
    if best.changes <= FEW_CHANGES < one.changes:
        return one.is_sound and one.variant.rank <= best.variant.rank
    if best.changes > FEW_CHANGES:
        as_many = one.changes > FEW_CHANGES and one.variant.rank < FORCED
        return one.is_surgical or as_many and one._replace(avoids=False, changes=best.changes).standing() == (
            best.standing())
    return one.is_surgical and best.is_surgical


def _of_accesses(known: list[Known]) -> Place | None:
    """The first of the suspects, the others told beside it."""
    if not known:
        return None
    suspect, frames = known[0]
    also = dict.fromkeys(f"{others[0].words}: {other.why}" for other, others in known[1:]
                         if others[0][:3] != frames[0][:3])
    place = at(frames[0], suspect.why, frames, tuple(also)[:MOST_ALSO])
    return replace(place, step=_step(suspect), guess=suspect.why.endswith(GUESSED))


def _step(suspect: Suspect) -> int:
    """The step of the trace that did it; -1 before all."""
    step = suspect.moment.event.step
    return -1 if step == NO_STEP else step


def _is_at(frame: Frame, other: Frame) -> bool:
    return frame.line == other.line and Path(frame.file).name == Path(other.file).name


def distance_of(repair: Repair, seen: list[Frame], functions: Collection[str] = ()) -> int:
    """How far it is from what was seen: on such a line, in such a function, elsewhere."""
    here = _frame_of(repair)
    if any(_is_at(frame, here) for frame in seen):
        return 0
    known = {_unqualified(name) for name in (*functions, *(frame.function for frame in seen))}
    return 1 if repair.function in known else 2


def _unqualified(function: str) -> str:
    """A function of C++ without its namespaces, its class and its parameters, as its source names it."""
    return function.partition("(")[0].rpartition("::")[2]


def at(frame: Frame, why: str, frames: Iterable[Frame] = (), also: tuple[str, ...] = (), mended: str = "") -> Place:
    """A place with the lines around it."""
    return Place(shown_path(frame.file), frame.line, frame.named, why,
                 tuple(one.words for one in frames), excerpt(Path(frame.file), frame.line), mended, also,
                 0 if frame.line else frame.address)


def shown_path(file: str) -> str:
    """A path as people say it: from here, if it lies here."""
    path = Path(file).resolve() if file else Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file


def excerpt(file: Path, line: int) -> tuple[str, ...]:
    """The lines around one, numbered, with a mark at it; none if they cannot be read."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace").splitlines() if line else []
    except OSError:
        return ()
    first, last = max(1, line - BEFORE), min(len(text), line + AFTER)
    return tuple(f"{'>' if number == line else ' '} {number:>5} | {text[number - 1]}"
                 for number in range(first, last + 1))

