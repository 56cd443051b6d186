"""Reads the record that ``dialer carrier-sim --truth`` keeps: one JSON object a line.

Lines are read for what they say, by no code of the simulator's.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from dialer.audit.records import Call
from dialer.errors import UsageError

#: Events that set the status of a call; the end brings its own.
_STATUSES: Final = {"ringing": "ringing", "answered": "in-progress"}


def read(path: Path) -> list[Call]:
    """The calls of a record, in the order they were accepted.

    Raises UsageError for what is no such record; a last line that was cut short tells nothing.
    """
    try:
        with path.open(encoding="utf-8") as lines:
            return calls_from(_events(path, lines))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the carrier's record {path} cannot be read: {error}") from error
    except KeyError as error:
        raise UsageError(f"{path} has an event without {error}") from error


def calls_from(events: Iterable[Mapping[str, Any]]) -> list[Call]:
    """The calls that *events* tell of, in the order they were accepted."""
    calls: dict[str, Call] = {}
    for event in events:
        sid = event.get("sid", "")
        if event["event"] == "accepted":
            calls[sid] = Call(
                sid=sid,
                to=event["to"],
                from_=event["from_"],
                status="queued",
                accepted_at=event["at"],
                token=event["token"],
                asked_at=event.get("arrived_at"),
            )
        elif sid in calls:
            calls[sid] = _told(calls[sid], event)
    return list(calls.values())


def _told(call: Call, event: Mapping[str, Any]) -> Call:
    kind, at = event["event"], event["at"]
    if kind == "ended":
        return replace(call, status=event["status"], ended_at=at)
    if kind == "ringing":
        call = replace(call, ringing_at=at)
    return replace(call, status=_STATUSES.get(kind, call.status))


def _events(path: Path, lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(lines, 1):
        if not line.endswith("\n"):
            return
        try:
            event = json.loads(line)
            if not isinstance(event["event"], str) or not isinstance(event["at"], int):
                raise TypeError("no event at an instant")
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{path}, line {number} is no event of a carrier's record",
                next_step="name the file that dialer carrier-sim --truth writes",
            ) from error
        yield event
