"""What the shares of a run find, as it comes: each fault once, and at the end in an order that time has no part in."""

from collections.abc import Callable, Iterable
from itertools import chain

from heapster.checkers.blackbox.known_faults import Known, KnownFaults
from heapster.checkers.blackbox.pursuit import Shown
from heapster.checkers.blackbox.root_cause import is_same_fault
from heapster.checkers.blackbox.sharing import ShareDone, ShareFound, ShareNoticed, ShareSoFar, summed
from heapster.checkers.blackbox.tally import Tally
from heapster.checkers.jobs.pool import unheard
from heapster.model.spec import Promises
from heapster.results import Finding

Show = Callable[[Shown, Promises], Finding]


class Collected:
    """The findings of a run, and how far its shares are.

    A fault that shares find each on its own is shown once: as the first that comes. At the end it is as the
    lowest share found it, whichever was faster; so a seed and a number of shares give the same findings.
    """

    def __init__(self, show: Show, drop: Callable[[str], None], progress: Callable[[Tally, int], None],
                 noticed: Callable[[Finding], None] = unheard) -> None:
        self._show, self._drop, self._progress, self._noticed = show, drop, progress, noticed
        self._told: list[ShareFound] = []
        self._shown: dict[str, Finding] = {}            # as it is kept, by the id that its share gave it
        self._far: dict[int, ShareDone] = {}
        self._noted: dict[int, list[ShareFound]] = {}   # whose lines shares look for, by the share

    def hear(self, told: ShareNoticed | ShareFound | ShareSoFar) -> None:
        """Take in what a share tells."""
        if isinstance(told, ShareSoFar):
            self._far[told.part] = told.done
            self._noted.pop(told.part, None)
            so_far = summed(list(self._far.values()))
            self._progress(so_far.tally, len(self._shown))
            return
        if isinstance(told, ShareNoticed):
            part, shown, _ = told.found
            self._far[part] = told.done
            self._noted.setdefault(part, []).append(told.found)
            self._noticed(shown.finding)
            return
        self._take(told)

    def _take(self, told: ShareFound) -> None:
        if not any(_is_one(told, other) for other in self._told):
            self._keep(told)
        self._told.append(told)

    def _keep(self, told: ShareFound) -> None:
        self._shown[told.shown.finding.id] = self._show(told.shown, told.promises)

    def all(self, shares: Iterable[ShareDone]) -> ShareDone:
        """What the shares came to; of those that are interrupted, as far as they have told.

        What they were looking for the lines of is kept then as it was noticed.
        """
        ended: list[ShareDone] = []
        try:
            ended.extend(shares)
        except KeyboardInterrupt:
            ended = list({**self._far, **dict(enumerate(ended))}.values())
            if not ended:
                raise
            ended[0].interrupted = True
        done = summed(ended)
        if done.interrupted:
            for found in chain.from_iterable(self._noted.values()):
                self._take(found)
        return done

    def findings(self) -> list[Finding]:
        """Each fault as the lowest share found it; what was shown of it otherwise is dropped."""
        lowest: list[ShareFound] = []
        for told in sorted(self._told, key=lambda found: found.part):
            if not any(_is_one(told, other) for other in lowest):
                lowest.append(told)
        chosen = {told.shown.finding.id: told for told in lowest}
        for told in lowest:
            if told.shown.finding.id not in self._shown:
                self._keep(told)
        for identity in self._shown.keys() - chosen.keys():
            self._drop(self._shown[identity].id)
        return [self._shown[identity] for identity in chosen]


def _is_one(one: ShareFound, other: ShareFound) -> bool:
    """Whether two shares have found the same fault; what a share has found, it has told apart itself."""
    first, second = one.shown, other.shown
    if first.finding.id == second.finding.id:
        return True
    if one.part == other.part:
        return False
    if is_same_fault(first.finding, second.finding):
        return True
    if first.known is None or second.known is None:
        return False
    return _explains(first.known, second.known) or _explains(second.known, first.known)


def _explains(one: Known, other: Known) -> bool:
    faults = KnownFaults()
    faults.add(one)             # as if one campaign had found both: from then on it would pass over what is harmless
    return (other.code, other.verb) in faults.masked or faults.same_shape(other) or faults.is_one_with(other)
