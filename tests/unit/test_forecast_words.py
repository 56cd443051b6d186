"""What is in the way of a forecast, and what it takes for granted, in words."""

from dataclasses import replace
from typing import Any

import pytest

from dialer.errors import WrongStateError
from dialer.forecast.assumptions import assumptions
from dialer.forecast.changes import Changes
from dialer.forecast.forecasting import Forecast
from dialer.forecast.history import ENOUGH
from dialer.forecast.obstacles import obstacle
from dialer.forecast.snapshot import PastCall, Snapshot
from dialer.holiday_calendars import public_holidays
from dialer.states import CampaignStatus
from retries.outcome import Outcome
from tests.support.engine import DAY, NOW
from tests.support.forecasting import (
    OFFICE,
    RunsHere,
    forecast,
    forecaster_of,
    given_member,
    given_number,
    given_snapshot,
)

TALK = PastCall(Outcome.HUMAN, None, 30, 45.0, True, 0)


def in_the_way(snapshot: Snapshot) -> WrongStateError | None:
    return obstacle(snapshot, snapshot.setup, public_holidays)


# -- obstacles ------------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [None, OFFICE])
def test_nothing_is_in_the_way_of_a_campaign_that_can_dial(hours: str | None) -> None:
    assert in_the_way(given_snapshot(hours=hours)) is None


def test_a_campaign_without_anybody_to_call_says_where_they_are() -> None:
    empty = given_snapshot(contacts=0)
    done = replace(empty, done={"completed": 1200, "failed": 30}, listed=4)

    assert in_the_way(empty) is not None
    error = in_the_way(done)
    assert error is not None
    assert error.message.endswith(
        "has nobody left to call: 1,200 completed, 30 failed, 4 on the do-not-call list"
    )
    assert error.next_step is not None
    assert error.next_step.startswith("dialer contacts import")


def test_whoever_can_never_be_called_is_counted_by_why() -> None:
    empty = replace(given_snapshot(contacts=0), nowhere=7, shut_out=1)

    error = in_the_way(empty)

    assert error is not None
    assert error.message.endswith(
        "7 in an unknown zone, 1 where the calling rules are always closed"
    )


def test_a_schedule_that_is_open_only_when_the_rules_are_not_is_named() -> None:
    night = given_snapshot(hours="daily 02:00-04:00", rules=None)  # 21:00 to 23:00 in Washington

    error = in_the_way(night)

    assert error is not None
    assert error.message.endswith(
        "by the calling rules and schedule 'Office' it does not open within 400 days where its"
        " callees are"
    )
    assert error.next_step == "dialer rules list"


def test_one_place_that_opens_is_enough() -> None:
    abroad = given_member(1, window_key="JP Asia/Tokyo")
    night = given_snapshot(members=[given_member(2), abroad], hours="daily 02:00-04:00", rules=None)

    assert in_the_way(night) is None


def test_a_cancelled_campaign_calls_nobody_whoever_is_in_it() -> None:
    error = in_the_way(given_snapshot(status=CampaignStatus.CANCELLED))

    assert error is not None
    assert "cancelled" in error.message


def test_numbers_that_cannot_be_used_are_counted_by_reason() -> None:
    pool = [
        given_number(1, enabled=False),
        given_number(2, spam_score=8.0),
        given_number(3, spam_score=9.0),
    ]
    error = in_the_way(given_snapshot(numbers=pool))

    assert error is not None
    assert error.message.endswith("no usable number: 2 of 3 excluded for spam, 1 disabled")


def test_numbers_that_are_full_today_are_free_tomorrow() -> None:
    assert in_the_way(given_snapshot(numbers=[given_number(calls_today=100)])) is None


def test_a_schedule_that_never_opens_is_named() -> None:
    error = in_the_way(given_snapshot(hours="daily closed"))

    assert error is not None
    assert "schedule 'Office' does not open within 400 days" in error.message


