"""An attempt with its member, loaded to be moved and saved by compare-and-set.

Both move only by events of their tables. A member follows its latest attempt alone: news of an
older one changes that attempt and nothing else.

A row is written at milestones: placed, in doubt, over. What happens in between — it rings,
somebody answers — is in the inbox already and is joined from there when an open attempt is
loaded. A daemon that has its store to itself keeps its open attempts in memory, so that loading
is the exception; whatever a rolled back transaction may have touched is forgotten.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from dialer.counters import count_calls
from dialer.detection import kind_in, verdict_in
from dialer.model import (
    AmdMode,
    AttemptId,
    CallEvent,
    CallFacts,
    CampaignId,
    CarrierStatus,
    Claim,
    EventSource,
    FailReason,
    Judgement,
    MemberId,
    NumberId,
    OnMachine,
)
from dialer.outcomes import NOTHING, merge
from dialer.plans import CampaignPlan
from dialer.ports import Row, Tx
from dialer.settlement import Move, Past
from dialer.states import (
    OPEN_ATTEMPT_STATES,
    AttemptEvent,
    AttemptState,
    MemberEvent,
    MemberState,
    advance_attempt,
    advance_member,
)
from retries.outcome import Outcome

#: Text to enum by look-up: calling an enum costs more than the rest of a record together.
_ATTEMPT_STATES: Final = {state.value: state for state in AttemptState}
_MEMBER_STATES: Final = {state.value: state for state in MemberState}
_AMD_MODES: Final = {mode.value: mode for mode in AmdMode}
_ON_MACHINE: Final = {what.value: what for what in OnMachine}
_CARRIER_STATUSES: Final[Mapping[str | None, CarrierStatus | None]] = {
    None: None,
    **{status.value: status for status in CarrierStatus},
}
_OUTCOMES: Final[Mapping[str | None, Outcome | None]] = {
    None: None,
    **{outcome.value: outcome for outcome in Outcome},
}
_FAIL_REASONS: Final[Mapping[str | None, FailReason | None]] = {
    None: None,
    **{reason.value: reason for reason in FailReason},
}


@dataclass(slots=True)
class MemberRecord:
    """The side of a member that an attempt may move."""

    id: MemberId
    was: MemberState
    state: MemberState
    next_at: int
    attempts: int
    rejections: int
    not_placed: int
    reason: FailReason | None
    last_outcome: Outcome | None
    window_key: str
    follows: bool  # this attempt is the member's latest
    counted: int = 0
    rejected: int = 0
    absent: int = 0

    def advance(self, event: MemberEvent) -> None:
        self.state = advance_member(self.state, event)

    def apply(self, move: Move) -> None:
        """Go where the settlement of the attempt says."""
        self.advance(move.event)
        self.next_at, self.reason = move.next_at, move.reason

    def past(self) -> Past:
        """What is behind the member, a call that just ended included."""
        attempts = self.attempts + self.counted
        return Past(
            attempts,
            self.rejections,
            self.not_placed,
            self.last_outcome,
            self.window_key,
            skipped=self.reason is FailReason.SKIPPED,
        )


@dataclass(slots=True)
class AttemptRecord:
    """One attempt as it stands, with what of its campaign decides about it."""

    id: AttemptId
    phone: str
    was: AttemptState
    state: AttemptState
    facts: CallFacts
    number_id: NumberId
    day: str
    intent_at: int
    check_at: int
    checks: int
    taken_over_at: int | None
    outcome: Outcome | None
    detail: str | None
    closed_at: int | None
    campaign_id: CampaignId
    amd: AmdMode
    completion_timeout_s: int
    ring_timeout_s: int
    on_machine: OnMachine
    member: MemberRecord
    changed: bool = False  # a milestone was passed since the row was written
    calls_back: int = 0  # calls given back to the number; negative: taken again

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_ATTEMPT_STATES

    @property
    def just_ended(self) -> bool:
        """True when this transaction has taken the member from dialing to called."""
        return self.member.state is MemberState.CALLED and self.member.was is MemberState.DIALING

    def advance(self, event: AttemptEvent) -> None:
        self.state = advance_attempt(self.state, event)
        self.changed = True


class Attempts:
    """Loads and saves attempts; with *sole* the open ones are kept in memory as well."""

    def __init__(self, *, sole: bool) -> None:
        self._sole = sole
        self._open: dict[AttemptId, AttemptRecord] = {}

    async def load(self, tx: Tx, ids: Iterable[AttemptId]) -> dict[AttemptId, AttemptRecord]:
        """The attempts of *ids* that exist, nobody else's to write until the transaction ends."""
        wanted = set(ids)
        found = {id_: self._open[id_] for id_ in wanted if id_ in self._open}
        missing = sorted(wanted - found.keys())
        if missing:
            listed = json.dumps(missing)
            loaded = [_record(row) for row in await tx.rows("load_attempts", ids=listed)]
            events = await tx.rows("inbox_of", ids=listed) if loaded else ()
            found |= {record.id: record for record in loaded}
            for row in events:
                record = found[row["attempt_id"]]
                record.facts = merge(record.facts, event_from(row))
        return found

    async def save(self, tx: Tx, records: Collection[AttemptRecord], now: int) -> None:
        """Write what reached a milestone, where the row still is in the state it was read in."""
        changed = [record for record in records if record.changed]
        await tx.many("save_attempts", [_attempt_row(record) for record in changed])
        moved = [r for r in changed if r.member.follows and r.member.state is not r.member.was]
        await tx.many("move_members", [_member_row(record, now) for record in moved])
        back = [(r.number_id, r.day, -r.calls_back) for r in changed if r.calls_back]
        if back:
            await count_calls(tx, back)
        for record in changed:
            self._written(record)

    def hold(self, records: Iterable[AttemptRecord]) -> None:
        """Remember attempts that this transaction has just written."""
        if self._sole:
            self._open |= {record.id: record for record in records}

    def forget(self) -> None:
        """A transaction was rolled back: the store alone knows what is true."""
        self._open.clear()

    def _written(self, record: AttemptRecord) -> None:
        record.was, record.changed, record.calls_back = record.state, False, 0
        member = record.member
        member.was = member.state
        member.attempts += member.counted
        member.not_placed += member.absent
        member.rejections += member.rejected
        member.counted = member.absent = member.rejected = 0
        if not record.is_open:
            self._open.pop(record.id, None)
        elif self._sole:
            self._open[record.id] = record


