"""Why somebody is (not) called: the questions of the claim, asked one by one and shown.

A claim stops at the first answer that holds a call back. Here all of them are asked, by the same
functions (``permission.py``, ``limits.py``), of one member at one instant, and each answer stands
beside what it was given. Of a call that was made they are asked as of the moment of its claim,
under the rules that were in force then.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from dialer import do_not_call, hold, limits
from dialer.callees import recent_calls
from dialer.hours import HORIZON_MS
from dialer.hours_format import format_weekly
from dialer.limits import AccountLimits
from dialer.model import AttemptId, CampaignId, FailReason, WaitReason
from dialer.permission import (
    ClaimTimes,
    Wait,
    capped,
    caps_at,
    counted,
    longest_s,
    next_opening,
    not_active,
    not_started,
    outside_hours,
    outside_window,
)
from dialer.plans import CampaignPlan, Plans
from dialer.ports import Row, Tx
from dialer.rules.rule import Cap
from dialer.states import WAITING_MEMBER_STATES, MemberState
from dialer.timezones import zone

MS: Final = 1000
_DAY_S: Final = 86_400
#: The digits of an attempt's id that say when it was made (UTC ms, hexadecimal).
_TIME_DIGITS: Final = 12
_HOUR_S: Final = 3_600
#: So many steps lead to the next moment at which somebody may be called, or there is none.
STEPS: Final = 100


class Question(StrEnum):
    """What is asked before a call: the closed set, in the order in which it is asked."""

    MEMBER = "member"  # is there a call to be made at all?
    HOLD = "hold"  # is everything held?
    STATUS = "campaign status"
    START = "campaign start"
    HOURS = "campaign hours"
    ZONE = "time zone"
    WINDOW = "calling window"
    DO_NOT_CALL = "do-not-call list"
    DUE = "due"
    CAPS = "calls had"
    ELSEWHERE = "other calls"  # is somebody calling them already?
    ROOM = "calls at once"
    PACE = "pace"
    NUMBER = "caller id"


@dataclass(frozen=True, slots=True)
class Check:
    """One question about a call, what it was answered from, and what the answer was."""

    question: Question
    inputs: Mapping[str, Any]
    reason: WaitReason | FailReason | None = None  # None: nothing speaks against the call
    until_at: int | None = None  # None: not foreseeable
    cure: str = ""  # what would change the answer

    @property
    def passed(self) -> bool:
        """Whether the call may be made as far as this question goes."""
        return self.reason is None


class Verdict(StrEnum):
    """What all answers come to."""

    NOW = "now"  # nothing speaks against a call
    LATER = "later"
    NEVER = "never"  # for this campaign


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether a member may be called at an instant (UTC ms), and every check."""

    campaign: str
    member: Row
    at: int
    checks: Sequence[Check]
    next_at: int | None  # when it may be called as far as can be foreseen

    @property
    def verdict(self) -> Verdict:
        """What the checks come to."""
        if any(check.reason in _NEVER for check in self.checks):
            return Verdict.NEVER
        return Verdict.NOW if all(check.passed for check in self.checks) else Verdict.LATER


@dataclass(frozen=True, slots=True)
class Moment:
    """When something is asked: *live* at this very moment, or at another one."""

    at: int
    live: bool


