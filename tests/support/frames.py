"""A frame of a campaign in full swing, for tests of what is made of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from dialer.model import CampaignId, WaitReason
from dialer.overview import HoursNow
from dialer.states import AttemptState, CampaignStatus, MemberState
from dialer.watching import Call, Frame, Life, Number, Pace, Pulse, Rate, Tally
from retries.outcome import Outcome
from rotation.caller import Ineligible

BERLIN: Final = ZoneInfo("Europe/Berlin")


def at(hour: int, minute: int, second: int = 0, *, day: int = 24) -> int:
    """An instant (UTC ms) of November 2026 by the clocks of Berlin."""
    local = datetime(2026, 11, day, hour, minute, second, tzinfo=BERLIN)
    return int(local.timestamp() * 1000)


NOW: Final = at(12, 31, 7)

TALLY: Final = Tally(
    at=NOW,
    members={
        MemberState.PENDING: 30_112,
        MemberState.DIALING: 12,
        MemberState.CALLED: 1_661,
        MemberState.RETRY: 6_101,
        MemberState.COMPLETED: 55_840,
        MemberState.FAILED: 4_187,
        MemberState.NO_CONVERSATION: 2_087,
    },
    slots=[Rate(0, 0), Rate(4, 4), *(Rate(120, 15 * each) for each in range(1, 7))],
    per_minute=24.0,
    final=0.4,
    hold_ms=31_000.0,
)
WAITS: Final[Sequence[Mapping[str, Any]]] = [
    {
        "reason": WaitReason.CALLEE_HOURS, "members": 24_321, "until_at": at(13, 0),
        "detail": "", "noted_at": NOW - 400,
    },
    {
        "reason": WaitReason.RETRY_NOT_DUE, "members": 6_101, "until_at": at(12, 41),
        "detail": "", "noted_at": NOW - 400,
    },
    {
        "reason": WaitReason.NO_NUMBER, "members": 4_491, "until_at": at(0, 0, day=25),
        "detail": "2 of 4 at the daily cap, 2 excluded for spam", "noted_at": NOW - 400,
    },
    {
        "reason": WaitReason.AWAITING_OUTCOME, "members": 1_661, "until_at": at(12, 40),
        "detail": "", "noted_at": NOW - 400,
    },
    {
        "reason": WaitReason.CALL_INTERVAL, "members": 1_204, "until_at": NOW + 800,
        "detail": "", "noted_at": NOW - 400,
    },
]  # fmt: skip
NUMBERS: Final = [
    Number("+493055550000", 1, 86, 100, None),
    Number("+493055550001", None, 7, 100, None),
    Number("+493055550002", 5, 64, 100, None),
    Number("+493055550003", 6, 100, 100, Ineligible.DAILY_CAP),
    Number("+493055550004", 7, 12, 100, Ineligible.EXCLUDED),
    Number("+493055550005", 2, 0, 100, Ineligible.DISABLED),
]


def call(number: int, **fields: Any) -> Call:
    """A call that began so many seconds before the frame; it is over unless told otherwise."""
    usual = Call(
        id=f"{NOW - number * 1000:012x}",
        at=NOW - number * 1000,
        phone=f"+4915***{900 + number}",
        state=AttemptState.ENDED,
        outcome=Outcome.HUMAN,
        duration_s=143,
        since_at=None,
        member=MemberState.COMPLETED,
        next_at=None,
        attempt=1,
        attempts=3,
        reason=None,
    )
    return replace(usual, **fields)


CALLS: Final = [
    call(1, state=AttemptState.PLACED, outcome=None, duration_s=None, member=MemberState.DIALING),
    call(
        4, state=AttemptState.PLACED, outcome=None, duration_s=None, member=MemberState.DIALING,
        since_at=NOW - 3_000,
    ),
    call(9),
    call(
        30, outcome=Outcome.NO_ANSWER, duration_s=25, member=MemberState.RETRY,
        next_at=at(14, 31),
    ),
    call(
        62, outcome=Outcome.MACHINE, duration_s=4, member=MemberState.CALLED, next_at=at(12, 46)
    ),
    call(
        63, outcome=Outcome.INVALID_NUMBER, duration_s=None, member=MemberState.FAILED,
        reason="invalid_number",
    ),
    call(64, outcome=Outcome.BUSY, duration_s=None, member=None),
    call(
        65, state=AttemptState.RELEASED, outcome=None, duration_s=None,
        member=MemberState.PENDING,
    ),
]  # fmt: skip

FRAME: Final = Frame(
    at=NOW,
    id=CampaignId(7),
    name="Renewals Q4",
    status=CampaignStatus.ACTIVE,
    start_at=None,
    ended_at=None,
    paused_at=None,
    paused_by=None,
    pause_reason=None,
    held=None,
    hours=HoursNow(is_open=True, changes_at=at(20, 0), zone="Europe/Berlin"),
    pulse=Pulse(Life.LIVE, NOW - 400, 400),
    tally=TALLY,
    pace=Pace(12, 15, 23.6, 24.0, WaitReason.CALL_INTERVAL, 2.5, 10.0),
    waits=WAITS,
    numbers=NUMBERS,
    calls=CALLS,
    finish_at=at(15, 40, day=26),
)
