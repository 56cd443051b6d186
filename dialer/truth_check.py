"""The database against the carrier's own record, call by call.

Reads both as a stranger would: plain SQL on the file, plain lines of the record; nothing of the
engine is used, so that a fault of the engine cannot hide here.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from dialer.carrier_sim.truth import Call, read_truth

Attempt: TypeAlias = Mapping[str, Any]

#: What is held against the carrier's record, on whichever database.
ATTEMPTS: Final = """
SELECT a.id, a.state, a.sid, a.phone, a.status, a.closed_at, n.phone AS from_
  FROM attempts a
  JOIN numbers n ON n.id = a.number_id
"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many calls were held against each other, and everything that did not agree."""

    compared: int
    differences: Sequence[str]


def compare(database: Path, truth: Path) -> Comparison:
    """Compare every call of the carrier with the attempt it belongs to, both ways."""
    uri = f"file:{database}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as db:
        db.row_factory = sqlite3.Row
        attempts = [dict(row) for row in db.execute(ATTEMPTS)]
    return judge(attempts, read_truth(truth))


def judge(attempts: Sequence[Attempt], calls: Sequence[Call]) -> Comparison:
    """Compare the rows of :data:`ATTEMPTS` with what the carrier says it did."""
    made = {call.sid: call for call in calls}
    claimed = {attempt["sid"]: attempt for attempt in attempts if attempt["sid"]}
    both = sorted(made.keys() & claimed.keys())
    differences = [
        *_repeated("attempt {} became {} calls", [call.token for call in calls]),
        *_repeated("{}: claimed by {} attempts", [a["sid"] for a in attempts if a["sid"]]),
        *(
            f"{sid}: the carrier made this call, no attempt knows it"
            for sid in sorted(made.keys() - claimed.keys())
        ),
        *(
            f"{sid}: an attempt claims this call, the carrier made none"
            for sid in sorted(claimed.keys() - made.keys())
        ),
        *(f"attempt {a['id']} is still {a['state']}" for a in attempts if a["closed_at"] is None),
        *(difference for sid in both for difference in _differ(made[sid], claimed[sid])),
    ]
    return Comparison(len(both), differences)


def _repeated(words: str, names: Sequence[str]) -> Iterator[str]:
    """What occurs more than once where once is promised."""
    for name, count in Counter(names).items():
        if count > 1:
            yield words.format(name, count)


def _differ(call: Call, attempt: Attempt) -> Iterator[str]:
    for what, true, stored in (
        ("attempt", call.token, attempt["id"]),
        ("to", call.to, attempt["phone"]),
        ("from", call.from_, attempt["from_"]),
        ("status", call.status, attempt["status"]),
    ):
        if true != stored:
            yield f"{call.sid}: {what} is {true!r} at the carrier, {stored!r} here"
