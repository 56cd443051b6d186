"""What becomes of a call: the only writer of attempts and of the members they move.

Theory of operation. News of a call — the answer to the request, a callback, a look-up — arrives
as a typed operation. News from outside goes to the inbox first and is durable before it is
acknowledged; folding it is a second step that may be repeated, reordered or interrupted without
harm, because facts are a join and moves are compare-and-set. A call that is over leaves its
member ``called`` until the campaign's completion timeout has passed: until then a late verdict
may still refine the outcome. Then the retry policy decides, once.
"""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from dialer.attempts import AttemptRecord, Attempts, MemberRow, event_from
from dialer.batching import Batcher
from dialer.do_not_call import note_barred
from dialer.errors import StoreError
from dialer.folding import CONFLICT, REPEAT, UNKNOWN_ATTEMPT, Action, Folded, fold
from dialer.lazy_log import Log
from dialer.masking import mask
from dialer.meters import NO_METERS, Meters
from dialer.model import (
    AmdMode,
    AttemptId,
    CallEvent,
    CallFacts,
    CallSid,
    CampaignId,
    EventSource,
    FailReason,
    MemberId,
)
from dialer.outcomes import ring_s
from dialer.plans import CampaignPlan, Plans
from dialer.ports import Clock, Refusal, Refused, Rng, Row, Tx
from dialer.settlement import Ended, Move, Past, after_call, given_back, without_call
from dialer.states import (
    AttemptEvent,
    AttemptState,
    MemberEvent,
    MemberState,
    advance_member,
)
from retries.outcome import Outcome

log = Log()

MS: Final = 1000

#: Members whose outcome became final are settled in portions of this size.
SETTLE_BATCH: Final = 200
#: What an attempt's detail calls the operator's own check; what the check said stands behind it.
PRE_DIAL_CHECK: Final = "the pre-dial check"
#: The detail of an attempt that an operator has ended before it was a call.
CALLED_OFF: Final = "ended by an operator before it was made"


@dataclass(frozen=True, slots=True)
class CallTimes:
    """How long doubt lasts; the assumptions A1 and A2 of ``docs/explanation/promises.md``."""

    leave_bound_s: float  # a request leaves within this time of its intent, or never
    request_timeout_s: float  # after this we stop waiting for the carrier's answer
    accept_bound_s: float  # A1: accepted within this time of sending, or never
    list_bound_s: float  # A2: an accepted call is listed within this time
    longest_s: int  # the carrier is told to end a call after this
    quarantine_s: float  # before a member is called again whose daemon was believed dead

    @property
    def ask_s(self) -> float:
        """So long after an intent whoever is awake knows whether there was an answer."""
        return self.leave_bound_s + self.request_timeout_s

    @property
    def first_look_s(self) -> float:
        """So long after an intent the carrier cannot accept its request any more."""
        return self.ask_s + self.accept_bound_s

    @property
    def settled_s(self) -> float:
        """So long after a request left the carrier's list shows its call, if there is one."""
        return self.accept_bound_s + self.list_bound_s

    @property
    def last_look_s(self) -> float:
        """So long after an intent the carrier's list shows its call, if there is one."""
        return self.first_look_s + self.list_bound_s


