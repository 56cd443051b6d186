"""No limit is passed, counted over the calls that were really made: I6, I8, I10, I15.

Limits are those stored now: the database keeps no history of settings.
"""

import math
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from typing import Final

from dialer.audit.callee_caps import callees_are_called_no_more_than_allowed
from dialer.audit.evidence import Evidence
from dialer.audit.hours import local_date
from dialer.audit.records import Attempt, Call
from dialer.audit.report import Scope, Violation, moment, of_attempt, of_call

MS: Final = 1000
SECOND_S: Final = 1.0
#: Long enough for what a clock jump left behind to show as a burst, whatever the jitter.
BURST_S: Final = 60.0


def i6_caps_hold(evidence: Evidence) -> Iterator[Violation]:
    """No number makes, and no member or callee gets, more calls than the campaign allows.

    Source: the third promise; days are those of the number's zone. A number serves several
    campaigns: all its calls count, and each campaign's cap holds for the calls that are its own.
    Each retry an operator asked for by hand allows its member one call more.
    """
    yield from _over_the_daily_cap(evidence)
    yield from callees_are_called_no_more_than_allowed(evidence)
    tried: Counter[int] = Counter()
    for call, attempt in evidence.dialed:
        campaign = evidence.campaign_of(attempt)
        tried[attempt.member_id] += 1
        if campaign is not None and tried[attempt.member_id] > campaign.max_retries + 1:
            allowed = campaign.max_retries + 1 + _asked_for(evidence, attempt)
            if tried[attempt.member_id] > allowed:
                text = f"{call.to}: call {tried[attempt.member_id]}, {allowed} allowed"
                yield of_attempt(attempt, "I6", text)


def _asked_for(evidence: Evidence, attempt: Attempt) -> int:
    """How often an operator had asked for one more call of the attempt's member."""
    by_at = attempt.intent_at + 2 * evidence.bounds.skew_ms
    return sum(retry.at <= by_at and retry.of(attempt.member_id) for retry in evidence.retries)


def attributed_calls(evidence: Evidence) -> Scope:
    """The calls whose campaign is known."""
    if evidence.whole:
        return Scope(len(evidence.dialed))
    note = "days, members and callees that the period holds in part are counted in part"
    return Scope(len(evidence.dialed), (note,))


def i8_no_more_calls_at_once(evidence: Evidence) -> Iterator[Violation]:
    """Calls at once, and calls asked for in any second, stay within the limits.

    Source: the third promise; they are counted in the one transaction that takes a contact. Calls
    at once are those of a campaign, of a caller id and of the account, from acceptance to end.
    """
    calls_of: defaultdict[tuple[str, int], list[Call]] = defaultdict(list)
    for call in sorted(evidence.calls, key=lambda call: call.accepted_at):
        attempt, number = evidence.attempt_of(call), evidence.number_by_phone.get(call.from_)
        if attempt is not None:
            calls_of["campaign", attempt.campaign_id].append(call)
        if number is not None:
            calls_of["number", number.id].append(call)
        calls_of["account", 0].append(call)
    for scope, calls in calls_of.items():
        limit = _live_limit(evidence, *scope)
        for call, live in _crowded(calls, limit) if limit else ():
            if evidence.in_period(call.accepted_at):
                at = moment(call.accepted_at)
                text = f"call {live} of its {scope[0]} at once, {limit} allowed, at {at}"
                yield of_call(evidence, call, "I8", text)
    if rate := _calls_per_second(evidence):
        yield from _too_fast(evidence, "I8", rate, SECOND_S)


def calls_under_limits(evidence: Evidence) -> Scope:
    """All calls; the account's limits are a setting of the daemons and must be given."""
    if evidence.account is not None:
        return Scope(len(evidence.judged))
    note = "what the account allows was not given, so its calls at once and its pace are not judged"
    return Scope(len(evidence.judged), (note,))


def i10_excluded_numbers_rest(evidence: Evidence) -> Iterator[Violation]:
    """No call is claimed from a number that is disabled or has reached its spam threshold.

    Source: the third promise; rotation leaves such numbers out.
    """
    for _, attempt in evidence.dialed:
        number = evidence.number_by_id.get(attempt.number_id)
        campaign = evidence.campaign_of(attempt)
        if number is None or campaign is None:
            continue
        if _since(evidence, attempt, number.disabled_at):
            yield of_attempt(
                attempt, "I10", f"{number.phone} was disabled when the call was claimed"
            )
        score = number.spam_score
        scored = score is not None and score >= campaign.spam_threshold
        if scored and _since(evidence, attempt, number.spam_scored_at):
            limit = campaign.spam_threshold
            yield of_attempt(
                attempt, "I10", f"{number.phone} had score {score:g}, excluded from {limit:g}"
            )


