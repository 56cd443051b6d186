"""A call of the carrier's that no attempt claims, put where it belongs.

Theory of operation. It becomes an attempt of the member it is for, with all that a claim would have
taken. Where no member or none of our numbers is known, what matters still is kept: that its callee
was called, and when. Claims ask for that, whichever campaign the callee is brought into and however
late, so nobody who was called is called again within a day, and caps count the call.

Whoever writes here holds the account's row, as claims do: of two daemons that take in the same
list one finds what the other has written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from dialer import hold
from dialer.callees import DAY_MS, KEPT_MS
from dialer.counters import count_calls, local_day, local_hour
from dialer.errors import WrongStateError
from dialer.hold import Hold
from dialer.intents import CLAIMED_STATE, ClaimedRow, IntentRow
from dialer.model import AttemptId, CampaignId, DaemonId, MemberId, NumberId
from dialer.plans import Plans
from dialer.ports import CarrierCall, Clock, Ids, Row, Tx
from dialer.states import (
    FINAL_MEMBER_STATES,
    WAITING_MEMBER_STATES,
    AttemptState,
    CampaignStatus,
    MemberEvent,
    MemberState,
    advance_member,
)
from retries.outcome import Outcome

#: An attempt that was written down and did not get the carrier's name is looked for after this.
LOOK_AFTER_MS: Final = 30_000


class Found(StrEnum):
    """What a call of the carrier's list is to us."""

    KNOWN = "known"
    RECORDED = "recorded"  # it was unknown, and is an attempt now
    IN_DOUBT = "in_doubt"  # its callee has an attempt that may be this call, or goes on
    STRANGER = "stranger"  # to nobody who is in a campaign here
    FOREIGN = "foreign"  # to one of our contacts, from a number this database does not know


@dataclass(frozen=True, slots=True)
class Listed:
    """A call of the carrier's list, which is taken in because of a hold."""

    call: CarrierCall
    held: Hold


@dataclass(frozen=True, slots=True)
class Taken:
    """What one call came to; *attempt_id* of one that was recorded."""

    found: Found
    attempt_id: AttemptId | None = None
    shared: bool = False  # it may have been the call of another campaign


class Erased(Protocol):
    """Who was erased, as :class:`~dialer.erased.ErasedPhones` knows."""

    async def among(self, tx: Tx, phones: Sequence[str]) -> frozenset[str]:
        """Those of E.164 *phones* that were erased."""