class Calls:
    """Handlers for everything that happens to attempts after their intent."""

    def __init__(
        self,
        clock: Clock,
        rng: Rng,
        batcher: Batcher,
        attempts: Attempts,
        plans: Plans,
        times: CallTimes,
        *,
        meters: Meters = NO_METERS,
        fingerprint: Callable[[str], str] | None = None,
    ) -> None:
        """*fingerprint* tells one callee from another in the log, where there is a key for it."""
        self._clock = clock
        self._rng = rng
        self._meters = meters
        self._fingerprint = fingerprint
        self._batcher = batcher
        self._attempts = attempts
        self._plans = plans
        self._times = times
        self._on_change: Callable[[CampaignId], None] = lambda _: None
        self._on_action: Callable[[Action], None] = lambda _: None
        self._on_end: Callable[[AttemptId], None] = lambda _: None

    def subscribe(
        self,
        on_change: Callable[[CampaignId], None],
        on_action: Callable[[Action], None],
        on_end: Callable[[AttemptId], None] = lambda _: None,
    ) -> None:
        """Tell who wants to know when a campaign has room again, who acts on verdicts, and who
        has to do with a call only as long as it goes on."""
        self._on_change = on_change
        self._on_action = on_action
        self._on_end = on_end

    # -- news from outside -----------------------------------------------------------------------

    async def receive(self, *events: CallEvent) -> None:
        """Take news of calls: in the inbox and folded when this returns, in one commit.

        News that cannot be folded stays in the inbox, durable and unfolded, for the next start:
        what the carrier told us is never lost to a fault of ours.
        """
        try:
            answers = await self._batcher.apply(self._take_in, events)
            for event, folded in zip(events, answers, strict=True):
                if folded.action is not None:  # after the commit, so that it is asked for once
                    self._on_action(folded.action)
                if folded is REPEAT and event.source is not EventSource.LOOKUP:
                    self._meters.webhook_repeated()
        except StoreError:
            raise
        except Exception:
            log.exception("event.parked", attempts=[event.attempt_id for event in events])
            await self._batcher.apply(self._park, events)

    def accepted(self, attempt_id: AttemptId, sid: CallSid) -> None:
        """The carrier named its call in its answer; durable soon, and not waited for."""
        self._batcher.post(self._take_in, [self._request_answered(attempt_id, sid)])

    async def adopt(self, attempt_id: AttemptId, sid: CallSid) -> None:
        """The carrier's list showed the call of an attempt in doubt."""
        await self._batcher.apply(self._take_in, [self._request_answered(attempt_id, sid)])

    def _request_answered(self, attempt_id: AttemptId, sid: CallSid) -> CallEvent:
        return CallEvent(attempt_id, sid, EventSource.REQUEST, self._clock.now())

    async def refold(self, tx: Tx) -> int:
        """Queue what an earlier process took in but did not fold; returns how much that was."""
        rows = await tx.rows("unfolded_events", limit=1_000_000)
        for row in rows:
            self._batcher.post(self._refold, [event_from(row)])
        return len(rows)

    async def _take_in(self, tx: Tx, events: Sequence[CallEvent]) -> Sequence[Folded]:
        folded = await self._fold(tx, events)
        now = self._clock.now()
        rows = [
            _inbox_row(event, now, each.verdict)
            for event, each in zip(events, folded, strict=True)
            if event.source is not EventSource.REQUEST  # the attempt's own row tells it
        ]
        await tx.many("add_events", rows)
        return folded

    async def _park(self, tx: Tx, events: Sequence[CallEvent]) -> Sequence[None]:
        await tx.many("add_events", [_inbox_row(event, None, None) for event in events])
        return [None] * len(events)

    async def _refold(self, tx: Tx, events: Sequence[CallEvent]) -> Sequence[None]:
        now = self._clock.now()
        rows = zip(events, await self._fold(tx, events), strict=True)
        await tx.many(
            "mark_folded",
            [
                {"attempt_id": e.attempt_id, "news": e.news, "verdict": each.verdict, "now": now}
                for e, each in rows
            ],
        )
        return [None] * len(events)

    async def _fold(self, tx: Tx, events: Sequence[CallEvent]) -> Sequence[Folded]:
        """Fold *events*, all of an attempt at once; returns what each amounted to."""
        now = self._clock.now()
        at: dict[AttemptId, list[int]] = {}
        for position, event in enumerate(events):
            at.setdefault(event.attempt_id, []).append(position)
        records = await self._attempts.load(tx, at)
        verdicts = [UNKNOWN_ATTEMPT] * len(events)
        for attempt_id, record in records.items():
            positions = at[attempt_id]
            news = [events[position] for position in positions]
            for position, folded in zip(positions, self._fold_one(record, news, now), strict=True):
                verdicts[position] = folded
        await self._settle_at_once(tx, records.values(), now)
        await self._attempts.save(tx, records.values(), now)
        return verdicts

    def _fold_one(
        self, record: AttemptRecord, news: Sequence[CallEvent], now: int
    ) -> Sequence[Folded]:
        state = record.state
        folded = fold(record, news, now)
        if CONFLICT in folded:
            for event, each in zip(news, folded, strict=True):
                if each is CONFLICT:
                    sid = record.facts.sid
                    log.error("call.conflict", attempt=record.id, sid=sid, other=event.sid)
                    self._batcher.after_commit(self._meters.promise_broken)
        if record.state is not state:
            if state is AttemptState.NOT_PLACED:
                log.warning("call.found_late", attempt=record.id, sid=record.facts.sid)
            if record.state is AttemptState.ENDED:
                self._ended(record)
        return folded

    def _ended(self, record: AttemptRecord) -> None:
        self._tell_later(record, _line_of(record))
        self._batcher.after_commit(partial(self._on_end, record.id))
        self._on_change(record.campaign_id)

    def _tell_later(self, record: AttemptRecord, line: dict[str, object] | None = None) -> None:
        """Count an attempt that is over once that is durable, and write its line if it has one."""
        assert record.outcome is not None, "it is over"
        self._batcher.after_commit(
            partial(
                self._tell_end,
                record.campaign_id,
                record.outcome,
                record.amd,
                record.facts,
                line,
            )
        )

    def _tell_end(
        self,
        campaign_id: CampaignId,
        outcome: Outcome,
        mode: AmdMode,
        facts: CallFacts,
        line: dict[str, object] | None,
    ) -> None:
        self._meters.call_ended(campaign_id, outcome, mode, facts)
        if line is None:
            return
        phone = line["to"]
        if self._fingerprint is not None and isinstance(phone, str):
            line["to_hash"] = self._fingerprint(phone)
        log.info("call.ended", **line)

    async def _settle_at_once(self, tx: Tx, records: Collection[AttemptRecord], now: int) -> None:
        """Where the campaign grants no completion timeout, the end of the call decides."""
        over = [r for r in records if r.just_ended and not r.completion_timeout_s]
        plans = {id_: await self._plans.of(tx, id_) for id_ in {r.campaign_id for r in over}}
        for record in over:
            self._settle_member(record, plans[record.campaign_id], now)

    def _settle_member(self, record: AttemptRecord, plan: CampaignPlan, now: int) -> None:
        assert record.outcome is not None, "the call has ended"
        facts, member = record.facts, record.member
        left = facts.message_left_at is not None
        ended = Ended(record.outcome, facts.duration_s, facts.error_code, left)
        member.apply(after_call(ended, member.past(), plan, now, self._rng.random()))
        member.last_outcome = record.outcome
        member.rejected = int(record.outcome is Outcome.REJECTED)
        self._on_change(record.campaign_id)

    # -- the answer to our request ---------------------------------------------------------------

    async def doubted(self, tx: Tx, ops: Sequence[tuple[AttemptId, str]]) -> list[None]:
        """Nobody knows whether there is a call: look for it, once the bound has passed."""
        now = self._clock.now()
        records = await self._attempts.load(tx, (attempt_id for attempt_id, _ in ops))
        for attempt_id, why in ops:
            record = records[attempt_id]
            if record.state is AttemptState.INTENT:  # a callback may have beaten us to it
                record.advance(AttemptEvent.DOUBT)
                record.detail = why
                record.check_at = self._first_look_at(record.intent_at, now)
                log.warning("call.doubted", attempt=record.id, why=why)
        await self._attempts.save(tx, records.values(), now)
        return [None] * len(ops)

    async def refused(self, tx: Tx, ops: Sequence[tuple[AttemptId, Refused]]) -> list[None]:
        """The carrier said no for certain: the attempt is over and nobody was disturbed."""
        now = self._clock.now()
        records = await self._attempts.load(tx, (attempt_id for attempt_id, _ in ops))
        for attempt_id, refusal in ops:
            record = records[attempt_id]
            if record.state is not AttemptState.INTENT:
                log.error("call.conflict", attempt=record.id, refused=refusal.code)
                continue
            record.advance(AttemptEvent.REFUSE)
            record.detail = f"refused: {refusal.code}: {mask(refusal.message)}"
            record.facts = record.facts._replace(error_code=refusal.code)
            await self._without_call(tx, record, _outcome_of_refusal(refusal), now, refusal.kind)
        await self._attempts.save(tx, records.values(), now)
        return [None] * len(ops)

    async def released(
        self, tx: Tx, ops: Sequence[tuple[AttemptId, str, int | None]]
    ) -> list[None]:
        """Not a byte left: the claim goes back uncounted, due again at the time given, if any.

        Whose call an operator has ended before it was made rests as after a call in vain: who wants
        a call to end does not want it a moment later.
        """
        now = self._clock.now()
        records = await self._attempts.load(tx, (attempt_id for attempt_id, _, _ in ops))
        ids = json.dumps(sorted(records))
        called_off = {row["id"] for row in await tx.rows("called_off", ids=ids)}
        for attempt_id, why, due_at in ops:
            record = records[attempt_id]
            if record.state is not AttemptState.INTENT:
                continue
            record.advance(AttemptEvent.RELEASE)
            record.detail, record.closed_at, record.calls_back = why, now, 1
            if by_hand := attempt_id in called_off:
                record.detail = CALLED_OFF
            member = record.member
            if member.follows and member.state is MemberState.DIALING:
                plan = await self._plans.of(tx, record.campaign_id)
                again_at = member.next_at if due_at is None else due_at
                if by_hand:
                    again_at = max(again_at, now + plan.policy.intervals_s[0] * MS)
                member.apply(given_back(member.past(), plan, again_at, now))
            self._on_change(record.campaign_id)
        await self._attempts.save(tx, records.values(), now)
        return [None] * len(ops)

    async def barred(self, tx: Tx, ops: Sequence[tuple[AttemptId, str]]) -> list[None]:
        """The operator's own check said never: not a byte left, and the member fails for good."""
        now = self._clock.now()
        records = await self._attempts.load(tx, (attempt_id for attempt_id, _ in ops))
        for attempt_id, why in ops:
            record = records[attempt_id]
            if record.state is not AttemptState.INTENT:
                continue
            record.advance(AttemptEvent.RELEASE)
            record.detail = f"never, says {PRE_DIAL_CHECK}: {why or 'no reason given'}"
            record.closed_at, record.calls_back = now, 1
            member = record.member
            if member.follows and member.state is MemberState.DIALING:
                member.apply(Move(MemberEvent.FAIL, now, FailReason.REFUSED_BY_CHECK))
            log.info(
                "call.barred",
                attempt=record.id,
                campaign=record.campaign_id,
                member=member.id,
            )
            await note_barred(tx, record.id, record.campaign_id, record.detail, now)
            self._on_change(record.campaign_id)
        await self._attempts.save(tx, records.values(), now)
        return [None] * len(ops)

    async def absent(self, tx: Tx, ops: Sequence[AttemptId]) -> list[None]:
        """Looked for after the bound and not there: no call came about."""
        now = self._clock.now()
        records = await self._attempts.load(tx, ops)
        for attempt_id in ops:
            record = records[attempt_id]
            if record.state is AttemptState.UNKNOWN:
                record.advance(AttemptEvent.ABSENT)
                await self._without_call(tx, record, Outcome.NOT_PLACED, now)
        await self._attempts.save(tx, records.values(), now)
        return [None] * len(ops)

    # -- moves -----------------------------------------------------------------------------------

    def _first_look_at(self, intent_at: int, now: int) -> int:
        """When to look for a call in doubt. A doubt that comes late may be that of a request which
        has just left: whoever asked was asleep."""
        in_time = now <= intent_at + int(self._times.ask_s * MS)
        if in_time:
            return intent_at + int(self._times.first_look_s * MS)
        return now + int(self._times.settled_s * MS)

    async def _without_call(
        self,
        tx: Tx,
        record: AttemptRecord,
        outcome: Outcome,
        now: int,
        refusal: Refusal | None = None,
    ) -> None:
        """Close an attempt that became no call, and let the policy decide about its member."""
        record.closed_at, record.outcome, record.calls_back = now, outcome, 1
        self._tell_later(record)
        member = record.member
        if not member.follows or member.state is not MemberState.DIALING:
            return
        plan = await self._plans.of(tx, record.campaign_id)
        move = without_call(
            outcome,
            member.past(),
            plan,
            now,
            self._rng.random(),
            refusal=refusal,
            quarantine_ends_at=None if refusal else self._quarantine_ends_at(record),
        )
        member.apply(move)
        member.absent = int(outcome is Outcome.NOT_PLACED)
        member.last_outcome = outcome
        log.info("call.not_made", attempt=record.id, outcome=outcome, detail=record.detail)
        self._on_change(record.campaign_id)

    def _quarantine_ends_at(self, record: AttemptRecord) -> int:
        """A call that was looked for and not found may still turn up: its callee rests a while."""
        return record.intent_at + int(self._times.quarantine_s * MS)

    # -- when the completion timeout has passed ---------------------------------------------------

    async def settle(self) -> int:
        """Decide about every member whose outcome is final now; returns how many there were."""
        total = 0
        while True:
            (settled,) = await self._batcher.apply(self._settle, [None])
            total += settled
            if settled < SETTLE_BATCH:
                return total

    async def _settle(self, tx: Tx, ops: Sequence[None]) -> list[int]:
        now = self._clock.now()
        rows = await tx.rows("outcomes_due", now=now, limit=SETTLE_BATCH)
        plans = {id_: await self._plans.of(tx, id_) for id_ in {r["campaign_id"] for r in rows}}
        moves = [self._settled(row, plans[row["campaign_id"]], now) for row in rows]
        await tx.many("move_members", moves)
        for campaign_id in plans:
            self._on_change(campaign_id)
        return [len(rows)] * len(ops)

    def _settled(self, row: Row, plan: CampaignPlan, now: int) -> MemberRow:
        outcome = Outcome(row["outcome"])
        previous = Outcome(row["previous_outcome"]) if row["previous_outcome"] else None
        past = Past(
            row["attempts"],
            row["rejections"],
            row["not_placed"],
            previous,
            row["window_key"],
            skipped=row["reason"] == FailReason.SKIPPED,
        )
        left = row["message_left_at"] is not None
        ended = Ended(outcome, row["duration_s"], row["error_code"], left)
        move = after_call(ended, past, plan, now, self._rng.random())
        state = advance_member(MemberState.CALLED, move.event)
        log.info(
            "member.settled", member=row["id"], outcome=outcome, state=state, reason=move.reason
        )
        return MemberRow(
            state=state.value,
            next_at=move.next_at,
            counted=0,
            rejected=int(outcome is Outcome.REJECTED),
            absent=0,
            reason=move.reason and move.reason.value,
            outcome=outcome.value,
            now=now,
            member_id=MemberId(row["id"]),
            was=MemberState.CALLED.value,
            attempt_id=row["attempt_id"],
        )


