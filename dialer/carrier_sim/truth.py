"""The carrier's own record of what really happened, as JSON lines: the judge in crash tests.

What happens to a call is written, in one system call, before it can be seen from outside; a line
cut short by a kill therefore tells of nothing that happened. Reading needs nothing of the engine.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from dialer.errors import StoreError, UsageError, WrongStateError

Facts: TypeAlias = Mapping[str, Any]


class Event(StrEnum):
    """What a line may tell."""

    STARTED = "started"  # the simulator came up; seed, profile, faults
    ACCEPTED = "accepted"  # there is a call from here on
    REFUSED = "refused"  # a request made no call and never will
    INITIATED = "initiated"  # left the queue
    RINGING = "ringing"
    ANSWERED = "answered"
    ENDED = "ended"
    AMD = "amd"  # a machine detection verdict was reached
    UPDATE = "update"  # a request to hang up, cancel or redirect, and what came of it
    DOCUMENT = "document"  # TwiML was fetched, or could not be
    SCENE = "scene"  # what is to be heard of an answered call, if nobody ends it
    SPOKEN = "spoken"  # a text was said to the callee, or was cut short
    IDENTIFIED = "identified"  # an assistant knows who calls; what it will say
    PICKED_UP = "picked_up"  # the person behind an assistant has
    TRANSCRIPT = "transcript"  # sent, or lost on purpose
    STREAM = "stream"  # a media stream opened, failed or ended; with its frames
    CALLBACK = "callback"  # sent; with the HTTP status of the answer, 0 when none came
    CALLBACK_LOST = "callback_lost"  # dropped on purpose
    FAULT = "fault"  # any other fault that was injected


class TruthLog(Protocol):
    """Takes events in the order they happen."""

    def record(self, event: Event, at: int, facts: Facts) -> None:
        """Note *event* at UTC milliseconds *at*; raises StoreError when it cannot be kept."""


class TruthNowhere:
    """Keeps nothing."""

    def record(self, event: Event, at: int, facts: Facts) -> None:
        """Let *event* go."""
        del event, at, facts


class TruthList:
    """Keeps events in memory, for runs in virtual time."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def record(self, event: Event, at: int, facts: Facts) -> None:
        """Note *event*."""
        self.events.append({"event": event, "at": at, **facts})


