"""What a claim writes down before the carrier hears of it: members taken, attempts intended."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from dialer.counters import local_hour
from dialer.model import AttemptId, CampaignId, Claim, DaemonId, MemberId, NumberId
from dialer.plans import CampaignPlan
from dialer.ports import Row
from dialer.states import WAITING_MEMBER_STATES, AttemptState, MemberEvent, advance_member

#: A member as it was found, and its claim.
Taken = tuple[Row, Claim]

#: Where a claim takes a member, by the text of where it was.
CLAIMED_STATE: Final = {
    state.value: advance_member(state, MemberEvent.CLAIM).value for state in WAITING_MEMBER_STATES
}
#: Clocks anywhere differ from one another by whole quarters of an hour.
_QUARTER_MS: Final = 15 * 60 * 1000


class ClaimedRow(NamedTuple):
    """A member as its claim leaves it, as ``claim_members`` takes it."""

    state: str
    attempt_id: AttemptId
    number_id: NumberId
    now: int
    member_id: MemberId
    was: str


class IntentRow(NamedTuple):
    """An attempt as its claim makes it, as ``add_attempts`` takes it."""

    id: AttemptId
    member_id: MemberId
    campaign_id: CampaignId
    number_id: NumberId
    owner: DaemonId
    phone: str
    state: str
    day: str
    intent_at: int
    send_at: int
    check_at: int
    window_key: str
    local_weekday: int
    local_hour: int
    rule_set_id: int | None


def claimed_rows(taken: Sequence[Taken]) -> Sequence[ClaimedRow]:
    """The members of claims, where the claim takes them."""
    return [
        ClaimedRow(
            CLAIMED_STATE[member["state"]],
            claim.attempt_id,
            claim.number_id,
            claim.intent_at,
            claim.member_id,
            member["state"],
        )
        for member, claim in taken
    ]


def intent_rows(
    plan: CampaignPlan,
    owner: DaemonId,
    taken: Sequence[Taken],
    days: Mapping[NumberId, str],
    checks_at: Iterable[int],
) -> Sequence[IntentRow]:
    """The attempts of claims; an intent without an answer is suspicious from *checks_at* on."""
    shown = dict[tuple[str, int], tuple[int, int]]()
    rows = []
    for (member, claim), check_at in zip(taken, checks_at, strict=True):
        window_key = member["window_key"]
        quarter = (window_key, claim.send_at // _QUARTER_MS)
        if quarter not in shown:
            zone = plan.window(window_key).place.zones[0]
            shown[quarter] = local_hour(zone, claim.send_at)
        rows.append(
            IntentRow(
                claim.attempt_id,
                claim.member_id,
                claim.campaign_id,
                claim.number_id,
                owner,
                claim.to,
                AttemptState.INTENT.value,
                days[claim.number_id],
                claim.intent_at,
                claim.send_at,
                check_at,
                window_key,
                *shown[quarter],
                plan.rules.id,
            )
        )
    return rows