class FoundCalls:
    """Writes down calls that were found, for one daemon."""

    def __init__(
        self, clock: Clock, ids: Ids, owner: DaemonId, plans: Plans, erased: Erased
    ) -> None:
        self._clock = clock
        self._ids = ids
        self._owner = owner
        self._plans = plans
        self._erased = erased

    async def take(self, tx: Tx, listed: Sequence[Listed]) -> list[Taken]:
        """Find each its place.

        Raises WrongStateError when the hold they are taken in for has gone, or wants it no more.
        """
        await tx.row("account_lane")  # claims and others who take in wait here
        for each in listed:
            await _require_wanted(tx, each.held)
        return [await self._take(tx, each.call) for each in listed]

    async def _take(self, tx: Tx, call: CarrierCall) -> Taken:
        if call.sid in {row["sid"] for row in await tx.rows("known_sids", phone=call.to)}:
            return Taken(Found.KNOWN)
        number = await tx.row("number_called_from", phone=call.from_)
        number_id = 0 if number is None else number["id"]
        members = await tx.rows("members_of_callee", phone=call.to, number_id=number_id)
        if number is None or not members:
            await self._keep(tx, call)
            await self._let_rest(tx, members, call)
            return Taken(Found.FOREIGN if members else Found.STRANGER)
        if await tx.value("open_attempt_to", phone=call.to) is not None:
            return Taken(Found.IN_DOUBT)
        likely, *others = _whose(members)
        attempt_id = await self._record(tx, likely, number, call)
        if attempt_id is None:
            return Taken(Found.IN_DOUBT)
        await tx.run("forget_found_call", sid=call.sid)  # it had no place here before
        await self._let_rest(tx, others, call)
        return Taken(Found.RECORDED, attempt_id, shared=bool(others))

    async def _record(
        self, tx: Tx, member: Row, number: Row, call: CarrierCall
    ) -> AttemptId | None:
        """Write the intent of the call; None, with nothing written, when its member has moved."""
        now, at = self._clock.now(), call.created_at
        state = await self._reopened(tx, member, now)
        if state is None:
            return None
        attempt_id = self._ids.attempt(at)
        number_id, member_id = NumberId(number["id"]), MemberId(member["id"])
        claimed = ClaimedRow(
            CLAIMED_STATE[state], attempt_id, number_id, now, member_id, state.value
        )
        if not await tx.run("claim_found_member", **claimed._asdict()):
            return None
        campaign_id = CampaignId(member["campaign_id"])
        plan = await self._plans.of(tx, campaign_id)
        zones = plan.window(member["window_key"]).place.zones or (number["zone"],)
        day, _ = local_day(number["zone"], at)
        intent = IntentRow(
            attempt_id,
            member_id,
            campaign_id,
            number_id,
            self._owner,
            call.to,
            AttemptState.INTENT.value,
            day,
            at,
            at,
            now + LOOK_AFTER_MS,
            member["window_key"],
            *local_hour(zones[0], at),
            plan.rules.id,
        )
        await tx.many("add_attempts", [intent])
        await count_calls(tx, [(number_id, day, 1)])
        return attempt_id

    async def _reopened(self, tx: Tx, member: Row, now: int) -> MemberState | None:
        """The member's state, once it is one that a call may follow; None: it has moved."""
        was = MemberState(member["state"])
        if was in WAITING_MEMBER_STATES:
            return was
        event = MemberEvent.REQUEUE if was in FINAL_MEMBER_STATES else MemberEvent.RETRY
        state = advance_member(was, event)
        ended = member["outcome"] if was is MemberState.CALLED else None
        moved = await tx.run(
            "reopen_member",
            member_id=member["id"],
            was=was,
            state=state,
            rejected=int(ended == Outcome.REJECTED),
            outcome=ended,
            now=now,
        )
        return state if moved else None

    async def _keep(self, tx: Tx, call: CarrierCall) -> None:
        """Keep that somebody was called, unless they were erased: those nobody calls or brings in
        again.
        """
        now = self._clock.now()
        if call.created_at <= now - KEPT_MS or await self._erased.among(tx, [call.to]):
            return
        await tx.run("keep_found_call", sid=call.sid, phone=call.to, placed_at=call.created_at)

    async def _let_rest(self, tx: Tx, members: Sequence[Row], call: CarrierCall) -> None:
        """Whose call it may have been as well is not called for a day, as if it had been theirs."""
        rests = [
            {
                "member_id": row["id"],
                "was": row["state"],
                "next_at": max(row["next_at"], call.created_at + DAY_MS),
                "now": self._clock.now(),
            }
            for row in members
            if MemberState(row["state"]) in WAITING_MEMBER_STATES
        ]
        await tx.many("let_members_rest", rests)


async def _require_wanted(tx: Tx, held: Hold) -> None:
    stands = await hold.standing(tx)
    if stands is None or stands.at != held.at or not stands.wants_reconciliation:
        raise WrongStateError("the hold that calls were taken in for has ended: nothing is written")


def _whose(members: Sequence[Row]) -> list[Row]:
    """The members whose call it may have been, the likeliest first: those whose campaign calls
    from that number; whoever is not done before whoever is, active campaigns before others.
    """
    likely = [row for row in members if row["from_it"]] or [*members]
    return sorted(
        likely,
        key=lambda row: (
            MemberState(row["state"]) in FINAL_MEMBER_STATES,
            CampaignStatus(row["campaign_status"]) is not CampaignStatus.ACTIVE,
            row["id"],
        ),
    )