def claimed(
    plan: CampaignPlan, member: Row, claim: Claim, day: str, check_at: int
) -> AttemptRecord:
    """The record of a claim that was just written, as loading it would give it."""
    return AttemptRecord(
        id=claim.attempt_id,
        phone=claim.to,
        was=AttemptState.INTENT,
        state=AttemptState.INTENT,
        facts=NOTHING,
        number_id=claim.number_id,
        day=day,
        intent_at=claim.intent_at,
        check_at=check_at,
        checks=0,
        taken_over_at=None,
        outcome=None,
        detail=None,
        closed_at=None,
        campaign_id=plan.id,
        amd=plan.amd,
        completion_timeout_s=plan.completion_timeout_s,
        ring_timeout_s=plan.ring_timeout_s,
        on_machine=plan.on_machine,
        member=MemberRecord(
            id=claim.member_id,
            was=MemberState.DIALING,
            state=MemberState.DIALING,
            next_at=member["next_at"],
            attempts=member["attempts"],
            rejections=member["rejections"],
            not_placed=member["not_placed"],
            reason=None,
            last_outcome=_OUTCOMES[member["last_outcome"]],
            window_key=member["window_key"],
            follows=True,
        ),
    )


def _record(row: Row) -> AttemptRecord:
    state = _ATTEMPT_STATES[row["state"]]
    facts = CallFacts(
        row["sid"],
        _CARRIER_STATUSES[row["status"]],
        row["ringing_at"],
        row["answered_at"],
        None,  # from the inbox
        row["ended_at"],
        row["duration_s"],
        row["sip_code"],
        row["error_code"],
        row["answered_by"],
        _judged(row),
        (),  # from the inbox
        row["message_left_at"],
    )
    return AttemptRecord(
        id=row["id"],
        phone=row["phone"],
        was=state,
        state=state,
        facts=facts,
        number_id=row["number_id"],
        day=row["day"],
        intent_at=row["intent_at"],
        check_at=row["check_at"],
        checks=row["checks"],
        taken_over_at=row["taken_over_at"],
        outcome=_OUTCOMES[row["outcome"]],
        detail=row["detail"],
        closed_at=row["closed_at"],
        campaign_id=row["campaign_id"],
        amd=_AMD_MODES[row["amd"]],
        completion_timeout_s=row["completion_timeout_s"],
        ring_timeout_s=row["ring_timeout_s"],
        on_machine=_ON_MACHINE[row["on_machine"]],
        member=_member(row),
    )