class Explainer:
    """Asks the questions of one deployment: its account's limits, its times."""

    def __init__(self, plans: Plans, account: AccountLimits, times: ClaimTimes) -> None:
        self._plans = plans
        self._account = account
        self._times = times

    async def of_contact(
        self, tx: Tx, contact_id: int, moment: Moment, campaign_id: int | None = None
    ) -> list[Explanation]:
        """Every membership of a contact, or the one in a campaign, oldest first."""
        rows = await tx.rows("members_to_explain", contact_id=contact_id)
        return [
            await self._explained(tx, row, moment)
            for row in rows
            if campaign_id is None or row["campaign_id"] == campaign_id
        ]

    async def of_attempt(self, tx: Tx, attempt_id: AttemptId) -> Explanation:
        """An attempt that exists, as of its claim. Campaign settings are those of today."""
        made_at = int(attempt_id[:_TIME_DIGITS], 16)
        since_id = f"{max(0, made_at - 2 * _DAY_S * MS):0{_TIME_DIGITS}x}"
        attempt = await tx.row("attempt_to_explain", attempt_id=attempt_id, since_id=since_id)
        assert attempt is not None, f"attempt {attempt_id} exists"
        plan = await self._plans.as_of(
            tx, CampaignId(attempt["campaign_id"]), attempt["rule_set_id"]
        )
        (row,) = [
            each
            for each in await tx.rows("members_to_explain", contact_id=attempt["contact_id"])
            if each["id"] == attempt["member_id"]
        ]
        at = attempt["intent_at"]
        key = attempt["window_key"]
        calls = await self._calls(tx, row["contact_id"], caps_at(plan, key), at)
        listed = await do_not_call.listed_at(tx, attempt["phone"], plan.id, at)
        made = {
            "from": attempt["from_"],
            "its calls that day before": attempt["number_calls"],
            "allowed a day": plan.limits.max_calls_per_day,
        }
        if attempt["local_hour"] is None:
            kept = {"kept": "nothing: the call was made before places and rules were kept"}
            window = [Check(Question.WINDOW, kept)]
        else:
            window = [*self._window(plan, key, at, attempt["phone"])]
        checks = [
            self._hours(plan, at),
            *window,
            _do_not_call(listed, attempt["phone"]),
            self._caps(plan, key, [call for call in calls if call < attempt["send_at"]], at),
            Check(Question.NUMBER, made),
        ]
        return Explanation(plan.name, row, at, checks, None)

    async def _explained(self, tx: Tx, row: Row, moment: Moment) -> Explanation:
        plan = await self._plans.readable(tx, CampaignId(row["campaign_id"]))
        at = moment.at
        calls = await self._calls(tx, row["contact_id"], caps_at(plan, row["window_key"]), at)
        if not moment.live:
            calls = [call for call in calls if call <= at]
        checks = [
            _member(row),
            await self._held(tx),
            self._status(plan),
            self._start(plan, at),
            self._hours(plan, at),
            *self._window(plan, row["window_key"], at, row["phone"]),
            _do_not_call(row["listed_by"] is not None, row["phone"], row["listed_by"]),
            _due(row, at),
            self._caps(plan, row["window_key"], calls, at),
        ]
        if moment.live:
            checks.append(_elsewhere(row))
            checks += [check async for check in self._limits(tx, plan, at)]
        next_at = None
        if not any(check.reason in _OPEN_ENDED for check in checks):
            next_at = self._next_at(plan, row, calls, at)
        return Explanation(plan.name, row, at, checks, next_at)

    async def _calls(self, tx: Tx, contact_id: int, caps: Sequence[Cap], at: int) -> Sequence[int]:
        """The slots of the callee's calls, as far back before *at* as a cap looks."""
        since_at = at - longest_s(caps) * MS - self._times.late_ms
        calls = await recent_calls(tx, [contact_id], since_at)
        return sorted(calls.get(contact_id, ()))

    # -- the campaign ----------------------------------------------------------------------------

    async def _held(self, tx: Tx) -> Check:
        """Whether everything is held at this moment, whatever moment is asked about."""
        stands = await hold.standing(tx)
        if stands is None:
            return Check(Question.HOLD, {"held": False})
        inputs = {"held": True, "since": _utc(stands.at), "by": stands.by, "why": stands.reason}
        return Check(Question.HOLD, inputs, WaitReason.HELD, None, "dialer resume --all")

    def _status(self, plan: CampaignPlan) -> Check:
        inputs = {"status": plan.status.value}
        cures = {WaitReason.DRAFT: "start", WaitReason.PAUSED: "resume"}
        wait = not_active(plan)
        verb = cures.get(wait.reason) if wait else None
        cure = f"dialer campaign {verb} {plan.name!r}" if verb else ""
        return _answer(Question.STATUS, inputs, wait, cure)

    def _start(self, plan: CampaignPlan, at: int) -> Check:
        inputs = {"starts at": _utc(plan.start_at) if plan.start_at else "any time"}
        return _answer(Question.START, inputs, not_started(plan, at))

    def _hours(self, plan: CampaignPlan, at: int) -> Check:
        wait = outside_hours(plan, at, self._times)
        inputs = {
            "open": plan.hours.is_open(at),
            "open until": _until(plan.hours.open_until(at), at),
        }
        return _answer(Question.HOURS, inputs, wait)

    # -- the callee ------------------------------------------------------------------------------

    def _window(self, plan: CampaignPlan, key: str, at: int, phone: str) -> Iterator[Check]:
        window = plan.window(key)
        zones = window.place.zones
        local = {name: _shown(name, at) for name in zones}
        wait = outside_window(plan, key, at, self._times)
        unknown = wait if wait and wait.reason is WaitReason.ZONE_UNKNOWN else None
        yield _answer(
            Question.ZONE,
            {"regions": [*window.place.regions], "local time": local},
            unknown,
            f"give the contact a time zone: dialer contacts add {phone} --zone Europe/Berlin",
        )
        if unknown is None:
            rules = plan.rules.windows.rules_at(window.place, at)
            yield _answer(
                Question.WINDOW,
                {
                    "rules": {rule.id: format_weekly(rule.weekly) for rule in rules},
                    "open": window.hours.is_open(at),
                    "open until": _until(window.hours.open_until(at), at),
                },
                wait,
                f"dialer rules check {phone} shows the rules; to switch one off wants a reason",
            )

    def _caps(self, plan: CampaignPlan, key: str, calls: Sequence[int], at: int) -> Check:
        caps = caps_at(plan, key)
        inputs = {
            f"in {_period(cap)}": f"{len(counted(cap, calls, at, self._times))} of {cap.calls}"
            for cap in caps
        }
        return _answer(Question.CAPS, inputs, capped(caps, calls, at, self._times))

    # -- what there is room for --------------------------------------------------------------------

    async def _limits(self, tx: Tx, plan: CampaignPlan, at: int) -> AsyncIterator[Check]:
        live = await tx.rows("live_calls")
        rooms = limits.rooms(plan, live, self._account)
        inputs = {room.reason.value: f"{room.live} of {room.allowed}" for room in rooms}
        yield _answer(Question.ROOM, inputs, limits.no_room(rooms))
        slots = await tx.row("next_slots", campaign_id=plan.id)
        assert slots is not None, "the member's campaign exists"
        lanes = limits.lanes(plan, self._account, slots["account_us"], slots["campaign_us"])
        pace = {
            "call interval s": plan.interval_us / 1_000_000,
            "calls per second": self._account.calls_per_second or "no limit",
        }
        yield _answer(Question.PACE, pace, limits.no_slot(lanes, at, self._times))
        numbers, _ = await limits.pool(tx, plan, live, at)
        wait = limits.no_number(numbers)
        inputs = {
            "strategy": plan.strategy.value,
            "numbers": wait.detail if wait else f"{numbers.usable} of {numbers.size} usable",
        }
        yield _answer(Question.NUMBER, inputs, wait, "dialer numbers list")

    def _next_at(self, plan: CampaignPlan, row: Row, calls: Sequence[int], at: int) -> int | None:
        """When the member may be called, as far as the calendar and the caps tell."""
        caps = caps_at(plan, row["window_key"])
        at = max(at, row["next_at"], plan.start_at or 0)
        for _ in range(STEPS):
            wait = capped(caps, calls, at, self._times)
            asked = at if wait is None or wait.until_at is None else wait.until_at
            opens_at = next_opening(plan, row["window_key"], asked, self._times)
            if opens_at is None or opens_at == at:
                return opens_at
            at = opens_at
        return None


