"""Twilio's call resources in our words. The SDK ships without types, so every field may be Any."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from dialer.clock import MS
from dialer.model import CallFacts, CallSid, CarrierStatus
from dialer.ports import CarrierCall

#: The direction of calls that a request to the API has placed (Twilio, "Call resource").
PLACED_BY_REQUEST: Final = "outbound-api"


@dataclass(frozen=True, slots=True)
class ListedCall:
    """A call as the account's list has it; times are UTC milliseconds of whole seconds."""

    sid: str
    to: str
    from_: str
    status: str
    created_at: int
    dialed_at: int | None  # None: still queued, or never dialed
    ended_at: int | None
    direction: str

    @property
    def placed_by_request(self) -> bool:
        """Whether a request asked for it; a server that tells no directions is not doubted."""
        return self.direction in {PLACED_BY_REQUEST, ""}


def listed_call(call: Any, *, created_at: int) -> ListedCall:
    """Translate the SDK's call.

    One whose creation time is unreadable counts from its dialing, and *created_at* stands in for
    times that nobody can read.
    """
    dialed_at, ended_at = _ms(call.start_time), _ms(call.end_time)
    known = (_ms(call.date_created), dialed_at, ended_at, created_at)
    return ListedCall(
        sid=call.sid,
        to=call.to or "",
        from_=call._from or "",  # noqa: SLF001  (the SDK's name for From)
        status=call.status or "",
        created_at=next(at for at in known if at is not None),
        dialed_at=dialed_at,
        ended_at=ended_at,
        direction=call.direction or "",
    )


def carrier_call(call: Any, *, created_at: int) -> CarrierCall:
    """Translate the SDK's call; *created_at* stands in for a creation time nobody can read."""
    status, ended_at, duration_s = _status(call.status), _ms(call.end_time), _seconds(call.duration)
    facts = CallFacts(
        sid=CallSid(call.sid),
        status=status,
        answered_at=_answered_at(status, ended_at, duration_s),
        ended_at=ended_at,
        duration_s=duration_s,
        answered_by=call.answered_by or None,
    )
    created = _ms(call.date_created)
    return CarrierCall(
        sid=CallSid(call.sid),
        to=call.to or "",
        from_=call._from or "",  # noqa: SLF001  (the SDK's name for From)
        created_at=created_at if created is None else created,
        facts=facts,
    )


def _answered_at(
    status: CarrierStatus | None, ended_at: int | None, duration_s: int | None
) -> int | None:
    """Reckoned from the end, for the resource tells when a call was dialed, not answered.

    Only completed calls were answered; their duration counts from there.
    """
    if status is not CarrierStatus.COMPLETED or ended_at is None or duration_s is None:
        return None
    return ended_at - duration_s * MS


def _status(word: Any) -> CarrierStatus | None:
    try:
        return CarrierStatus(word)
    except ValueError:
        return None


def _ms(at: datetime | None) -> int | None:
    return None if at is None else int(at.astimezone(UTC).timestamp() * MS)


def _seconds(text: Any) -> int | None:
    """The resource writes numbers as text."""
    return int(text) if text and str(text).isdecimal() else None
