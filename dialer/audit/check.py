"""The invariants in order, and the one function that holds evidence against them. Pure."""

from typing import Final

from dialer.audit import explained, keeping, limits, listed, news, ringing, stopping, windows
from dialer.audit.evidence import Evidence
from dialer.audit.report import Invariant, Report, Result

_ASSUMPTIONS: Final = (
    "see which assumption failed (docs/explanation/promises.md, A1 to A5) and raise its bound"
)
_REPORT: Final = "keep the database and the logs, and report it: this must never happen"

INVARIANTS: Final = (
    Invariant(
        "I1",
        ringing.i1_an_attempt_rings_at_most_once,
        ringing.calls_by_attempt,
        f"the callee was rung twice: pause the campaign; {_ASSUMPTIONS}",
    ),
    Invariant(
        "I2",
        ringing.i2_no_callee_is_in_two_calls,
        ringing.judged_calls,
        f"the callee was rung during a call: pause the campaigns; {_ASSUMPTIONS}",
    ),
    Invariant("I3", keeping.i3_nobody_is_lost, keeping.members, f"dialer db check; {_REPORT}"),
    Invariant(
        "I4",
        windows.i4_calls_keep_to_the_hours,
        windows.calls_with_hours,
        "see whether the schedule was changed since, whether the carrier queued the call (lower "
        "DIALER_CALLS_PER_SECOND), and whether the clocks agree",
    ),
    Invariant(
        "I5",
        ringing.i5_no_orphans_and_no_phantoms,
        ringing.calls_and_claims,
        "see whether somebody else calls from these numbers, or an old backup was restored; "
        f"else {_ASSUMPTIONS}",
    ),
    Invariant(
        "I6",
        limits.i6_caps_hold,
        limits.attributed_calls,
        f"see whether the cap was lowered since; else {_REPORT}",
    ),
    Invariant(
        "I7",
        keeping.i7_no_attempt_stays_open,
        keeping.open_attempts,
        "see the daemon's log for this attempt and whether the carrier can be asked",
    ),
    Invariant(
        "I8",
        limits.i8_no_more_calls_at_once,
        limits.calls_under_limits,
        "see whether the limit was another one then (--calls-per-second, the campaign's); else "
        f"{_REPORT}",
    ),
    Invariant("I9", listed.i9_nobody_listed_is_called, listed.calls_with_a_list, _REPORT),
    Invariant(
        "I10",
        limits.i10_excluded_numbers_rest,
        limits.calls_since_the_last_score,
        f"see whether the threshold was lowered since; else {_REPORT}",
    ),
    Invariant("I11", stopping.i11_a_pause_stops_new_calls, stopping.calls_under_command, _REPORT),
    Invariant("I13", news.i13_facts_are_what_was_told, news.ended_calls, _REPORT),
    Invariant(
        "I15",
        limits.i15_nothing_is_caught_up_in_a_burst,
        limits.calls_under_limits,
        f"see whether the clock of the machine was set; else {_REPORT}",
    ),
    Invariant(
        "I16", stopping.i16_a_failed_store_stops_new_calls, stopping.watched_commits, _REPORT
    ),
    Invariant("I17", explained.i17_every_call_is_explained, explained.explained_calls, _REPORT),
    Invariant(
        "I20",
        keeping.i20_everything_ends_in_time,
        keeping.everything_that_ends,
        "see dialer campaign status for why the rest is not being dialed",
    ),
    Invariant(
        "agreement",
        ringing.both_sides_agree,
        ringing.compared_calls,
        "the carrier's word counts; see the daemon's log for callbacks it could not take",
    ),
    Invariant(
        "counters",
        keeping.counters_are_exact,
        keeping.counted_numbers,
        f"dialer db check; {_REPORT}",
    ),
)


def check(evidence: Evidence) -> Report:
    """Hold *evidence* against every invariant; what cannot be checked is said, never passed."""
    return Report(
        tuple(_result(invariant, evidence) for invariant in INVARIANTS),
        compared=ringing.compared_calls(evidence).checked,
    )


def _result(invariant: Invariant, evidence: Evidence) -> Result:
    scope = invariant.scope(evidence)
    found = () if scope.blind else tuple(invariant.find(evidence))
    return Result(invariant, scope, found)
