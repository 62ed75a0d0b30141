"""Records of a run that fails are made fewer; what hangs gets the time of a short run, or one finding takes minutes."""

from types import SimpleNamespace
from typing import cast

import pytest

from heapster.checkers.blackbox.judge import LIMIT, Ending, Judge
from heapster.checkers.blackbox.protocol import Ended, Phase, Suspicion
from heapster.checkers.blackbox.shrink import FEW_RECORDS, fewer_records
from heapster.native.operations_header import OP


class Hanging:
    """In place of a judge: whatever holds the record that is the culprit fails as `ending` says."""

    def __init__(self, ending: Ending, culprit: bytes) -> None:
        self.header, self.patient = SimpleNamespace(limit_ms=4000), True
        self.limits = set[int]()
        self._ending, self._culprit = ending, culprit

    def set_records(self, records: bytes) -> bytes:
        """Keep them for the run."""
        return records

    def run(self, _: object, records: bytes) -> Ending:
        """Fail, or end well."""
        self.limits.add(self.header.limit_ms)
        return self._ending if self._culprit in records else self._ending._replace(ended=Ended.RETURNED)


@pytest.mark.parametrize(("ended", "limit"), [(Ended.TIMED_OUT, LIMIT), (Ended.SIGNALLED, 4000)])
def test_few_records_are_left_and_a_hang_is_waited_for_briefly(ended: Ended, limit: int) -> None:
    records = b"".join(number.to_bytes(OP.size, "little") for number in range(1, 4000))
    culprit = (2000).to_bytes(OP.size, "little")
    ending = Ending(ended, 0, 0, Phase.CALLING, Suspicion.NOTHING, 0, False, "")
    judge = Hanging(ending, culprit)
    fewer = fewer_records(cast("Judge", judge), records, ending)
    assert culprit in fewer
    assert len(fewer) <= FEW_RECORDS * OP.size
    assert judge.limits == {limit}
    assert judge.header.limit_ms == 4000
