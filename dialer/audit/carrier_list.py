"""The carrier's own list of calls as evidence; it repeats nothing of ours."""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final, Protocol

from dialer.audit.records import Call

_NOT_A_DIGIT: Final = re.compile(r"\D")


class Listed(Protocol):
    """A call as an adapter hands it over; None where the list does not say."""

    @property
    def sid(self) -> str: ...
    @property
    def to(self) -> str: ...
    @property
    def from_(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def created_at(self) -> int: ...
    @property
    def dialed_at(self) -> int | None: ...
    @property
    def ended_at(self) -> int | None: ...


def calls_from(listed: Iterable[Listed]) -> list[Call]:
    """One record per call, in no order; a call listed on two pages counts once."""
    return list({each.sid: _call(each) for each in listed}.values())


def ours(calls: Iterable[Call], phones: Collection[str], sids: Collection[str]) -> Iterator[Call]:
    """The calls from numbers of this database; others share the account and are not judged."""
    return (call for call in calls if call.from_ in phones or call.sid in sids)


def _call(listed: Listed) -> Call:
    return Call(
        sid=listed.sid,
        to=_e164(listed.to),
        from_=_e164(listed.from_),
        status=listed.status,
        accepted_at=listed.created_at,
        ringing_at=listed.dialed_at,
        ended_at=listed.ended_at,
    )


def _e164(party: str) -> str:
    """Compatible servers write numbers in their own way; other parties stay as they are."""
    digits = _NOT_A_DIGIT.sub("", party)
    return f"+{digits}" if digits and not re.search("[a-zA-Z]", party) else party
