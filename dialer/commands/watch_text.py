"""Frames of :mod:`dialer.watching` where there is no screen: a line a change, or JSON. Pure."""

from collections.abc import Iterator
from typing import Any

from dialer.commands import brake, words
from dialer.commands.console import iso, one_line
from dialer.commands.watch_view import follows
from dialer.commands.words import Clock
from dialer.states import MemberState
from dialer.watching import Call, Frame, Life


def news(before: Frame | None, after: Frame, clock: Clock) -> list[str]:
    """What has changed from one frame to the next; of the first one, how things stand."""
    at = f"{clock.full(after.at)} {clock.zone_name()}"
    return [f"{at}  {line}" for line in _changes(before, after, clock)]


def _changes(before: Frame | None, after: Frame, clock: Clock) -> Iterator[str]:
    if before is None:
        yield f"{one_line(after.name)}  {after.status}  {words.hours(after.hours, clock)}"
    elif before.status is not after.status:
        why = f': "{after.pause_reason}"' if after.pause_reason else ""
        by = f" by {after.paused_by}" if after.paused_by and after.paused_at else ""
        yield f"campaign  {one_line(f'{after.status}{by}{why}')}"
    if before is None or before.pulse.life is not after.pulse.life:
        yield f"engine    {_life(after, clock)}"
    if (before.held if before else None) != after.held:
        held = after.held
        yield f"held      {one_line(f'everything, by {held.words}') if held else 'no more'}"
    if before is not None and before.hours.is_open != after.hours.is_open:
        yield f"hours     {words.hours(after.hours, clock)}"
    if before is None or before.tally.members != after.tally.members:
        yield f"members   {_members(before, after)}"
    if _reasons(before) != _reasons(after):
        yield f"waiting   {_waits(after, clock)}"
    for call in reversed(_new_calls(before, after)):
        yield f"call      {call_line(call, clock)}"


def _life(frame: Frame, clock: Clock) -> str:
    if frame.pulse.life is Life.STALE and frame.pulse.seen_at is not None:
        return f"stale since {clock.full(frame.pulse.seen_at)}"
    return str(frame.pulse.life).replace("_", " ")


def _members(before: Frame | None, after: Frame) -> str:
    """The states that have changed, or all there are, and how many members are done."""
    known = before.tally.members if before else {}
    counts = after.tally.members
    changed = [
        f"{state.replace('_', ' ')} {counts.get(state, 0):,}"
        for state in MemberState
        if known.get(state, 0) != counts.get(state, 0)
    ]
    return f"{'  '.join(changed)}  done {after.done:,} of {after.total:,}".strip()


def _reasons(frame: Frame | None) -> frozenset[str]:
    """What waits are told apart by: their counts change with every call."""
    return frozenset(words.reason(row["reason"]) for row in frame.waits) if frame else frozenset()


def _waits(frame: Frame, clock: Clock) -> str:
    def one(row: Any) -> str:
        until = f" until {clock.short(row['until_at'])}" if row["until_at"] else ""
        detail = f" ({one_line(row['detail'])})" if row["detail"] else ""
        return f"{row['members']:,} {words.reason(row['reason'])}{until}{detail}"

    return "; ".join(map(one, frame.waits)) or "nobody"


def _new_calls(before: Frame | None, after: Frame) -> list[Call]:
    """Calls that began or ended since, newest first; of the first frame, those that are live."""
    if before is None:
        return [call for call in after.calls if call.live]
    known = {call.id: words.outcome(call)[1] for call in before.calls}
    oldest = min(known, default="")
    return [
        call
        for call in after.calls
        if call.id >= oldest and known.get(call.id) != words.outcome(call)[1]
    ]


def call_line(call: Call, clock: Clock) -> str:
    """A call in words: its number, what came of it, how long it took, what follows."""
    lasted = words.length(call.duration_s) if call.duration_s else ""
    parts = (call.phone, words.outcome(call)[1], lasted, follows(call, clock))
    return "  ".join(part for part in parts if part)


# -- JSON -----------------------------------------------------------------------------------------


def as_json(frame: Frame) -> dict[str, Any]:
    """A frame with every fact a program may want; numbers of callees stay masked."""
    pace, rate = frame.pace, frame.tally.rate
    return {
        "at": iso(frame.at),
        "id": frame.id,
        "name": frame.name,
        "status": frame.status,
        "over": frame.over,
        "start_at": iso(frame.start_at),
        "ended_at": iso(frame.ended_at),
        "paused": _paused(frame),
        "hold": brake.as_json(frame.held),
        "hours": hours_json(frame.hours),
        "life": frame.pulse.life,
        "seen_at": iso(frame.pulse.seen_at),
        "behind_s": frame.pulse.behind_ms / 1000,
        "members": dict(frame.tally.members),
        "contacts": frame.total,
        "done": frame.done,
        "left": frame.total - frame.done,
        "live": pace.live,
        "live_limit": pace.allowed,
        "attempts_per_minute": round(pace.per_minute, 1),
        "max_attempts_per_minute": pace.most_per_minute and round(pace.most_per_minute, 1),
        "tightest_limit": pace.bound,
        "human_rate": rate.share,
        "human_rate_calls": rate.calls,
        "slots": [{"calls": slot.calls, "humans": slot.humans} for slot in frame.tally.slots],
        "waiting": [wait_json(row) for row in frame.waits],
        "numbers": [
            {
                "phone": number.phone,
                "score": number.spam_score,
                "calls_today": number.calls_today,
                "max_calls_per_day": number.max_calls_per_day,
                "unusable": number.unusable,
            }
            for number in frame.numbers
        ],
        "calls": [_call_json(call) for call in frame.calls],
        "finish_estimate": iso(frame.finish_at),
    }


def hours_json(hours: Any) -> dict[str, Any]:
    """What a schedule says of this moment."""
    return {"open": hours.is_open, "changes_at": iso(hours.changes_at), "zone": hours.zone}


def wait_json(row: Any) -> dict[str, Any]:
    """A reason why members wait."""
    return {
        "reason": row["reason"],
        "members": row["members"],
        "until": iso(row["until_at"]),
        "detail": row["detail"],
        "noted": iso(row["noted_at"]),
    }


def _paused(frame: Frame) -> dict[str, Any] | None:
    if frame.paused_at is None:
        return None
    return {"at": iso(frame.paused_at), "by": frame.paused_by, "reason": frame.pause_reason}


def _call_json(call: Call) -> dict[str, Any]:
    return {
        "id": call.id,
        "at": iso(call.at),
        "to": call.phone,
        "state": call.state,
        "outcome": call.outcome,
        "duration_s": call.duration_s,
        "answered_at": iso(call.since_at),
        "member": call.member,
        "next_at": iso(call.next_at) if call.member is not None else None,
        "attempt": call.attempt,
        "attempts": call.attempts,
        "reason": call.reason,
    }
