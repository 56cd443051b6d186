"""Evidence for audits: calls that went well, to be spoiled by a test."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from dialer.audit.check import INVARIANTS, check
from dialer.audit.evidence import Evidence
from dialer.audit.records import (
    Account,
    Attempt,
    Bounds,
    Call,
    Campaign,
    Daemon,
    Member,
    News,
    Number,
    NumberDay,
    StoreEffect,
)
from dialer.audit.report import Report, Violation

#: Monday 2026-01-05 15:00 UTC.
NOW: Final = 1_767_625_200_000
SECOND: Final = 1000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

CALLEE: Final = "+12025550101"
CALLER: Final = "+13105550001"

CAMPAIGN: Final = Campaign(
    id=1,
    name="Renewals",
    status="completed",
    schedule_id=None,
    start_at=None,
    spam_threshold=7,
    max_calls_per_day=100,
    call_interval_ms=0,
    max_concurrent=10,
    ring_timeout_s=30,
    max_retries=2,
    callee_calls_per_day=100,
    callee_calls_per_week=100,
    started_at=NOW - HOUR,
    paused_at=None,
    ended_at=NOW + DAY,
)
NUMBER: Final = Number(
    id=1,
    phone=CALLER,
    zone="UTC",
    max_live=None,
    spam_score=None,
    spam_scored_at=None,
    disabled_at=None,
    calls_total=0,
)
DAEMON: Final = Daemon(id=1, started_at=NOW - DAY, lease_until=NOW + 2 * DAY, ended_at=None)
BOUNDS: Final = Bounds(open_ms=HOUR, finish_by_at=NOW + DAY)


@dataclass(frozen=True)
class Dial:
    """One attempt with the call it became, as both sides have it, and what was told of it."""

    call: Call
    attempt: Attempt
    news: Sequence[News]

    def but(self, **changes: Any) -> "Dial":
        """The same with something else in the database."""
        return replace(self, attempt=replace(self.attempt, **changes))

    def really(self, **changes: Any) -> "Dial":
        """The same with something else at the carrier."""
        return replace(self, call=replace(self.call, **changes))


def dial(
    n: int = 1,
    at: int = NOW,
    *,
    to: str = CALLEE,
    lasts_s: int = 30,
    member: int | None = None,
    campaign: int = 1,
    number: int = 1,
    caller: str = CALLER,
) -> Dial:
    """An answered call, claimed at *at*: asked for 100 ms later, accepted after 200 more."""
    id_, sid, accepted_at = f"attempt-{n}", f"CA{n:032x}", at + 300
    ringing_at, answered_at, ended_at = (
        accepted_at + 2 * SECOND,
        accepted_at + 5 * SECOND,
        accepted_at + lasts_s * SECOND,
    )
    call = Call(
        sid=sid,
        to=to,
        from_=caller,
        status="completed",
        accepted_at=accepted_at,
        token=id_,
        asked_at=at + 100,
        ringing_at=ringing_at,
        ended_at=ended_at,
    )
    attempt = Attempt(
        id=id_,
        member_id=n if member is None else member,
        campaign_id=campaign,
        number_id=number,
        owner=1,
        phone=to,
        state="ended",
        day=datetime.fromtimestamp(at / 1000, UTC).date().isoformat(),
        intent_at=at,
        send_at=at + 50,
        sid=sid,
        status="completed",
        ringing_at=ringing_at,
        answered_at=answered_at,
        ended_at=ended_at,
        duration_s=lasts_s - 5,
        sip_code=200,
        answered_by="human",
        outcome="human",
        closed_at=ended_at + SECOND,
    )
    told = (
        news(id_, sid, "ringing", ringing_at),
        news(id_, sid, "in-progress", answered_at),
        news(id_, sid, None, answered_at + SECOND, source="amd", answered_by="human"),
        news(id_, sid, "completed", ended_at, duration_s=lasts_s - 5, sip_code=200),
    )
    return Dial(call, attempt, told)


def news(attempt_id: str, sid: str, status: str | None, at: int, **more: Any) -> News:
    """A callback that was folded."""
    usual: dict[str, Any] = {
        "source": "status",
        "occurred_at": at,
        "duration_s": None,
        "sip_code": None,
        "error_code": None,
        "answered_by": None,
        "received_at": at + 200,
        "folded_at": at + 210,
        "verdict": "folded",
    }
    return News(attempt_id=attempt_id, sid=sid, status=status, **(usual | more))


def evidence(*dials: Dial, **changes: Any) -> Evidence:
    """A run that is over, of these calls and no others; *changes* are fields of the evidence."""
    attempts = [each.attempt for each in dials]
    days = Counter((each.number_id, each.day) for each in attempts)
    usual: dict[str, Any] = {
        "calls": [each.call for each in dials],
        "attempts": attempts,
        "members": members_of(attempts),
        "campaigns": [CAMPAIGN],
        "numbers": [replace(NUMBER, calls_total=len(dials))],
        "number_days": [NumberDay(id_, day, calls) for (id_, day), calls in days.items()],
        "news": [each for one in dials for each in one.news],
        "daemons": [DAEMON],
        "account": Account(calls_per_second=10, max_concurrent=20),
        "commands": (),
        "store_effects": (StoreEffect(NOW, committed=True),),
        "bounds": BOUNDS,
        "as_of_at": NOW + DAY,
        "over": True,
    }
    return Evidence(**(usual | changes))


def members_of(attempts: Sequence[Attempt]) -> list[Member]:
    """Those the attempts were made for, done with."""
    latest = {attempt.member_id: attempt for attempt in attempts}
    calls = Counter(attempt.member_id for attempt in attempts if attempt.sid)
    return [
        Member(id_, last.campaign_id, last.phone, "completed", calls[id_], last.id)
        for id_, last in latest.items()
    ]


def found(given: Evidence, name: str) -> list[Violation]:
    """What one invariant has to say."""
    (result,) = [each for each in check(given).results if each.invariant.name == name]
    assert result.scope.blind is None, result.scope.blind
    return list(result.violations)


def blind(given: Evidence, name: str) -> str | None:
    """Why an invariant was not checked."""
    (result,) = [each for each in check(given).results if each.invariant.name == name]
    return result.scope.blind


def notes(given: Evidence, name: str) -> str:
    """What an invariant says that it cannot know."""
    (result,) = [each for each in check(given).results if each.invariant.name == name]
    return "; ".join(result.scope.notes)


def broken(report: Report) -> list[str]:
    """Every violation in words."""
    return [str(violation) for violation in report.violations]


NAMES: Final = tuple(invariant.name for invariant in INVARIANTS)
