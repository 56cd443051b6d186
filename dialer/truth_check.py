"""The database against the carrier's own record, call by call.

Reads both as a stranger would: plain SQL on the file, plain lines of the record; nothing of the
engine is used, so that a fault of the engine cannot hide here.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dialer.carrier_sim.truth import Call, read_truth


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many calls were held against each other, and everything that did not agree."""

    compared: int
    differences: Sequence[str]


def compare(database: Path, truth: Path) -> Comparison:
    """Compare every call of the carrier with the attempt it belongs to, both ways."""
    calls = {call.sid: call for call in read_truth(truth)}
    uri = f"file:{database}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as db:
        db.row_factory = sqlite3.Row
        rows = db.execute(
            "SELECT a.*, n.phone AS from_ FROM attempts a JOIN numbers n ON n.id = a.number_id"
        ).fetchall()
    attempts = {row["sid"]: row for row in rows if row["sid"]}
    differences = [
        *_twice(list(calls.values())),
        *(
            f"{sid}: the carrier made this call, no attempt knows it"
            for sid in calls.keys() - attempts.keys()
        ),
        *(
            f"{sid}: an attempt claims this call, the carrier made none"
            for sid in attempts.keys() - calls.keys()
        ),
        *(
            f"attempt {row['id']} is still {row['state']}"
            for row in rows
            if row["closed_at"] is None
        ),
    ]
    for sid in sorted(calls.keys() & attempts.keys()):
        differences += _differ(calls[sid], attempts[sid])
    return Comparison(len(calls.keys() & attempts.keys()), differences)


def _twice(calls: Sequence[Call]) -> Iterator[str]:
    for token, count in Counter(call.token for call in calls).items():
        if count > 1:
            yield f"attempt {token} became {count} calls"


def _differ(call: Call, row: sqlite3.Row) -> Iterator[str]:
    for what, true, stored in (
        ("attempt", call.token, row["id"]),
        ("to", call.to, row["phone"]),
        ("from", call.from_, row["from_"]),
        ("status", call.status, row["status"]),
    ):
        if true != stored:
            yield f"{call.sid}: {what} is {true!r} at the carrier, {stored!r} here"
