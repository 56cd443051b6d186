"""Nobody is called more often than the campaign allows: the callee's side of I6."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final

from dialer.audit.callee_windows import readable_rules
from dialer.audit.evidence import Evidence
from dialer.audit.records import Attempt
from dialer.audit.report import Violation, moment, of_attempt
from dialer.audit.rules import StoredRules, callee_place

DAY_MS: Final = 86_400_000


def callees_are_called_no_more_than_allowed(evidence: Evidence) -> Iterator[Violation]:
    """No callee gets more calls in any period than the campaign allows, or the operator's rules.

    Source: the third promise. Calls of all campaigns count, each campaign's caps hold for its own.
    A period is taken shorter by how late an order may leave and by how far clocks may be off.
    """
    inexact_ms = evidence.bounds.late_ms + 2 * evidence.bounds.skew_ms
    rules = readable_rules(evidence)
    for callee, calls in _calls_by_callee(evidence).items():
        times = [at for at, _ in calls]
        for place, (at, attempt) in enumerate(calls):
            if not evidence.in_period(at):
                continue
            for allowed, period_ms, whose in _caps(evidence, attempt, rules):
                earlier = place - bisect_right(times, at - period_ms + inexact_ms, hi=place)
                if earlier >= allowed:
                    text = (
                        f"{callee}: call {earlier + 1} within {timedelta(milliseconds=period_ms)}"
                    )
                    words = f"{text} at {moment(at)}, {allowed} allowed by its {whose}"
                    yield of_attempt(attempt, "I6", words)


def _calls_by_callee(evidence: Evidence) -> dict[str, list[tuple[int, Attempt]]]:
    calls = defaultdict(list)
    for call in evidence.calls:
        attempt = evidence.attempt_of(call)
        if attempt is not None:  # whose phone stays the same name once somebody is erased
            calls[attempt.phone].append((call.arrived_at, attempt))
    for each in calls.values():
        each.sort(key=lambda made: (made[0], made[1].id))
    return calls


def _caps(
    evidence: Evidence, attempt: Attempt, rules: Mapping[int | None, StoredRules]
) -> Iterator[tuple[int, int, str]]:
    """The caps an attempt was decided by: calls, milliseconds, and whose they are."""
    campaign = evidence.campaign_of(attempt)
    if campaign is not None:
        yield campaign.callee_calls_per_day, DAY_MS, "campaign"
        yield campaign.callee_calls_per_week, 7 * DAY_MS, "campaign"
    place, known = callee_place(attempt.window_key), rules.get(attempt.rule_set_id)
    if place is not None and known is not None:
        yield from known.caps(place)
