"""A call whose decision cannot be redone from what is stored is found: I17."""

from dataclasses import replace
from typing import Any

import pytest

from dialer.audit.explained import EARLY_MS
from dialer.audit.records import Schedule
from tests.support.evidence import (
    BOUNDS,
    CAMPAIGN,
    HOUR,
    NOW,
    NUMBER,
    Dial,
    dial,
    evidence,
    found,
)

ASKED = dial().call.arrived_at


@pytest.mark.parametrize(
    "one",
    [
        dial(),
        dial().but(intent_at=ASKED, send_at=ASKED),
        dial().but(send_at=ASKED + EARLY_MS),
        dial().really(asked_at=None),
    ],
)
def test_a_call_that_follows_its_intent_and_its_slot_is_explained(one: Dial) -> None:
    assert found(evidence(one), "I17") == []


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (dial().but(intent_at=ASKED + 1, send_at=ASKED + 1), "asked for before its intent"),
        (dial().but(send_at=ASKED + EARLY_MS + 1), "51 ms before its slot"),
        (dial().but(send_at=NOW - 1), "its slot is older than its intent"),
        (dial().but(number_id=9), "there is no number 9"),
        (dial().but(day="2026-01-04"), "counted for 2026-01-04, claimed on 2026-01-05 in UTC"),
        (dial().but(campaign_id=9), "its campaign is not there"),
        (dial().but(owner=9), "no daemon 9 is known"),
    ],
)
def test_what_does_not_explain_a_call_is_named(one: Dial, words: str) -> None:
    (violation,) = found(evidence(one), "I17")

    assert violation.attempt == "attempt-1"
    assert words in violation.text


def test_the_day_is_that_of_the_numbers_zone() -> None:
    tokyo = [replace(NUMBER, zone="Asia/Tokyo", calls_total=1)]
    at = NOW + HOUR  # 16:00 UTC, one in the morning in Tokyo

    assert len(found(evidence(dial(1, at), numbers=tokyo), "I17")) == 1
    assert found(evidence(dial(1, at).but(day="2026-01-06"), numbers=tokyo), "I17") == []


@pytest.mark.parametrize(
    ("schedules", "words"),
    [
        ([], "there is no schedule 1"),
        ([Schedule(1, "Office", "{}")], "schedule 'Office' cannot be read"),
    ],
)
def test_hours_that_are_not_there_explain_nothing(schedules: list[Any], words: str) -> None:
    campaigns = [replace(CAMPAIGN, schedule_id=1)]

    (violation,) = found(evidence(dial(), campaigns=campaigns, schedules=schedules), "I17")

    assert words in violation.text


def test_clocks_that_may_differ_explain_a_request_before_its_intent() -> None:
    early = dial().but(intent_at=ASKED + 1000, send_at=ASKED + 1000)

    assert found(evidence(early, bounds=replace(BOUNDS, skew_ms=1000)), "I17") == []
