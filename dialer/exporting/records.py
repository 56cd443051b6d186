"""What an export says of a contact or a call: names and values as JSON knows them."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, TypeAlias

from dialer.people.person import Priority
from dialer.ports import Row
from dialer.states import WAITING_MEMBER_STATES, MemberState

Record: TypeAlias = dict[str, Any]

_MS: Final = 1000
_PRIORITIES: Final = tuple(Priority)
#: What a place's key says in place of what nobody knows.
_UNKNOWN: Final = "?"
_NO_TALKS: Final[Record] = {
    "conversations": 0, "talk_s": 0, "last_called_at": None, "last_number": None,
}  # fmt: skip


def contact_record(row: Row, talks: Row | None) -> Record:
    """A contact, and its calls in numbers; *talks* is None for who was never called."""
    zones, regions = _place(row["place"])
    return {
        "id": row["id"],
        "phone": row["phone"],
        "name": row["name"],
        "email": row["email"],
        "language": row["language"],
        "timezone": row["zone"],
        "tags": json.loads(row["tags"]),
        "variables": json.loads(row["variables"]),
        **(_NO_TALKS if talks is None else _talks(talks)),
        "do_not_call": bool(row["listed"]),
        "zones": [*zones],
        "regions": [*regions],
        "import_id": row["import_id"],
        "added_at": instant(row["added_at"]),
    }


def member_record(row: Row, talks: Row | None) -> Record:
    """A member of a campaign: the contact, and where it stands."""
    state = MemberState(row["state"])
    return contact_record(row, talks) | {
        "priority": str(_PRIORITIES[row["priority"]]),
        "state": str(state),
        "reason": row["reason"],
        "attempts": row["attempts"],
        "last_outcome": row["last_outcome"],
        "next_at": instant(row["next_at"]) if state in WAITING_MEMBER_STATES else None,
    }


def call_record(row: Row) -> Record:
    """An attempt, with all that is known of it."""
    zones, regions = _place(row["window_key"])
    return {
        "id": row["id"],
        "campaign": row["campaign"],
        "contact_id": row["contact_id"],
        "name": row["name"],
        "to": row["phone"],
        "from": row["number"],
        "state": row["state"],
        "outcome": row["outcome"],
        "detail": row["detail"],
        "started_at": instant(row["intent_at"]),
        "sent_at": instant(row["send_at"]),
        "ringing_at": instant(row["ringing_at"]),
        "answered_at": instant(row["answered_at"]),
        "ended_at": instant(row["ended_at"]),
        "closed_at": instant(row["closed_at"]),
        "duration_s": row["duration_s"],
        "carrier_status": row["status"],
        "answered_by": row["answered_by"],
        "verdict": row["verdict"],
        "machine_kind": row["machine_kind"],
        "message_left_at": instant(row["message_left_at"]),
        "label": row["label"],
        "sip_code": row["sip_code"],
        "error_code": row["error_code"],
        "sid": row["sid"],
        "zones": [*zones],
        "regions": [*regions],
        "local_weekday": row["local_weekday"],
        "local_hour": row["local_hour"],
        "rule_set_id": row["rule_set_id"],
    }


def calls_by_contact(rows: Iterable[Row]) -> dict[int, list[Record]]:
    """The records of attempts, each contact's in their order."""
    calls: dict[int, list[Record]] = {}
    for row in rows:
        calls.setdefault(row["contact_id"], []).append(call_record(row))
    return calls


@lru_cache(maxsize=1024)  # a list comes in at few instants
def instant(at: int | None) -> str | None:
    """UTC milliseconds as ISO 8601, as in ``2026-03-02T09:00:00.000Z``; None for no time."""
    if at is None:
        return None
    text = datetime.fromtimestamp(at / _MS, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _talks(row: Row) -> Record:
    return {
        "conversations": row["conversations"],
        "talk_s": row["talk_s"],
        "last_called_at": instant(row["last_called_at"]),
        "last_number": row["last_number"],
    }


@lru_cache(maxsize=1024)  # there are few places
def _place(key: str) -> tuple[Sequence[str], Sequence[str]]:
    """The zones and regions in a place's key; none of what is unknown."""
    regions, *zones = key.split(" ")
    return _known(zones), _known(regions.split("+"))


def _known(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in ("", _UNKNOWN))