def _judged(row: Row) -> Judgement | None:
    """What our own detection had said when the row was written."""
    word = row["machine_kind"] or row["verdict"]
    return Judgement(row["verdict_seq"], word) if word else None


def _member(row: Row) -> MemberRecord:
    state = _MEMBER_STATES[row["member_state"]]
    return MemberRecord(
        id=row["member_id"],
        was=state,
        state=state,
        next_at=row["next_at"],
        attempts=row["attempts"],
        rejections=row["rejections"],
        not_placed=row["not_placed"],
        reason=_FAIL_REASONS.get(row["reason"]),  # or what put it off, until its next call
        last_outcome=_OUTCOMES[row["last_outcome"]],
        window_key=row["window_key"],
        follows=row["member_attempt_id"] == row["id"],
    )


def event_from(row: Row) -> CallEvent:
    """An event as the inbox has it."""
    return CallEvent(
        attempt_id=row["attempt_id"],
        sid=row["sid"],
        source=EventSource(row["source"]),
        received_at=row["received_at"],
        status=_CARRIER_STATUSES[row["status"]],
        sequence=row["sequence"],
        occurred_at=row["occurred_at"],
        duration_s=row["duration_s"],
        sip_code=row["sip_code"],
        error_code=row["error_code"],
        answered_by=row["answered_by"],
    )


class _AttemptRow(NamedTuple):
    state: str
    check_at: int
    checks: int
    sid: str | None
    status: str | None
    ringing_at: int | None
    answered_at: int | None
    ended_at: int | None
    duration_s: int | None
    sip_code: int | None
    error_code: int | None
    answered_by: str | None
    verdict: str | None
    verdict_seq: int | None
    machine_kind: str | None
    message_left_at: int | None
    outcome: str | None
    detail: str | None
    closed_at: int | None
    id: AttemptId
    was: str


class MemberRow(NamedTuple):
    """Where a member goes, and what is added to its counts on the way."""

    state: str
    next_at: int
    counted: int
    rejected: int
    absent: int
    reason: str | None
    outcome: str | None
    now: int
    member_id: MemberId
    was: str
    attempt_id: AttemptId


def _attempt_row(record: AttemptRecord) -> _AttemptRow:
    facts, judged = record.facts, record.facts.judged
    return _AttemptRow(
        str(record.state),
        record.check_at,
        record.checks,
        facts.sid,
        facts.status and str(facts.status),
        facts.ringing_at,
        facts.answered_at,
        facts.ended_at,
        facts.duration_s,
        facts.sip_code,
        facts.error_code,
        facts.answered_by,
        judged and str(verdict_in(judged)),
        judged and judged.sequence,
        kind_in(judged),
        facts.message_left_at,
        record.outcome and str(record.outcome),
        record.detail,
        record.closed_at,
        record.id,
        str(record.was),
    )


def _member_row(record: AttemptRecord, now: int) -> MemberRow:
    member = record.member
    return MemberRow(
        str(member.state),
        member.next_at,
        member.counted,
        member.rejected,
        member.absent,
        member.reason and str(member.reason),
        member.last_outcome and str(member.last_outcome),
        now,
        member.id,
        str(member.was),
        record.id,
    )
