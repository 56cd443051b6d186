"""What is read before a call is listened to, and what is kept of it."""

import json
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from dialer.listening.session import Brief, Spoken
from dialer.model import AmdMode, AttemptId, CallSid
from dialer.plans import modes_from
from dialer.ports import Row, Tx

#: Recordings change; so many earlier calls are enough to know one again.
EARLIER_CALLS: Final = 5
#: So many of those who wait for a call are asked for their language.
SAMPLE: Final = 1000
_COUNTRY: Final = re.compile(r"[A-Z]{2}")


class VerdictRow(NamedTuple):
    """A verdict as it is kept: a row of ``amd_verdicts``."""

    attempt_id: AttemptId
    mode: str
    seq: int
    acting: int
    verdict: str
    kind: str | None
    confidence: float
    cause: str
    at_ms: int
    detector: str
    model: str
    decided_at: int


class SaidRow(NamedTuple):
    """What is kept of the words of a call."""

    said: str
    id: AttemptId


async def expected_languages(tx: Tx) -> set[Spoken]:
    """What some of those may speak who are to be called soon."""
    rows = await tx.rows("languages_expected", limit=SAMPLE)
    return {_spoken(row) for row in rows}


async def brief(tx: Tx, attempt_id: AttemptId, sid: CallSid, now: int) -> Brief | None:
    """What is known of a call that goes on; None when there is none, or it is another's."""
    row = await tx.row("call_to_listen_to", attempt_id=attempt_id)
    if row is None or row["sid"] not in (None, sid):
        return None
    earlier = await tx.rows(
        "heard_before", phone=row["phone"], attempt_id=attempt_id, limit=EARLIER_CALLS
    )
    asked_at = row["asked_at"] or row["answered_at"]
    return Brief(
        attempt_id=attempt_id,
        sid=sid,
        answered_at=now if asked_at is None else asked_at,
        acting=AmdMode(row["amd"]),
        shadow=modes_from(row["amd_shadow"]),
        spoken=_spoken(row),
        earlier=tuple(each["said"] for each in earlier),
        sequence=row["sequence"],
        greetings=row["greetings"],
    )


def _spoken(row: Row) -> Spoken:
    country = _COUNTRY.match(row["place"])
    language = row["language"] or json.loads(row["options"]).get("language")
    return Spoken(language, country[0] if country else None)


async def keep_verdicts(tx: Tx, rows: Sequence[VerdictRow]) -> Sequence[None]:
    """Write verdicts down; one that is there already stays as it is."""
    await tx.many("add_amd_verdicts", rows)
    return [None] * len(rows)


async def keep_said(tx: Tx, rows: Sequence[SaidRow]) -> Sequence[None]:
    """Write down what later calls may be compared with."""
    await tx.many("keep_said", rows)
    return [None] * len(rows)
