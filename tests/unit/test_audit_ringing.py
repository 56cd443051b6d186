"""Who was rung: a second call, an overlap, an orphan or a phantom is found and nothing else is."""

from dataclasses import replace

import pytest

from tests.support.evidence import (
    CALLEE,
    CALLER,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    Dial,
    dial,
    evidence,
    found,
    news,
    notes,
)

OTHER = "+12025550102"
SECOND_SID = "CA" + "f" * 32


def second_call(of: Dial, after_ms: int) -> Dial:
    """What a request that was repeated leaves at the carrier: a call nobody knows."""
    at = of.call.accepted_at + after_ms
    again = replace(of.call, sid=SECOND_SID, accepted_at=at, ringing_at=at, ended_at=at + SECOND)
    return replace(of, call=again)


# -- I1: an attempt rings at most once ------------------------------------------------------------


def test_an_attempt_that_rang_twice_is_named_with_both_calls() -> None:
    one = dial()
    given = evidence(one, calls=[one.call, second_call(one, HOUR).call])

    (violation,) = found(given, "I1")

    assert (violation.attempt, violation.callee, violation.campaign) == ("attempt-1", CALLEE, 1)
    assert one.call.sid in violation.text
    assert SECOND_SID in violation.text


def test_two_attempts_at_one_callee_are_no_second_ring() -> None:
    assert found(evidence(dial(1), dial(2, NOW + HOUR, member=1)), "I1") == []


def test_a_second_call_is_known_by_its_callbacks_where_the_carrier_repeats_nothing_of_ours() -> (
    None
):
    one = dial().really(token=None)
    told = news("attempt-1", SECOND_SID, "ringing", NOW + HOUR, verdict="conflict")
    again = second_call(one, HOUR).call
    silent = evidence(one, calls=[one.call, again])
    called_back = replace(silent, news=[*silent.news, told])

    assert found(silent, "I1") == []
    assert "by their sid" not in notes(evidence(dial()), "I1")
    assert "does not repeat" in notes(silent, "I1")
    assert [violation.attempt for violation in found(called_back, "I1")] == ["attempt-1"]
    assert [violation.attempt for violation in found(silent, "I5")] == ["attempt-1"]


def test_calls_without_any_name_are_not_taken_for_one_attempt() -> None:
    given = evidence(dial(1).really(token=""), dial(2, NOW + HOUR).really(token=""))

    assert found(replace(given, attempts=()), "I1") == []


# -- I2: no callee is in two calls ----------------------------------------------------------------


@pytest.mark.parametrize(("starts_ms", "violations"), [(-1, 1), (0, 0), (1, 0)])
def test_calls_to_one_callee_overlap_until_the_first_is_over(
    starts_ms: int, violations: int
) -> None:
    one, other = dial(1), dial(2, campaign=2)
    assert one.call.ended_at is not None
    later = other.really(accepted_at=one.call.ended_at + starts_ms, ended_at=NOW + HOUR)

    overlaps = found(evidence(one, later), "I2")

    assert [each.attempt for each in overlaps] == ["attempt-2"] * violations


def test_a_long_call_is_remembered_behind_a_short_one() -> None:
    long, short, later = dial(1, lasts_s=600), dial(2, NOW + MINUTE), dial(3, NOW + 5 * MINUTE)

    guilty = [violation.attempt for violation in found(evidence(long, short, later), "I2")]

    assert guilty == ["attempt-2", "attempt-3"]


def test_an_overlap_belongs_to_the_period_of_the_later_call() -> None:
    given = evidence(dial(1), dial(2, NOW + SECOND))

    assert len(found(replace(given, since_at=NOW + SECOND), "I2")) == 1
    assert found(replace(given, until_at=NOW + SECOND), "I2") == []


def test_two_calls_that_nobody_knows_overlap_all_the_same() -> None:
    one, other = (dial(n).really(token=None).call for n in (1, 2))

    (violation,) = found(evidence(calls=[one, other]), "I2")

    assert (violation.attempt, violation.callee) == (None, CALLEE)


def test_calls_to_two_callees_may_go_on_at_once() -> None:
    assert found(evidence(dial(1), dial(2, to=OTHER)), "I2") == []


