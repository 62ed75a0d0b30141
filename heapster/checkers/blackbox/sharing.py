"""A share of a run against a stranger's allocator: a campaign somewhere, what it tells as it goes and came to."""

from collections.abc import Callable, Sequence
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass
from typing import NamedTuple

from heapster.checkers.blackbox.build import judge_program
from heapster.checkers.blackbox.campaign import Campaign
from heapster.checkers.blackbox.counting import Counts
from heapster.checkers.blackbox.guiding import Guiding
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.options import ForeignOptions
from heapster.checkers.blackbox.probing import Learnt
from heapster.checkers.blackbox.pursuit import Shown
from heapster.checkers.blackbox.schedule import CaseKind, CasePart
from heapster.checkers.blackbox.tally import Tally
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.checkers.jobs.forked import Tell
from heapster.checkers.targets.opening import resolve
from heapster.children import processor_seconds
from heapster.model.operation import Trace
from heapster.model.spec import Promises

BETWEEN_LOOKS = 0.5             # seconds of processor time, after which a share tells how far it is


class Share(NamedTuple):
    """What one campaign is given to do."""

    options: ForeignOptions
    first: tuple[Trace, ...]            # that failed before
    part: CasePart
    judged: ForeignTarget | None        # the target as it is loaded, perhaps compiled in another way; None: as named


class ShareFound(NamedTuple):
    """A finding of a share."""

    part: int
    shown: Shown
    promises: Promises


class ShareNoticed(NamedTuple):
    """A finding of a share whose line it begins to look for, and how far the share is."""

    found: ShareFound
    done: "ShareDone"


class ShareSoFar(NamedTuple):
    """How far a share is."""

    part: int
    done: "ShareDone"
    findings: int


@dataclass
class ShareDone:
    """What campaigns came to, all together."""

    tally: Tally
    counts: Counts
    learnt: Learnt
    kinds: dict[str, dict[str, float]]
    waited: dict[str, int]              # turns of kinds that take too long
    notes: list[str]                    # what is not checked, and not of threads
    idle: dict[str, str]                # checks of threads: why they were passed over
    corpus: dict[str, object]
    interrupted: bool

    def add(self, other: "ShareDone") -> None:
        """Count what another campaign came to as well."""
        self.tally.add(other.tally)
        self.counts.add(other.counts)
        for name, kind in other.kinds.items():
            mine = self.kinds.setdefault(name, {})
            self.kinds[name] = {what: round(mine.get(what, 0) + number, 3) for what, number in kind.items()}
        self.notes += [note for note in other.notes if note not in self.notes]
        self.idle = {**other.idle, **self.idle}
        for name, times in other.waited.items():
            self.waited[name] = self.waited.get(name, 0) + times
        self.corpus = _together(self.corpus, other.corpus)
        self.interrupted |= other.interrupted


def summed(parts: Sequence[ShareDone]) -> ShareDone:
    """What they came to together; the first says what was learnt. Requires: there is one."""
    whole = deepcopy(parts[0])
    for part in parts[1:]:
        whole.add(part)
    return whole


def _together(one: dict[str, object], other: dict[str, object]) -> dict[str, object]:
    """Figures of a corpus that several have added to: each may know edges that the others do not."""
    if not one or not other:
        return one or other
    mine, others = (figures["corpus"] for figures in (one, other))
    assert isinstance(mine, dict)
    assert isinstance(others, dict)
    return {"corpus": {**mine, "added": mine["added"] + others["added"], "edges": max(mine["edges"], others["edges"])}}


def campaigned(share: Share, tell: Tell) -> ShareDone:
    """Run the campaign of a share; it tells each finding as `ShareNoticed`, then as `ShareFound`."""
    options = share.options
    judged = share.judged or resolve(options)
    with Guiding(judged, options.corpus) as guiding, Judge(judge_program(judged.bits, None), judged) as judge:
        looks = _Looks(share.part.number, tell)
        campaign = Campaign(judge, options.seconds, options.seed, options.alignment, options.threads, looks.take,
                            share.first, lines=True, guiding=guiding, part=share.part)
        looks.look = lambda: _done(campaign)
        campaign.noticed = lambda shown: tell(
            ShareNoticed(ShareFound(share.part.number, shown, campaign.promises), _done(campaign)))
        try:
            with closing(campaign.found()) as found:
                for shown in found:
                    tell(ShareFound(share.part.number, shown, campaign.promises))
        except KeyboardInterrupt:               # as a finding is kept: that ends the campaign as any other does
            campaign.interrupted = True
        return _done(campaign)


class _Looks:
    """Tells how far a campaign is, as often as makes sense."""

    def __init__(self, part: int, tell: Tell) -> None:
        self._part, self._tell, self._last = part, tell, processor_seconds()
        self.look: Callable[[], ShareDone] | None = None

    def take(self, _: Tally, findings: int) -> None:
        """It has run one more case."""
        now = processor_seconds()
        if self.look is not None and now - self._last >= BETWEEN_LOOKS:
            self._last = now
            self._tell(ShareSoFar(self._part, self.look(), findings))


def _done(campaign: Campaign) -> ShareDone:
    guidance = campaign.guiding.guidance if campaign.guiding else None
    kinds = campaign.schedule.kinds
    return ShareDone(campaign.tally, campaign.counts, campaign.learnt, {kind.name: _figures(kind) for kind in kinds},
                {kind.name: kind.waited for kind in kinds if kind.waited}, _notes(campaign), campaign.threads_idle,
                guidance.figures() if guidance else {}, campaign.interrupted)


def _figures(kind: CaseKind) -> dict[str, float]:
    return {"cases": kind.done, "ops": kind.ops, "processor_seconds": round(kind.seconds, 3), "waited": kind.waited}


def _notes(campaign: Campaign) -> list[str]:
    notes = []
    if campaign.judge.header.addresses_vary:
        notes.append("the same addresses twice: the system refuses personality(2), so a seed may give other findings")
    notes += campaign.explainer.notes if campaign.explainer else []
    notes += campaign.guiding.guidance.silent if campaign.guiding and campaign.guiding.guidance else []
    return notes