#: Answers after which nobody is called for this campaign any more.
_NEVER: Final = frozenset({*FailReason, WaitReason.ENDED})
#: Answers by which nobody can tell when the next call may be made, if ever.
_OPEN_ENDED: Final = _NEVER | {
    WaitReason.HELD,
    WaitReason.ZONE_UNKNOWN,
    WaitReason.IN_CALL,
    WaitReason.AWAITING_OUTCOME,
}


def _answer(
    question: Question, inputs: Mapping[str, Any], wait: Wait | None, cure: str = ""
) -> Check:
    if wait is None:
        return Check(question, inputs)
    return Check(question, inputs, wait.reason, wait.until_at, cure)


def _member(row: Row) -> Check:
    """Whether a call of this member is to be made at all."""
    state = MemberState(row["state"])
    inputs = {"state": state.value, "calls": row["attempts"], "reason": row["reason"]}
    if state in WAITING_MEMBER_STATES:
        return Check(Question.MEMBER, inputs)
    if state is MemberState.FAILED:
        return Check(Question.MEMBER, inputs, FailReason(row["reason"]))
    if state is MemberState.DIALING:
        return Check(Question.MEMBER, inputs, WaitReason.IN_CALL)
    if state is MemberState.CALLED:
        return Check(Question.MEMBER, inputs, WaitReason.AWAITING_OUTCOME, row["next_at"])
    return Check(Question.MEMBER, inputs, WaitReason.ENDED)


def _do_not_call(listed: bool, phone: str, by: str | None = None) -> Check:
    inputs = {"listed": listed, "by": by}
    if not listed:
        return Check(Question.DO_NOT_CALL, inputs)
    # What a callee has asked for themselves is nobody else's to take back.
    cure = "" if by == do_not_call.Source.CALLEE else f"dialer dnc history {phone}"
    return Check(Question.DO_NOT_CALL, inputs, FailReason.DO_NOT_CALL, None, cure)


def _due(row: Row, at: int) -> Check:
    inputs = {"due": _utc(row["next_at"])}
    if row["next_at"] <= at:
        return Check(Question.DUE, inputs)
    put_off = row["reason"] == WaitReason.CALLEE_CAP
    retry = MemberState(row["state"]) is MemberState.RETRY
    later = WaitReason.RETRY_NOT_DUE if retry else WaitReason.DEFERRED
    return Check(Question.DUE, inputs, WaitReason.CALLEE_CAP if put_off else later, row["next_at"])


def _elsewhere(row: Row) -> Check:
    inputs = {"open calls to this number": row["open_attempts"]}
    return Check(
        Question.ELSEWHERE, inputs, WaitReason.CALLEE_BUSY if row["open_attempts"] else None
    )


def _period(cap: Cap) -> str:
    if cap.period_s % _DAY_S == 0 and cap.period_s > _DAY_S:
        return f"{cap.period_s // _DAY_S} days"
    return (
        f"{cap.period_s // _HOUR_S} hours" if cap.period_s % _HOUR_S == 0 else f"{cap.period_s} s"
    )


def _shown(zone_name: str, at: int) -> str:
    return datetime.fromtimestamp(at / MS, zone(zone_name)).strftime("%a %d %b %Y %H:%M")


def _until(closes_at: int, at: int) -> str | None:
    """When something closes, if it does within the horizon."""
    return _utc(closes_at) if at < closes_at < at + HORIZON_MS else None


def _utc(at: int) -> str:
    return datetime.fromtimestamp(at / MS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