def test_a_schedule_that_opens_for_less_than_a_ring_calls_nobody() -> None:
    minute = "daily 09:00-09:01"

    assert in_the_way(given_snapshot(hours=minute)) is None  # 30 s of ringing fit in
    error = in_the_way(given_snapshot(hours=minute, ring_timeout_s=60))
    assert error is not None
    assert "never opens for 65 s at a time" in error.message


def test_a_start_after_the_last_opening_is_too_late() -> None:
    snapshot = given_snapshot(hours="daily closed", start_at=NOW + 10 * DAY)

    assert in_the_way(snapshot) is not None


# -- several setups -------------------------------------------------------------------------------


def variants(snapshot: Snapshot, changes: Changes) -> Forecast:
    setups = {"today": snapshot.setup, "other": changes.applied_to(snapshot)}
    return forecaster_of(snapshot, runs=1).run(setups, RunsHere(), lambda _: None)


def test_a_setup_that_dials_is_shown_beside_one_that_never_does() -> None:
    excluded = given_snapshot(numbers=[given_number(spam_score=8.0)], contacts=3, max_retries=0)

    today, other = variants(excluded, Changes({"spam_threshold": 9.0})).variants

    assert today.summary is None
    assert today.obstacle is not None
    assert "excluded for spam" in today.obstacle
    assert other.obstacle is None
    assert other.summary is not None
    assert other.summary.finished == 1


def test_the_first_obstacle_is_raised_where_no_setup_dials() -> None:
    disabled = given_snapshot(numbers=[given_number(enabled=False)])

    with pytest.raises(WrongStateError, match="1 of 1 disabled"):
        variants(disabled, Changes({"spam_threshold": 9.0}))


# -- assumptions ----------------------------------------------------------------------------------


def told(snapshot: Snapshot, **options: Any) -> str:
    found = forecast(snapshot, runs=1, **options)
    return "\n".join(assumptions(found))


def few(**facts: Any) -> Snapshot:
    return given_snapshot(contacts=2, max_retries=0, **facts)


def test_without_a_history_the_profile_is_named() -> None:
    assert "profile 'mixed', 18% human, 40% machine, 24% no answer" in told(few())
    assert "because it has no calls of its own yet" in told(few())
    assert "only 5 first calls of its own (300 are needed)" in told(few(history=[TALK] * 5))


def test_a_profile_that_is_asked_for_takes_the_place_of_a_history() -> None:
    words = told(few(history=[TALK] * ENOUGH), profile="warm")

    assert "profile 'warm', 35% human, 33% machine, 20% no answer at the first call, as" in words


def test_a_history_that_is_long_enough_is_what_calls_go_by() -> None:
    words = told(few(history=[TALK] * ENOUGH))

    assert "calls go as this campaign's last 300 did, 100% human, 0% machine" in words


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (CampaignStatus.DRAFT, "as if it were started now"),
        (CampaignStatus.PAUSED, "as if it were resumed now"),
    ],
)
def test_a_campaign_that_does_not_dial_is_forecast_as_if_it_did(
    status: CampaignStatus, words: str
) -> None:
    assert words in told(few(status=status))
    assert words not in told(few())


def test_whoever_is_left_out_or_counted_otherwise_is_told() -> None:
    words = told(replace(few(), under_way=3, listed=1_200, nowhere=5, shut_out=6))

    assert "3 calls under way are counted as still to be made" in words
    assert "1,200 contacts on the do-not-call list are left out" in words
    assert "5 contacts are left out because nobody knows their time zone" in words
    assert "6 contacts are left out: the rules where they are stay closed" in words


def test_campaigns_that_share_the_account_are_named() -> None:
    alone = replace(few(), neighbours=[("Winback", 0)])
    sharing = replace(few(), neighbours=[(f"C{n}", n % 2) for n in range(5)])

    assert "other active campaigns ('Winback') share the account:" in told(alone)
    assert "('C0', 'C1', 'C2' and 2 more) share the account and its numbers:" in told(sharing)


def test_a_sample_is_said_to_be_one() -> None:
    many = given_snapshot(contacts=900, call_interval_s=0)

    assert "of the 900 contacts is called" in told(many)
    assert "is called" not in told(few())
