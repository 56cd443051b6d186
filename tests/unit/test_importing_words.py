"""What an import says while it works and when it is done."""

from collections import Counter
from dataclasses import dataclass, field

import pytest

from dialer.commands.importing import _WORDS, _progress
from dialer.do_not_call_files import EntryFault
from dialer.importing.sifting import ListFault
from dialer.lists.csvio import ReadFault
from dialer.lists.row_workers import CellFault
from dialer.people.person import RowFault


@dataclass
class SetClock:
    at: int = 0

    def now(self) -> int:
        return self.at


@dataclass
class Counts:
    rows: int = 0
    rejected: Counter[str] = field(default_factory=Counter)


def test_where_no_bar_can_be_drawn_a_line_is_told_now_and_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = SetClock()

    with _progress(1_000, clock, static=True) as tell:
        for at in range(0, 12_500, 500):
            clock.at = at
            tell(Counts(at, Counter({"invalid_phone": 2})), at // 20)

    assert capsys.readouterr().err.splitlines() == [
        " 25 %  5,000 rows, 2 rejected, 1,000 rows/s, 15 s left",
        " 50 %  10,000 rows, 2 rejected, 1,000 rows/s, 10 s left",
    ]


def test_every_reason_is_told_in_words() -> None:
    reasons = {*RowFault, *ReadFault, *CellFault, *ListFault, *EntryFault}

    assert set(_WORDS) == {str(reason) for reason in reasons}