def calls_since_the_last_score(evidence: Evidence) -> Scope:
    """The calls claimed since their number was last scored: the database keeps no older score."""
    known = sum(
        (number := evidence.number_by_id.get(attempt.number_id)) is not None
        and (number.spam_scored_at is None or _since(evidence, attempt, number.spam_scored_at))
        for _, attempt in evidence.dialed
    )
    unknown = len(evidence.dialed) - known
    if not unknown:
        return Scope(known)
    return Scope(known, (f"{unknown} calls are older than the only score the database keeps",))


def i15_nothing_is_caught_up_in_a_burst(evidence: Evidence) -> Iterator[Violation]:
    """A slot that was missed is gone: no minute holds more calls than the pace allows.

    Source: after a pause, a sleep or a jump of the clock nothing is caught up in a burst. The pace
    is the account's calls per second and each campaign's call interval.
    """
    if rate := _calls_per_second(evidence):
        yield from _too_fast(evidence, "I15", rate, BURST_S)
    calls_of = defaultdict(list)
    for call, attempt in evidence.dialed:
        calls_of[attempt.campaign_id].append(call)
    for campaign in evidence.campaigns:
        if campaign.call_interval_ms:
            window_s = max(BURST_S, campaign.call_interval_ms / MS)
            stretched_ms = window_s * MS + evidence.bounds.late_ms
            allowed = math.ceil(stretched_ms / campaign.call_interval_ms)
            for call in _bursts(calls_of[campaign.id], window_s, allowed):
                text = _burst("campaign", allowed, window_s, call)
                yield of_call(evidence, call, "I15", text)


def _over_the_daily_cap(evidence: Evidence) -> Iterator[Violation]:
    by_day = defaultdict(list)
    for call in evidence.calls:
        attempt, number = evidence.attempt_of(call), evidence.number_by_phone.get(call.from_)
        campaign = evidence.campaign_of(attempt) if attempt else None
        if attempt is None or campaign is None or number is None:
            continue
        skew_ms = evidence.bounds.skew_ms
        day = local_date(number.zone, call.arrived_at - skew_ms)
        if day == local_date(number.zone, call.arrived_at + skew_ms):
            # Of claims in one instant, those of the narrower cap came first: so they may have.
            order = (attempt.intent_at, campaign.max_calls_per_day, call.sid)
            by_day[number.phone, day].append((order, call, attempt, campaign))
    for (phone, day), claims in by_day.items():
        for count, (_, call, attempt, campaign) in enumerate(sorted(claims, key=lambda c: c[0]), 1):
            if count > campaign.max_calls_per_day and evidence.in_period(call.accepted_at):
                text = f"{phone} made call {count} of {day}, {campaign.max_calls_per_day} allowed"
                yield of_attempt(attempt, "I6", text)


def _live_limit(evidence: Evidence, of: str, id_: int) -> int | None:
    """How many calls at once a campaign, a number or the account may have; None: no limit."""
    if of == "account":
        return evidence.account.max_concurrent or None if evidence.account else None
    if of == "number":
        return evidence.number_by_id[id_].max_live
    campaign = evidence.campaign_by_id.get(id_)
    return campaign.max_concurrent if campaign else None


def _crowded(calls: Iterable[Call], limit: int) -> Iterator[tuple[Call, int]]:
    """Each of *calls*, which are in order, that began when *limit* others were under way."""
    ends: list[float] = []
    for call in calls:
        while ends and ends[0] <= call.accepted_at:
            heappop(ends)
        heappush(ends, math.inf if call.over_at is None else call.over_at)
        if len(ends) > limit:
            yield call, len(ends)


def _calls_per_second(evidence: Evidence) -> float:
    return evidence.account.calls_per_second if evidence.account else 0


def _too_fast(
    evidence: Evidence, invariant: str, rate: float, window_s: float
) -> Iterator[Violation]:
    """Windows of the account in which more was asked for than *rate* and jitter account for."""
    allowed = math.ceil(rate * (window_s + evidence.bounds.jitter_ms / MS))
    for call in _bursts(evidence.judged, window_s, allowed):
        text = _burst("account", allowed, window_s, call)
        yield of_call(evidence, call, invariant, text)


def _bursts(calls: Sequence[Call], window_s: float, allowed: int) -> Iterator[Call]:
    """The calls that ended a window, open at its end, with more calls than *allowed*."""
    window: deque[int] = deque()
    for call in sorted(calls, key=lambda call: call.arrived_at):
        while window and window[0] <= call.arrived_at - window_s * MS:
            window.popleft()
        window.append(call.arrived_at)
        if len(window) > allowed:
            yield call


def _burst(of: str, allowed: int, window_s: float, call: Call) -> str:
    at = moment(call.arrived_at)
    return f"more than {allowed} calls of its {of} within {window_s:g} s, at {at}"


def _since(evidence: Evidence, attempt: Attempt, at: int | None) -> bool:
    """Whether an attempt was claimed when what is stored of *at* must have been in force."""
    bounds = evidence.bounds
    return at is not None and attempt.intent_at > at + bounds.reaction_ms + bounds.skew_ms
