"""What is known already: findings that a project accepts for now, and deviations of well-known libraries."""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from heapster.checkers.blackbox.confirming import confirm
from heapster.checkers.blackbox.judge import Judge
from heapster.checkers.blackbox.recipe import read_recipe, shown_as
from heapster.checkers.blackbox.target import ForeignTarget
from heapster.checkers.blackbox.watched import shown_under
from heapster.checkers.targets.instrumented import NoInstrumentationError
from heapster.files import read_json
from heapster.model.operations import ALIGNING, in_order
from heapster.model.spec import Promises
from heapster.results import Finding, UsageError


class BaselineStanding(NamedTuple):
    """What has become of the findings of a baseline, by id."""

    accepted: list[str]             # still there
    fixed: list[str]                # run again, and passed each time
    not_met: list[str]              # not seen, and not run again: nothing can be said of them


class BaselineFinding(NamedTuple):
    """A finding of a baseline."""

    code: str
    trace: tuple[str, ...] = ()     # as the finding's; none in a list of ids


SLOW = ("hang", "memory_never_returned")        # codes of what takes long each time


@dataclass(frozen=True)
class Baseline:
    """Findings that do not fail a run, by id."""

    known: dict[str, BaselineFinding]

    @classmethod
    def read(cls, path: Path | None) -> "Baseline":
        """The findings of a run written by --json, or of a list of them; UsageError if it is neither."""
        if path is None:
            return cls({})
        try:
            value = read_json(path)
            findings = value["findings"] if isinstance(value, dict) else value
            return cls({str(one["id"]): BaselineFinding(str(one["code"]), tuple(map(str, one.get("trace", ()))))
                        for one in findings})
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UsageError(f"{path} is no baseline: it must be what --json has written") from None

    def accepts(self, finding: Finding) -> bool:
        """Whether it is one of these: by its id, or, where that was given by how it showed, by what it is."""
        return finding.id in self.known or BaselineFinding(finding.code, finding.trace) in self.known.values()

    def standing(self, judge: Judge, findings: Iterable[Finding], promises: Promises, *,
                 interrupted: bool) -> BaselineStanding:
        """What has become of each: what was not met is run again, unless the run was interrupted."""
        seen = {finding.id for finding in findings}
        unseen = sorted(set(self.known) - seen)
        standing = BaselineStanding(sorted(set(self.known) & seen), [], [])
        try:
            for identity in unseen if not interrupted else ():
                self._run_again(identity, judge, promises, standing)
        except KeyboardInterrupt:
            pass
        told = {*standing.accepted, *standing.fixed}
        return standing._replace(accepted=sorted(standing.accepted), not_met=sorted(set(unseen) - told))

    def _run_again(self, identity: str, judge: Judge, promises: Promises, standing: BaselineStanding) -> None:
        known = self.known[identity]
        recipe = read_recipe(known.trace)
        if recipe is None:
            return
        with suppress(NoInstrumentationError), shown_under(judge, known.code) as seeing:
            again = confirm(seeing, lambda other: bool(shown_as(other, recipe, known.code, promises)),
                            brief=known.code in SLOW)
            (standing.accepted if again.times else standing.fixed).append(identity)


class Deviation(NamedTuple):
    """Something that a well-known library does on purpose or is known for."""

    library: str                # what its file is called
    code: str
    verbs: tuple[str, ...]      # at whose steps; empty: any
    why: str                    # what it does, and since when or where that was seen
    against: str                # the sentence that it does not keep
    shows: str                  # a trace that shows it
    only: str = ""              # steps that this matches
    rounds: int = 1             # of the trace

    def fits(self, finding: Finding) -> bool:
        """Whether the finding is this one."""
        step = finding.trace[finding.noticing] if finding.noticing < len(finding.trace) else ""
        called = step.partition(" = ")[2] or step
        named = not self.verbs or called.partition("(")[0] in self.verbs
        return finding.code == self.code and named and re.search(self.only, step) is not None


ALIGNED = in_order(ALIGNING)
MALLOC_FAILS = "POSIX malloc: a null pointer shall be returned and errno set to indicate the error"
ALIGNED_AS_ASKED = "C17 7.22.3.1: space for an object whose alignment is specified by alignment"
DEVIATIONS = (
    Deviation("libjemalloc", "null_without_errno", ("realloc", "reallocarray"),
              "jemalloc 5.3: realloc of more than the largest size class answers NULL and leaves errno alone",
              "POSIX realloc: a null pointer shall be returned and errno set to [ENOMEM]",
              "a = malloc(100); b = realloc(a, PTRDIFF_MAX + 1)"),
    Deviation("libjemalloc", "null_without_errno", ("memalign", "valloc", "pvalloc"),
              "jemalloc 5.3: memalign and its kin leave errno alone when they fail",
              "memalign(3): on error they return NULL; EINVAL or ENOMEM says why", "a = memalign(64, SIZE_MAX - 100)"),
    Deviation("libjemalloc", "alignment_not_honoured", (*ALIGNED, "valloc"),
              "jemalloc 5.3: an aligned block of 0 bytes is only aligned to 8", ALIGNED_AS_ASKED,
              "a = malloc(0); b = memalign(16, 0)", r"[ (]0\)$"),
    Deviation("libjemalloc", "memory_never_returned", (),
              "jemalloc 5.3: pages that were freed are used again or given back after a time (opt.dirty_decay_ms, "
              "10 s), so that work with aligned blocks grows for as long, and then no more",
              "none: it is a policy that a short run cannot tell from a leak",
              "a = aligned_alloc(16384, 4041); b = malloc(2527)", rounds=2_000),
    Deviation("libmimalloc", "null_without_errno", (),
              "mimalloc 2.0: of more than PTRDIFF_MAX bytes, or an illegal alignment, failures leave errno alone",
              MALLOC_FAILS, "a = malloc(24); b = malloc(SIZE_MAX - 4096); c = malloc(SIZE_MAX - 4096)"),
    Deviation("libmimalloc", "wrong_errno", (),
              "mimalloc 2.0: the first failure leaves errno as reading its settings has set it",
              MALLOC_FAILS, "a = malloc(SIZE_MAX - 4096)"),
    Deviation("libmimalloc", "alignment_not_honoured", ALIGNED,
              "mimalloc 2.0: a block whose size is its alignment (256 to 1024) is only aligned to 128",
              ALIGNED_AS_ASKED, "a = aligned_alloc(256, 256)"),
    Deviation("libmimalloc", "bad_alignment_accepted", ALIGNED,
              "mimalloc 2.0: alignment 0 is taken for a block of 0 bytes",
              "C17 7.22.3.1 with DR 460: an alignment that is not valid shall be refused",
              "a = aligned_alloc(0, 0)", r"\(0, "),
    Deviation("libtcmalloc", "null_without_errno", ("calloc",),
              "gperftools 2.10: a calloc whose product overflows answers NULL and leaves errno alone",
              MALLOC_FAILS, "a = calloc(SIZE_MAX, 2)"),
    Deviation("libtcmalloc", "huge_accepted", ("pvalloc",),
              "gperftools 2.10: pvalloc near SIZE_MAX wraps when it rounds up to pages",
              "malloc(3): PTRDIFF_MAX is the most that can be asked for", "a = pvalloc(SIZE_MAX - 100)"),
)


def deviations(target: ForeignTarget) -> tuple[Deviation, ...]:
    """What the library that the target is by its name is known for."""
    name = Path(target.path).name
    return tuple(known for known in DEVIATIONS if name.startswith(known.library))