class TruthFile:
    """Appends events to a file that outlives the process; one writer at a time.

    Raises UsageError when the file cannot be opened, WrongStateError when another simulator writes
    it. After a failed write nothing
    more is recorded, so that a full disk cannot leave half a line between whole ones.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError as error:
            raise UsageError(f"cannot write the truth file {path}: {error.strerror}") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._fd)
            raise WrongStateError(
                f"{path} is being written by another carrier simulator; "
                "stop that one or give this one its own truth file"
            ) from error
        whole = _whole_length(path)
        if whole < path.stat().st_size:
            os.ftruncate(self._fd, whole)
        self._broken = False

    def record(self, event: Event, at: int, facts: Facts) -> None:
        """Append *event* as one line."""
        line = json.dumps({"event": event, "at": at, **facts}, separators=(",", ":")) + "\n"
        data = line.encode()
        try:
            if self._broken or os.write(self._fd, data) != len(data):
                raise OSError("the line was not written as a whole")
        except OSError as error:
            self._broken = True
            raise StoreError(f"cannot append to {self._path}: {error}") from error

    def close(self) -> None:
        """Give the file up."""
        os.close(self._fd)


@dataclass(frozen=True, slots=True)
class Spoken:
    """A text that was said to the callee; times are UTC milliseconds."""

    document: str  # the path of the document it came from
    redirected: bool  # the call was sent there by a request
    text: str
    began_at: int
    ended_at: int
    full: bool  # to its end, else it was cut short


@dataclass(frozen=True, slots=True)
class Call:
    """All that happened to one call; times are UTC milliseconds, None for what did not happen."""

    sid: str
    to: str
    from_: str
    accepted_at: int
    token: str = ""  # last path segment of the status callback's URL
    arrived_at: int | None = None  # when the request came in
    initiated_at: int | None = None
    ringing_at: int | None = None
    answered_at: int | None = None
    ended_at: int | None = None
    status: str = "queued"  # the resource's, so never "initiated"
    answered_by: str | None = None  # human, machine or fax: the truth, not the verdict
    duration_s: int = 0
    sip: int | None = None
    ended_by: str | None = (
        None  # callee, caller (a request), document, time_limit, network, restart
    )
    verdict: str | None = None  # AnsweredBy as machine detection reported it
    hang_up_asked_at: int | None = None  # first request to hang up or cancel
    callbacks_lost: tuple[str, ...] = ()
    status_callback: str = ""
    status_callback_method: str = "POST"
    status_callback_events: tuple[str, ...] = ()
    scene: str | None = None  # human, voicemail, ivr, unavailable, screening, fax: what was heard
    language: str | None = None  # of what was heard
    greeting_ends_at: int | None = None  # would end, of a call that ended before
    beep_at: int | None = None  # the same of a voicemail's beep; None when there is none
    records_from_at: int | None = None  # the same: what is said from here on is kept
    picked_up_at: int | None = None  # by the person behind an assistant
    transcripts: int = 0  # sent; the lost ones are not counted
    frames: int = 0  # of sound that were sent
    spoken: tuple[Spoken, ...] = ()

    @property
    def kept(self) -> tuple[Spoken, ...]:
        """What a voicemail has recorded in full: begun when it recorded, spoken to the end."""
        if self.records_from_at is None:
            return ()
        since = self.records_from_at
        return tuple(each for each in self.spoken if each.full and each.began_at >= since)


_COPIED: Final[Mapping[str, tuple[str, ...]]] = {
    Event.ANSWERED: ("answered_by",),
    Event.ENDED: ("status", "duration_s", "sip", "ended_by"),
    Event.AMD: ("verdict",),
    Event.SCENE: ("scene", "language", "greeting_ends_at", "beep_at", "records_from_at"),
}
_MARKS: Final[Mapping[str, tuple[str, str | None]]] = {
    Event.INITIATED: ("initiated_at", None),
    Event.RINGING: ("ringing_at", "ringing"),
    Event.ANSWERED: ("answered_at", "in-progress"),
    Event.ENDED: ("ended_at", None),
    Event.PICKED_UP: ("picked_up_at", None),
}


def read_events(path: Path) -> Iterator[dict[str, Any]]:
    """Every event in order. An unfinished last line is left out; StoreError for any other."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith("\n"):
                return
            try:
                yield json.loads(line)
            except ValueError as error:
                raise StoreError(f"{path}, line {number} is not an event: {error}") from error


def read_truth(path: Path) -> list[Call]:
    """One record per call, in the order they were accepted."""
    return fold(read_events(path))


def fold(events: Iterable[Facts]) -> list[Call]:
    """Gather events into one record per call, in the order they were accepted."""
    calls: dict[str, dict[str, Any]] = {}
    for event in events:
        if event["event"] == Event.ACCEPTED:
            calls[event["sid"]] = _accepted(event)
        elif (call := calls.get(event.get("sid", ""))) is not None:
            _apply(call, event)
    return [Call(**call) for call in calls.values()]


def _accepted(event: Facts) -> dict[str, Any]:
    call = {name: event[name] for name in Call.__slots__ if name in event}
    call["accepted_at"] = event["at"]
    call["status_callback_events"] = tuple(event.get("status_callback_events", ()))
    return call


def _apply(call: dict[str, Any], event: Facts) -> None:
    kind = event["event"]
    if mark := _MARKS.get(kind):
        field, status = mark
        call[field] = event["at"]
        if status:
            call["status"] = status
    for name in _COPIED.get(kind, ()):
        call[name] = event[name]
    if kind == Event.UPDATE and event["asked"] != "redirect" and "ended_at" not in call:
        call.setdefault("hang_up_asked_at", event["at"])
    if kind == Event.SPOKEN:
        said = Spoken(**{name: event[name] for name in Spoken.__slots__})
        call["spoken"] = (*call.get("spoken", ()), said)
    if kind == Event.TRANSCRIPT:
        call["transcripts"] = call.get("transcripts", 0) + (not event["lost"])
    if kind == Event.STREAM:
        call["frames"] = call.get("frames", 0) + event["frames"]
    if kind == Event.CALLBACK_LOST:
        call["callbacks_lost"] = (*call.get("callbacks_lost", ()), event["label"])


def _whole_length(path: Path) -> int:
    """Bytes up to the end of the last whole line."""
    size = path.stat().st_size
    with path.open("rb") as file:
        while size:
            start = max(0, size - 4096)
            file.seek(start)
            newline = file.read(size - start).rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            size = start
    return 0