def test_a_call_that_is_still_on_excludes_every_other() -> None:
    still_on = dial(1).really(ended_at=None, status="in-progress")

    assert len(found(evidence(still_on, dial(2, NOW + HOUR)), "I2")) == 1


def test_a_call_whose_end_nobody_tells_lasted_no_time() -> None:
    never_dialed = dial(1).really(ended_at=None, status="canceled")

    assert found(evidence(never_dialed, dial(2, NOW + SECOND)), "I2") == []


# -- I5: no orphans, no phantoms ------------------------------------------------------------------


def test_a_call_nobody_knows_is_laid_at_the_door_of_the_attempt_it_was_placed_for() -> None:
    forgotten = dial().but(sid=None, state="not_placed", outcome="not_placed")

    (violation,) = found(evidence(forgotten), "I5")

    assert violation.attempt == "attempt-1"
    assert "no attempt knows it" in violation.text


def test_a_call_without_a_name_is_laid_at_the_door_of_the_latest_attempt_before_it() -> None:
    early, late = dial(1), dial(2, NOW + HOUR)
    orphan = replace(dial(3, NOW + HOUR).call, token=None)
    unknown = late.but(sid=None, state="unknown")
    given = evidence(early, unknown, calls=[early.call, orphan])

    assert [violation.attempt for violation in found(given, "I5")] == ["attempt-2"]


def test_a_call_to_somebody_who_was_never_tried_has_no_guilty_attempt() -> None:
    orphan = replace(dial(2, NOW + HOUR, to=OTHER).call, token=None)

    (violation,) = found(evidence(dial(), calls=[dial().call, orphan]), "I5")

    assert (violation.attempt, violation.callee) == (None, OTHER)


def test_a_call_the_carrier_never_made_is_a_phantom() -> None:
    (violation,) = found(evidence(dial(), calls=()), "I5")

    assert violation.attempt == "attempt-1"
    assert "the carrier made none" in violation.text


def test_a_call_claimed_by_two_attempts_is_found_at_both() -> None:
    one, other = dial(1), dial(2, NOW + HOUR)
    given = evidence(one, other.but(sid=one.call.sid), calls=[one.call])

    assert [each.attempt for each in found(given, "I5")] == ["attempt-1", "attempt-2"]


def test_what_lies_around_the_period_is_looked_up_and_not_judged() -> None:
    before, inside = dial(1, NOW - HOUR), dial(2)
    orphan = dial(3, NOW + HOUR, to=OTHER).call
    given = evidence(before, inside, calls=[inside.call, orphan])

    period = replace(given, since_at=NOW - MINUTE, until_at=NOW + MINUTE)

    assert found(period, "I5") == []
    assert len(found(given, "I5")) == 2  # the phantom before and the orphan after


def test_an_attempt_that_became_no_call_is_no_phantom() -> None:
    released = dial().but(sid=None, state="released", outcome=None)

    assert found(evidence(released, calls=()), "I5") == []


# -- agreement ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"token": "attempt-9"}, "attempt is 'attempt-9' at the carrier, 'attempt-1' here"),
        ({"to": OTHER}, f"to is '{OTHER}' at the carrier, '{CALLEE}' here"),
        ({"from_": OTHER}, f"from is '{OTHER}' at the carrier, '{CALLER}' here"),
        ({"status": "busy"}, "status is 'busy' at the carrier, 'completed' here"),
    ],
)
def test_what_both_sides_tell_differently_is_named(change: dict[str, str], words: str) -> None:
    (violation,) = found(evidence(dial().really(**change)), "agreement")

    assert violation.attempt == "attempt-1"
    assert words in violation.text


@pytest.mark.parametrize(
    "one",
    [
        dial(),
        dial().really(token=None),
        dial().really(status="in-progress", ended_at=None),  # its end is on the way to us
        dial().but(status="ringing", state="placed", closed_at=None),
    ],
)
def test_what_is_not_told_or_not_over_does_not_differ(one: Dial) -> None:
    assert found(evidence(one, over=False), "agreement") == []


def test_a_call_that_goes_on_when_everything_is_over_differs() -> None:
    still_on = dial().really(status="in-progress", ended_at=None)

    assert len(found(evidence(still_on), "agreement")) == 1