def _line_of(record: AttemptRecord) -> dict[str, object]:
    """What the log says of a call that is over; the number is masked on its way there."""
    facts, member = record.facts, record.member
    return {
        "campaign": record.campaign_id,
        "member": member.id,
        "attempt": record.id,
        "sid": facts.sid,
        "to": record.phone,
        "outcome": record.outcome,
        "ring_s": ring_s(facts),
        "talk_s": facts.duration_s,
        "attempt_number": member.attempts + member.counted,
    }


def _outcome_of_refusal(refusal: Refused) -> Outcome:
    return Outcome.INVALID_NUMBER if refusal.kind is Refusal.BAD_NUMBER else Outcome.NOT_PLACED


class _InboxRow(NamedTuple):
    attempt_id: AttemptId
    sid: CallSid
    source: str
    status: str | None
    sequence: int | None
    occurred_at: int | None
    duration_s: int | None
    sip_code: int | None
    error_code: int | None
    answered_by: str | None
    received_at: int
    news: str
    folded_at: int | None
    verdict: str | None


def _inbox_row(event: CallEvent, folded_at: int | None, verdict: str | None) -> _InboxRow:
    return _InboxRow(
        event.attempt_id,
        event.sid,
        str(event.source),
        event.status and str(event.status),
        event.sequence,
        event.occurred_at,
        event.duration_s,
        event.sip_code,
        event.error_code,
        event.answered_by,
        event.received_at,
        event.news,
        folded_at,
        verdict,
    )
